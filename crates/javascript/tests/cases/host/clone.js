const source = { a: [1, , 3], d: new Date(5), r: /x/gi, m: new Map([[{ k: 1 }, new Set([1])]]), n: null, u: undefined, big: 1n, w: Object('s'), t: new Uint8Array([1, 2]), e: new RangeError('bad') };
source.self = source;
const copy = structuredClone(source);
console.log(copy !== source, copy.self === copy, copy.a, copy.d, copy.r, copy.m, copy.big, copy.w, copy.t, copy.e instanceof RangeError, copy.e.message);
console.log(1 in copy.a, copy.t !== source.t, Object.keys(copy).join());
for (const bad of [() => {}, Symbol('x'), { f() {} }]) try { structuredClone(bad); console.log('no'); } catch (e) { console.log(e.name); }
class A { x = 1; get y() { return 2; } }
console.log(structuredClone(new A()), structuredClone('s'), structuredClone(-0));
