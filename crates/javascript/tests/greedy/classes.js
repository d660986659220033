class A { #p = 1; static #made = 0; static { A.kind = 'a'.concat(A.name) } constructor(x) { this.x = x; A.#made++ } get p() { return this.#p } set p(v) { this.#p = v } static get made() { return A.#made } *[Symbol.iterator]() { yield this.x; yield this.#p } }
class B extends A { #q = [1]; constructor(...all) { super(...all); this.y = super.p + this.#q.length } toString() { return `${super.toString()}:${this.y}` } static of(x) { return new this(x) } }
class C extends Array { constructor(...all) { super(...all); this.own = all } }
let k = []; for (let i = 0; i < 40; i++) k.push(new A(i), { i, ['n' + i]: i });
const b = B.of('b'), c = new C(1, 2, 3).map(x => x * 2);
b.p = 'changed'; b['late' + 1] = 1; delete b.x; Object.freeze(c);
k.map(x => x.p).join() + String(b) + [...new A(7)] + A.made + A.kind + c + c.own + Object.getOwnPropertyNames(B.prototype)
