import Sugar from 'sugar';
console.log(
  Sugar.Array.groupBy(['a', 'bb', 'cc'], 'length'),
  Sugar.String.titleize('hello world of js'),
  Sugar.Number.format(1234567.891, 2),
  Sugar.Date.format(new Date(0), '{yyyy}-{MM}-{dd}'),
  Sugar.Object.merge({ a: { b: 1 } }, { a: { c: 2 } }, { deep: true }),
);
