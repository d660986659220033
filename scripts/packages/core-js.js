import 'core-js/actual';
console.log(
  [1, 2, 3].at(-1),
  Object.groupBy?.([1, 2, 3], (x) => (x % 2 ? 'odd' : 'even')),
  [3, 1].toSorted(),
  new Set([1, 2]).union(new Set([3])).size,
  'abc'.replaceAll('b', 'x'),
  Array.fromAsync ? 'fromAsync' : '',
  Iterator.from([1, 2, 3])
    .map((x) => x * 2)
    .toArray(),
  structuredClone(new Map([[1, { a: [1] }]])),
  Promise.withResolvers ? 1 : 0,
  JSON.stringify('\ud800'),
  new URL('http://a/b?c#d').href,
  atob('aGk='),
);
