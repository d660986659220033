// Arrays whose elements lie in a table with attributes (frozen, sealed, with accessors), or show their prototype through
// holes, do what others do.
const frozen = Object.freeze([1, 2, 3]);
const sealed = Object.seal([1, 2, 3]);
const odd = [1, 2, 3];
Object.defineProperty(odd, 1, { get: () => 7 });
for (const [label, list] of Object.entries({ frozen, sealed, odd })) {
  console.log(label, [...list], [0, ...list, ...list], Math.max(...list), new Array(...list), Reflect.apply(Math.min, null, list));
  const [first, ...rest] = list;
  console.log(first, rest, ((...all) => all)(...list), ((a, ...all) => all)(...list), Math.max.apply(null, list));
  console.log(Reflect.construct(Array, list), list.slice(), list.concat(list), Array.from(list), list.map((x) => x * 2), list.join());
  console.log(new Set(list), JSON.stringify(list), list.indexOf(3), list.includes(3), structuredClone(list), list.toSorted(), list.flat());
  console.log(list.toReversed(), list.with(0, 9), list.toSpliced(1, 1), list.at(-1), list.find((x) => x > 2), Object.entries(list));
  console.log(String.fromCharCode(...list.map((x) => x + 64)), new Map([list]), Object.fromEntries([list]), [...list.entries()], { ...list });
}

// Frozen between the first element and the rest.
const target = [1, 2, 3, 4];
const [{ length } = {}, ...late] = { [Symbol.iterator]: () => target[Symbol.iterator]() };
console.log(length, late);
const place = { set first(_) { Object.freeze(target); } };
let others;
[place.first, ...others] = target;
console.log(others, Object.isFrozen(target));

// Prototypes with elements.
Array.prototype[1] = "shown";
const holes = [0, , 2];
const [, ...tail] = holes;
console.log([...holes], ((...all) => all)(...holes), tail, Reflect.apply(Array.of, null, holes));
delete Array.prototype[1];
