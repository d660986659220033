let t = ''; for (let i = 0; i < 30; i++) { t += 'x'.concat(...['a' + i, 'b']) + String.fromCharCode(...[97 + i % 9, 98]) + new Array(...[[i], 2]).length + [].concat(...[[1], [2]]).length + eval(...['i + 1', i]) }
function f(a, { b, c: [d = 4, ...e] = [] } = {}, ...rest) { return [a, b, d, e, rest, arguments.length, () => a++, new.target] }
const bound = f.bind(null, 1, { b: 2, c: [undefined, 5, 6] }); const made = []; for (const x of [1, 2, 3]) made.push(() => x + made.length);
with ({ t2: t.length }) t += t2; label: for (const a of [1, 2]) for (const b of [3, 4]) { if (b === 4) continue label; t += a * b }
t + JSON.stringify(bound(7, 8)) + made.map(f => f()) + f.toString().length + Function('a', 'return a * 2')(4) + new (class { x = f(1)[5] })().x + [...[..."ab"].entries()]
