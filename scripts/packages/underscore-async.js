import _ from 'underscore';
import async from 'async';
console.log(
  _.chain([3, 1, 2])
    .sortBy((x) => x)
    .map((x) => x + 1)
    .value(),
  _.template('<% for (let x of l) print(x) %>')({ l: [1, 2] }),
  _.countBy([1.3, 2.1, 2.4], Math.floor),
  _.isMatch({ a: 1, b: 2 }, { a: 1 }),
);
async.waterfall([(cb) => setTimeout(() => cb(null, 1), 5), (x, cb) => cb(null, x + 1)], (e, r) => console.log('waterfall', e, r));
async.parallelLimit(
  [1, 2, 3, 4].map((n) => (cb) => setTimeout(() => cb(null, n * n), 10 - n)),
  2,
  (e, r) => console.log('parallel', r),
);
const q = async.queue((t, cb) => setTimeout(cb, t), 2);
q.push([300, 200, 100], () => console.log('did'));
q.drain(() => console.log('drained'));
async.auto({ a: (cb) => cb(null, 1), b: ['a', (r, cb) => cb(null, r.a + 1)] }).then((r) => console.log(r));
