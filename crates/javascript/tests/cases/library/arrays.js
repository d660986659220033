// Array methods that call functions, and sorting: plain arrays, and everything that is not plain.
const show = (label, value) => console.log(label, value);
const attempt = (label, f) => {
  try { show(label, f()); } catch (e) { show(label, e.constructor.name); }
};
const numbers = [5, 3, 9, 1, 7, 2, 8, 4, 6, 0, 11, 10];

// Sorting: order, stability, results of every kind.
show("ascending", numbers.slice().sort((a, b) => a - b).join());
show("descending", numbers.slice().sort((a, b) => b - a).join());
show("default", [10, 9, 1, "b", "a", undefined, null, , true].sort().map(String).join());
show("strings", ["pear", "fig", "apple", "", "figs", "é", "z"].sort().join());
const pairs = Array.from({ length: 40 }, (_, i) => ({ key: (i * 7) % 5, i }));
show("stable", pairs.slice().sort((a, b) => a.key - b.key).map((p) => `${p.key}:${p.i}`).join(" "));
show("objects as results", [3, 1, 2].sort((a, b) => ({ valueOf: () => a - b })).join());
show("strings as results", [3, 1, 2].sort((a, b) => String(a - b)).join());
show("nothing as a result", [3, 1, 2].sort(() => {}).join());
show("NaN as a result", [3, 1, 2].sort(() => NaN).join());
attempt("big integer as a result", () => [3, 1, 2].sort(() => 1n));
attempt("symbol as a result", () => [3, 1, 2].sort(() => Symbol.iterator));
attempt("throwing", () => [3, 1, 2].sort(() => { throw new RangeError("no"); }));
attempt("no function", () => [3, 1].sort({}));
show("bound comparison", [3, 1, 2].sort(((k, a, b) => k * (a - b)).bind(null, -1)).join());
show("proxied comparison", [3, 1, 2].sort(new Proxy((a, b) => a - b, {})).join());
show("holes and undefined", JSON.stringify([3, , undefined, 1, , 2].sort((a, b) => a - b)));
const changing = numbers.slice();
show("array changed meanwhile", changing.sort((a, b) => { changing.length = 3; return a - b; }).length);
show("array-like", JSON.stringify(Array.prototype.sort.call({ 0: "c", 1: "a", 2: "b", length: 3 }, (a, b) => (a < b ? -1 : 1))));
show("two and one", [[2, 1].sort((a, b) => a - b).join(), [1].sort(() => 1).join(), [].sort(() => 1).length].join(";"));
show("toSorted", [3, undefined, 1, 2].toSorted((a, b) => a - b).join());
show("typed", new Float64Array([3, NaN, -0, 0, -1]).sort((a, b) => a - b).join());
let x = 12345;
const many = Array.from({ length: 3000 }, () => (x = (x * 1103515245 + 12345) & 0x7fffffff));
const sorted = many.slice().sort((a, b) => a - b);
show("many", sorted.every((n, i) => i === 0 || sorted[i - 1] <= n) + " " + sorted.length);

