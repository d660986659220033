class Animal { #name; static count = 0; static { this.kind = 'animal'; } constructor(name) { this.#name = name; Animal.count++; } get name() { return this.#name; } set name(v) { this.#name = v; } speak() { return `${this.name} speaks`; } static is(x) { return #name in x; } }
class Dog extends Animal { tricks = []; speak() { return super.speak() + ' woof'; } *[Symbol.iterator]() { yield* this.tricks; } }
const d = new Dog('Rex'); d.tricks.push('sit', 'roll'); d.name += '!'; console.log(d.speak(), [...d], Animal.count, Animal.kind, Animal.is(d), Animal.is({}));
console.log(d instanceof Animal, Object.getPrototypeOf(Dog) === Animal, Dog.name, String(class { a = 1 }));
try { Animal(); } catch (e) { console.log(e.name); } try { new (class extends Animal { constructor() {} })(); } catch (e) { console.log(e.name); }
const o = { __proto__: { hi() { return 'proto'; } }, hi() { return super.hi() + ' own'; }, ['com' + 'puted']: 1 }; console.log(o.hi(), o.computed);
