import wu from 'wu';
console.log([
  ...wu
    .count()
    .filter((x) => x % 2)
    .map((x) => x * x)
    .take(5),
]);
import Lazy from 'lazy.js';
console.log(
  Lazy.range(1, 1000)
    .map((x) => x * x)
    .filter((x) => x % 3 == 1)
    .take(5)
    .toArray(),
  Lazy('a,b,c')
    .split(',')
    .map((s) => s + s)
    .toArray(),
);
import jp from 'fast-json-patch';
console.log(jp.compare({ a: [1, 2, { x: 1 }], b: 2 }, { a: [1, 3, { x: 2, y: [] }] }));
import * as jdp from 'jsondiffpatch';
console.log(JSON.stringify(jdp.diff({ a: [1, 2, 3], b: { c: 'x' } }, { a: [1, 3, 4], b: { c: 'y', d: 1 } })));
