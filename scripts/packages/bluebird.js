import B from 'bluebird/js/browser/bluebird.js';
B.map([1, 2, 3], (x) => B.delay(10).then(() => x * 2)).then(console.log);
B.reduce?.([1, 2, 3], (a, b) => a + b, 0).then(console.log);
B.coroutine?.(function* () {
  const a = yield B.resolve(5);
  return a + 1;
})().then(console.log);
new B((r, j) => j(new TypeError('x')))
  .catch(TypeError, (e) => console.log('caught', e.message))
  .finally(() => console.log('fin'));
