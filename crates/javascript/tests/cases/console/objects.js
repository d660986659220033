console.log({}, { a: 1 }, { a: { b: { c: { d: 1 } } } }, { 'a-b': 1, 2: 3, _x: 4, $y: 5, 'é': 6, ['__proto__']: 7 });
console.log({ [Symbol('s')]: 1, [Symbol.iterator]: 2, f() {}, g: () => {}, h: class {}, async i() {}, *j() {}, async *k() {} });
console.log({ get a() { return 1; }, set a(x) {}, get b() { return 1; }, set c(x) {} });
console.log(Object.create(null), Object.assign(Object.create(null), { x: 1 }), Object.create({}), Object.create({ a: 1 }));
class A { constructor() { this.x = 1; } #p = 2; static s = 3; get y() { return 1; } }
class B extends A { z = [1]; }
console.log(new A(), new B(), A, B, class {}, [A, B]);
function F() { this.a = 1; }
console.log(new F(), F, Object.assign(() => {}, { x: 1 }), Object.assign(function named() {}, { y: { z: 1 } }));
const circular = { name: 'c', list: [] };
circular.self = circular; circular.list.push(circular, { circular });
console.log(circular);
const pair = [{}, {}]; pair[0].other = pair[1]; pair[1].other = pair[0];
console.log(pair);
console.log({ a: 'x'.repeat(30), b: 'y'.repeat(30) }, { a: 'x'.repeat(40), b: 'y'.repeat(40) });
console.log({ one: 1, two: 2, three: 3, four: 4, five: 5, six: 6, seven: 7, eight: 8, nine: 9, ten: 10, eleven: 11 });
console.log({ a: { b: 1, c: { d: 2 } }, e: [{ f: [1, 2, { g: 1 }] }] });
console.log({ a: 1, b: { c: 2, d: { e: 3, f: { g: 4 } } }, h: [1, [2, [3, [4]]]] });
console.log([{ id: 1, name: 'First', tags: ['a', 'b'] }, { id: 2, name: 'Second', tags: [] }]);
console.log({ text: 'line one\nline two\nline three is rather long, longer than the width of the whole line, really' });
console.log({ undefined: undefined, null: null, fn: function () {}, date: new Date(0), re: /a\/b/gi });
class Tagged { get [Symbol.toStringTag]() { return 'T'; } }
console.log({ [Symbol.toStringTag]: 'Own' }, Object.defineProperty({}, Symbol.toStringTag, { value: 'Hidden' }));
console.log((function () { return arguments; })(1, 2), (function () { return arguments; })());
console.log(Object.defineProperty({ a: 1 }, 'hidden', { value: 2, enumerable: false }));
console.log(Math, JSON, Reflect);
console.log(Object.freeze({ a: 1 }), Object.setPrototypeOf({ a: 1 }, null), new (class extends null { constructor() { return Object.create(new.target.prototype); } })());
class Foo {}
Foo.prototype.constructor = undefined;
console.log(new Foo());
console.log({ a: [], b: {}, c: '', d: [[]], e: [{}], f: { g: {} } });
