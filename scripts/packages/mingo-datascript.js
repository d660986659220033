import mingo from 'mingo';
import * as mm from 'mingo';
const data = [
  { a: 1, t: ['x', 'y'] },
  { a: 5, t: ['y'] },
  { a: 9, t: [] },
];
const M = mm.default ?? mm;
console.log(JSON.stringify(new mm.Query({ a: { $gt: 2 }, t: { $size: 1 } }).find(data).all()));
import sift from 'sift';
console.log(data.filter(sift({ $or: [{ a: 1 }, { t: { $in: ['y'] } }] })));
import * as d from 'datascript';
const D = d.default ?? d;
const db = D.db_with(D.empty_db({ aka: { ':db/cardinality': ':db.cardinality/many' } }), [
  [':db/add', 1, 'name', 'Ivan'],
  [':db/add', 1, 'age', 17],
  [':db/add', 2, 'name', 'Oleg'],
  [':db/add', 2, 'age', 30],
]);
console.log(JSON.stringify(D.q('[:find ?n ?a :where [?e "name" ?n] [?e "age" ?a] [(> ?a 18)]]', db)));
import cytoscape from 'cytoscape';
const cy = cytoscape({
  headless: true,
  elements: [...'abcd']
    .map((i) => ({ data: { id: i } }))
    .concat(
      [
        ['a', 'b', 1],
        ['b', 'c', 2],
        ['a', 'c', 9],
        ['c', 'd', 1],
      ].map(([s, t, w]) => ({ data: { id: s + t, source: s, target: t, w } })),
    ),
});
console.log(
  cy
    .elements()
    .dijkstra('#a', (e) => e.data('w'), true)
    .distanceTo('#d'),
  cy.elements().pageRank().rank('#c').toFixed(9),
  cy
    .elements()
    .kruskal((e) => e.data('w'))
    .edges()
    .map((e) => e.id()),
);
