import _ from 'lodash';
console.log(
  _.chunk(_.range(10), 3),
  _.groupBy(['one', 'two', 'three'], 'length'),
  _.merge({ a: [{ b: 2 }] }, { a: [{ c: 3 }] }),
  _.cloneDeep({ d: new Date(0), r: /x/g, m: new Map([[1, { a: 1 }]]), s: new Set([1]) }),
  _.isEqual({ a: [1, { b: NaN }] }, { a: [1, { b: NaN }] }),
);
console.log(
  _.template('Hi <%= user %><% _.forEach(xs, x => { %> <%- x %><% }) %>!')({ user: 'me', xs: ['<', '&'] }),
  _.camelCase('foo-bar_baz Qux'),
  _.kebabCase('XMLHttpRequest2'),
  _.startCase('--foo--'),
  _.deburr('déjà vu'),
  _.words('fred, barney & pebbles'),
  _.truncate('hi-diddly-ho there', { length: 12 }),
  _.pad('x', 5, '-+'),
);
console.log(
  _.sortBy(
    [
      { a: 3, b: 1 },
      { a: 1, b: 2 },
      { a: 1, b: 1 },
    ],
    ['a', 'b'],
  ),
  _.uniqWith([{ x: 1 }, { x: 1 }], _.isEqual),
  _.zipObjectDeep(['a.b[0].c', 'a.b[1].d'], [1, 2]),
  _.curry((a, b, c) => a + b + c)(1)(2)(3),
  _.flow([(x) => x + 1, (x) => x * 2])(3),
  _.chain([1, 2, 3, 4])
    .filter((n) => n % 2)
    .map((n) => n * n)
    .sum()
    .value(),
  _.flattenDeep([1, [2, [3, [4]]]]),
  _.get({ a: [{ b: { c: 3 } }] }, 'a[0].b.c'),
  _.toPath('a[0].b["c"]'),
  _.orderBy([1, 3, 2], null, 'desc'),
  _.inRange(3, 2, 4),
  _.escape('<&>'),
  _.times(3, String),
);
const t = _.debounce(() => console.log('debounced'), 10);
t();
t();
console.log(_([1, 2, 3]).map((x) => x * 2));
