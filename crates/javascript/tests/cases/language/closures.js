const fs = []; for (let i = 0; i < 3; i++) fs.push(() => i); console.log(fs.map((f) => f()));
var gs = []; for (var j = 0; j < 3; j++) gs.push(() => j); console.log(gs.map((f) => f()));
function counter() { let n = 0; return { up: () => ++n, get value() { return n; } }; }
const a = counter(), b = counter(); a.up(); a.up(); b.up(); console.log(a.value, b.value);
try { early; let early = 1; } catch (e) { console.log(e.name, e.message); }
const { x, y: { z = 3, ...others }, ...rest } = { x: 1, y: { p: 2, q: 4 }, m: 5, n: 6 }; console.log(x, z, others, rest);
const [p, , q = 9, ...tail] = 'abcd'; console.log(p, q, tail);
label: for (const i of [1, 2, 3]) { for (const k of [1, 2, 3]) { if (k === 2) continue label; if (i === 3) break label; console.log(i, k); } }
console.log(((...args) => args.length)(...[1, 2], 3, ...new Set([4, 4, 5])), null ?? 'd', undefined?.x, 2 ** 10, `t${1 + 1}`);
