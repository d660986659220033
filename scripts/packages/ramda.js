import * as R from 'ramda';
console.log(
  R.pipe(
    R.filter((x) => x % 2),
    R.map(R.multiply(3)),
    R.reduce(R.add, 0),
  )(R.range(1, 10)),
  R.path(['a', 0, 'b'], { a: [{ b: 5 }] }),
  R.over(R.lensPath(['x', 'y']), R.inc, { x: { y: 1 } }),
  R.groupBy(R.length, ['a', 'bb', 'cc']),
  R.transduce(R.compose(R.map(R.inc), R.take(2)), R.flip(R.append), [], [1, 2, 3]),
  R.evolve({ a: R.toUpper }, { a: 'x', b: 1 }),
  R.curryN(3, (...a) => a)(1)(R.__, 3)(2),
  R.equals({ a: [1, new Map([[1, 2]])] }, { a: [1, new Map([[1, 2]])] }),
  R.toString({ a: [1, 'x', new Date(0)] }),
  R.sortWith([R.ascend(R.prop('a')), R.descend(R.prop('b'))])([
    { a: 1, b: 1 },
    { a: 1, b: 2 },
  ]),
  R.zipWith(R.add, [1, 2], [3, 4]),
  R.cond([
    [R.lt(5), R.always('big')],
    [R.T, String],
  ])(3),
);
