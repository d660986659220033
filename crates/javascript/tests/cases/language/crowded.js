// Expressions that need more registers than there are, as whole programs, in functions, in parameters.
const nest = (n, open, inner, close) => open.repeat(n) + inner + close.repeat(n);
const run = text => {
  try {
    const value = (0, eval)(text);
    return typeof value === 'function' ? typeof value : value;
  } catch (e) {
    return e.name;
  }
};
for (const n of [10, 40, 52, 53, 54, 60, 75]) {
  console.log(n, run(nest(n, '(class { [', '1', '] = 1 })')));
  console.log(n, run(nest(n, '(class { static [(', '"q"', ')] = 1 }).q')));
  console.log(n, run(`(function (a, b = ${nest(n, 'Math.max(a, 1, ', 'a', ')')}) { return a + b })(3)`));
  console.log(n, run(`(() => { let x = 1, y = 2; return ${nest(n, 'Math.max(x, y, ', 'x + y', ')')} + y })()`));
  console.log(n, run(`var o = { a: 1 }; ${nest(n, '({ ...o, b: 2, c: ', 'o.a', ' }).c')}`));
  console.log(n, run(`try { ${nest(n, 'Math.max(1, 2, ', 'missing', ')')} } catch (e) { e.name + 1 }`));
}
