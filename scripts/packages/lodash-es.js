import {
  memoize,
  partition,
  throttle,
  mergeWith,
  isEqualWith,
  pickBy,
  invertBy,
  intersectionBy,
  shuffle,
  sampleSize,
  unzipWith,
  set,
  unset,
  transform,
} from 'lodash-es';
const f = memoize((n) => (n < 2 ? n : f(n - 1) + f(n - 2)));
console.log(f(70), f.cache.size);
console.log(
  partition([1, 2, 3, 4], (n) => n > 2),
  mergeWith({ a: [1] }, { a: [2] }, (x, y) => (Array.isArray(x) ? x.concat(y) : undefined)),
  pickBy({ a: 1, b: 'x' }, Number),
  invertBy({ a: 1, b: 2, c: 1 }),
  intersectionBy([2.1, 1.2], [2.3, 3.4], Math.floor),
  unzipWith(
    [
      [1, 10],
      [2, 20],
    ],
    (a, b) => a + b,
  ),
  set({}, 'x[0].y', 5),
  transform(
    [2, 3],
    (acc, n) => {
      acc.push(n * n);
    },
    [],
  ),
  shuffle([1, 2, 3]).length,
  sampleSize([1, 2], 5).length,
);
