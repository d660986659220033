// A function with more variables than registers: closures made in its loops keep those of their own round, and a direct eval
// sees all of them.
const declare = Array.from({ length: 300 }, (_, i) => `let v${i} = ${i};`).join('');
const body = `${declare}
  const fs = [];
  for (const k of [1, 2, 3]) { const m = k * 2; fs.push(() => k + m + v299); }
  for (let i = 0; i < 3; i++) fs.push(() => i);
  for (let i = 0; i < 2; i++) { class A { #p = i; static get(o) { return o.#p } } fs.push(() => A.get(new A)); }
  let n = 0;
  while (n < 2) { const own = n++; fs.push(() => own); }
  for (const name in { a: 1, b: 2 }) fs.push(() => name);
  { let once = v298; fs.push(() => once++); }
  v297 = 'set'; fs.push(() => v297);
  return fs.map(f => f()).join();`;
console.log(Function(body)());
console.log(Function(`${declare} eval("v200 = 7; v10++"); return [v200, v10, eval("(() => v299)()"), (() => eval("v150"))(), eval("typeof nothing")].join()`)());
console.log(Function(`${declare} function inner() { return v250 + eval("v251") } let late = () => dead; try { late() } catch (e) { return e.message + inner() } let dead = 1`)());
// Parameters beyond the registers.
const names = n => Array.from({ length: n }, (_, i) => 'p' + i).join();
const numbers = n => Array.from({ length: n }, (_, i) => i);
console.log(Function(names(130), 'p3 = 9; arguments[4] = 8; return [p3, arguments[3], p4, p119, p120, p129, arguments.length]')(...numbers(131)).join());
console.log(Function(names(125) + ', q = p124 + 1, { z } = { z: 5 }, ...rest', 'return [q, z, rest.length, rest[0], (() => p121 + q)(), arguments.length].join()')(...numbers(125), undefined, undefined, 'r', 's'));
console.log(Function(names(300), '').length);
