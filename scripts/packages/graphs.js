import Graph from 'graphology';
import dagre from 'dagre';
import RBush from 'rbush';
import Delaunator from 'delaunator';
import earcut from 'earcut';
import pc from 'polygon-clipping';
import { Bezier } from 'bezier-js';
const g = new Graph();
['a', 'b', 'c'].forEach((n) => g.addNode(n));
g.addEdge('a', 'b', { w: 2 });
g.addEdge('b', 'c');
console.log(g.order, g.size, g.neighbors('b'), g.export().nodes);
const d = new dagre.graphlib.Graph().setGraph({}).setDefaultEdgeLabel(() => ({}));
for (const n of 'abcde') d.setNode(n, { width: 30, height: 20 });
for (const [a, b] of ['ab', 'ac', 'bd', 'cd', 'de', 'ae']) d.setEdge(a, b);
dagre.layout(d);
console.log(
  d.nodes().map((n) => [n, d.node(n).x, d.node(n).y]),
  d.graph().height,
);
let seed = 1;
const rnd = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
const pts = Array.from({ length: 200 }, () => [rnd() * 100, rnd() * 100]);
const t = Delaunator.from(pts);
console.log(t.triangles.length, t.hull.length, t.triangles.slice(0, 9));
const rb = new RBush();
rb.load(pts.map(([x, y]) => ({ minX: x, minY: y, maxX: x + 1, maxY: y + 1 })));
console.log(rb.search({ minX: 10, minY: 10, maxX: 30, maxY: 30 }).length);
console.log(
  earcut([0, 0, 10, 0, 10, 10, 0, 10, 2, 2, 8, 2, 8, 8, 2, 8], [4]),
  JSON.stringify(
    pc.union(
      [
        [
          [0, 0],
          [2, 0],
          [2, 2],
          [0, 2],
        ],
      ],
      [
        [
          [1, 1],
          [3, 1],
          [3, 3],
          [1, 3],
        ],
      ],
    ),
  ),
  new Bezier(0, 0, 1, 2, 3, 3, 4, 0).length().toFixed(9),
);
