// What errors say: names as the source writes them, values in a few words. The words are V8's; node prints the same.
const programs = [
  // What cannot be taken apart.
  "const [a] = undefined", "const [a] = null", "let o = {}; const [a] = o", "let o = {}; const [a] = o.x", "let o = {x: 5}; const [a, b] = o['x']",
  "let f = () => {}; const [a] = f()", "(([a]) => a)()", "let t, o; [t] = o",
  "const {a} = undefined", "let o; const {a} = o", "let o = null; const {a, b} = o", "let o = {}; const {a} = o.b", "let o = {b() {}}; const {a, c} = o.b(1, 'x)')",
  "let o; const {a: {b}} = {}", "let {a: {b}} = {a: null}", "let [{b}] = [null]", "(({a}) => a)()", "(function ({a}) {})(null)", "let t, o; ({t} = o)",
  // What cannot be iterated.
  "for (const x of 5) ;", "let n = 5; for (const x of n) ;", "let o = {a: 1}; for (const x of o.a) ;", "let f = () => ({}); for (const x of f()) ;",
  "let o = {a: 1}; [...o.a]", "let o = {}; [...o]", "let o = 5; Math.max(...o)", "let o = {}; new Set(o)", "new Map(5)", "function* g() { yield* 5 } [...g()]",
  "null[Symbol.iterator]", "Object.fromEntries(5)", "new Map([1])",
  // What cannot be called.
  "let o = {}; o.f()", "let o = {a: {}}; o.a['f']()", "let k = 'zz', o = {a: {}}; o.a[k]()", "let a = [1]; a[0]()", "let a = {}; a['c d']()", "let a = {}; a?.b()",
  "let a = {}; new a.b.C", "let a = {}; new a.B()", "JSON.parse('{}').b()", "let a = [{}]; a[0].b()", "(class {})()", "class Foo {} Foo()", "[1, 2].map(3)", "Array.from(1, 2)",
  // What cannot be set, made or deleted.
  "'use strict'; Object.freeze([1]).push(2)", "'use strict'; let o = Object.freeze({a: 1}); o.a = 2", "'use strict'; let o = Object.freeze({a: 1}); o.b = 2",
  "'use strict'; delete Object.freeze({a: 1}).a", "'use strict'; let o = {get a() { return 1 }}; o.a = 2", "'use strict'; 'abc'.length = 1", "'use strict'; (5).x = 1",
  "'use strict'; class P { get v() { return 1 } } new P().v = 2", "'use strict'; new Proxy({}, {set() { return false }}).q = 1",
  "class A extends 5 {}", "class A extends undefined {}", "class A extends [] {}", "({}) instanceof (() => 1)", "'a' in 'b'", "Symbol('q') in 5",
  // What is called on the wrong thing.
  "''.at.call(undefined)", "String.prototype.trim.call(null)", "Map.prototype.get.call({}, 1)", "Number.prototype.toString.call('x')", "Symbol.keyFor('a')",
  "Promise.prototype.then.call(1)", "'a'.repeat(-1)", "(1).toString(1)",
  // JSON.
  ...["{bad", "", '{"a":1,}', "[1,2", "bad", '{"a":bad}', "NaN", "undefined", "[object Object]", "tru", "trux", "01", "-", "1.", "1e", '"abc', '"a\\', '"a\\q"', '"a\\u12"',
    '"a\nb"', "[", "[1 2]", "[1,]", "{", '{"a"', '{"a" 1}', '{"a":', '{"a":1 "b"}', "1 2", '"x" "y"', "{'a':1}", "<!DOCTYPE html><html></html>",
    "[1,2,3,4,5,6,7,8,9,10,x,12,13,14,15]", "[1,2,3,4,5,6,7,8,9,10,11,12,y]"].map((text) => `JSON.parse(${JSON.stringify(text)})`),
];
for (const program of programs) {
  try {
    (0, eval)(`(() => { ${program}\n })()`);
    console.log(`${program}: nothing`);
  } catch (error) {
    console.log(`${program}: ${error}`);
  }
}