// Methods with functions.
const list = [1, 2, 3, 4];
show("map", list.map(function (n, i, all) { return n * i + all.length + this.k; }, { k: 100 }).join());
show("filter", list.filter((n) => n % 2).join());
show("reduce", [list.reduce((a, n) => a + n), list.reduce((a, n) => a + n, "s"), [7].reduce(() => 0)].join());
attempt("reduce of nothing", () => [].reduce(() => 0));
show("some, every", [list.some((n) => n > 3), list.some((n) => n > 4), list.every((n) => n > 0), list.every((n) => n < 3)].join());
show("find", [list.find((n) => n > 2), list.find((n) => n > 4), list.findIndex((n) => n > 2), list.findIndex((n) => n > 4)].join());
const holes = [1, , 3];
const seen = [];
holes.forEach((n, i) => seen.push(i));
show("holes are passed over", seen.join());
show("holes are mapped to holes", JSON.stringify(Object.keys(holes.map((n) => n * 2))));
show("holes are found", [holes.find((n) => n === undefined), holes.findIndex((n) => n === undefined)].join());
const growing = [1, 2, 3];
show("growing meanwhile", growing.map((n) => growing.push(n)).join() + " " + growing.length);
const shrinking = [1, 2, 3, 4];
show("shrinking meanwhile", JSON.stringify(shrinking.map((n) => { shrinking.length = 2; return n; })));
const replaced = [1, 2, 3];
show("replaced meanwhile", replaced.find((n, i) => { replaced[i] = "x"; return n === 2; }));
class Mine extends Array {}
const mine = Mine.from([3, 1, 2]);
show("species", [mine.map((n) => n) instanceof Mine, mine.filter(() => true) instanceof Mine, mine.sort() instanceof Mine].join());
class Frozen { static get [Symbol.species]() { return function () { return Object.freeze([]); }; } }
const odd = [1, 2];
odd.constructor = Frozen;
attempt("frozen species, map", () => odd.map((n) => n));
attempt("frozen species, filter", () => odd.filter(() => true));
show("array-like map", JSON.stringify(Array.prototype.map.call({ 0: 1, 1: 2, length: 2 }, (n) => n + 1)));
show("string", Array.prototype.map.call("abc", (c) => c + c).join());
show("native functions", [["1", "2", "3"].map(Number).join(), ["a", "b"].map(String.prototype.toUpperCase.call, String.prototype.toUpperCase).join()].join(";"));
attempt("throwing in the middle", () => list.map((n) => { if (n === 3) throw new Error("three"); return n; }));
attempt("class as function", () => list.map(class {}));
show("long", new Array(70000).fill(1).map((n, i) => n + i).reduce((a, b) => a + b, 0));
show("nested", [[1, 2], [3]].map((row) => row.map((n) => n * 2).filter((n) => n > 2).join()).join(";"));
Object.defineProperty(Array.prototype, 1, { get: () => "inherited", configurable: true });
show("inherited elements", [0, , 2].map(String).join());
delete Array.prototype[1];

// Instances by constructors whose prototype changes.
function Point(x, y) { this.x = x; this.y = y; }
Point.prototype.sum = function () { return this.x + this.y; };
const points = [];
for (let i = 0; i < 5; i++) {
  if (i === 3) Point.prototype = { sum() { return "other"; } };
  points.push(new Point(i, i).sum());
}
show("prototypes", points.join());
function Answer(n) { if (n > 1) return { n: "own" }; this.n = n; }
show("returned objects", [1, 2, 3].map((n) => new Answer(n).n).join());
class Base { constructor() { this.made = new.target.name; } }
class Derived extends Base { field = 1; }
show("classes", [new Base().made, new Derived().made, new Derived().field].join());
attempt("no constructor", () => new (() => {})());
Point.prototype = 5;
show("prototype that is no object", Object.getPrototypeOf(new Point(1, 2)) === Object.prototype);

// Names made at run time.
const dictionary = {};
for (let i = 0; i < 300; i++) dictionary["k" + (i % 100)] = (dictionary["k" + (i % 100)] || 0) + 1;
show("dictionary", Object.keys(dictionary).length + " " + dictionary.k7 + " " + dictionary["k" + 99]);
Object.defineProperty(dictionary, "k5", { value: "fixed", writable: false });
dictionary["k" + 5] = 0;
Object.defineProperty(dictionary, "k6", { get: () => "got", set(v) { show("set", v); } });
dictionary["k" + 6] = 1;
show("not plain", [dictionary["k" + 5], dictionary["k" + 6], dictionary["no" + 1]].join());
show("numbers in texts", ["a" + 0, "a" + -1, "a" + 1.5, "a" + 4294967296, 1 + "a", "é" + 12, "\u0416" + 12, "" + 7, "x".repeat(30) + 5].join());
