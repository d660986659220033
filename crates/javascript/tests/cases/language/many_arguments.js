// More arguments than a frame has registers, taken into arrays while the collector comes by.
const list = (n) => Array.from({ length: n }, (_, i) => ({ i }));
const wrong = (all, n) => all.length !== n || all.findIndex((x, i) => x === undefined || x.i !== i) >= 0;
function rest(...all) { return all; }
function tail(first, second, ...all) { return [first, second, ...all]; }
function old() { return Array.prototype.slice.call(arguments); }
const arrow = (...all) => all;
function* generator(...all) { yield* all; }
class Made { constructor(...all) { this.all = all; } }
class Derived extends Made {}
let failures = 0;
for (const n of [3, 250, 251, 252, 253, 256, 1000, 5000]) {
  for (let round = 0; round < 12; round++) {
    const values = list(n);
    for (const f of [rest, tail, old, arrow, generator]) {
      if (wrong([...f.apply(null, values)], n)) failures++;
      if (wrong([...f(...values)], n)) failures++;
    }
    if (wrong(new Made(...values).all, n) || wrong(new Derived(...values).all, n)) failures++;
    if (wrong(Reflect.construct(Derived, values).all, n)) failures++;
    if (wrong(rest.bind(null, ...values.slice(0, n >> 1))(...values.slice(n >> 1)), n)) failures++;
  }
}
const points = [];
for (let i = 0; i < 10000; i++) points.push(0x20000 + i);
for (let round = 0; round < 8; round++) {
  const text = String.fromCodePoint.apply(null, points);
  if (text.length !== 20000 || text.codePointAt(19998) !== 0x20000 + 9999) failures++;
}
console.log(failures === 0 ? "all arguments arrived" : `${failures} calls lost arguments`);
