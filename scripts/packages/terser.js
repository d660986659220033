import { minify } from 'terser';
(async () => {
  const code =
    'function add(first, second) { if (DEBUG) console.log("x"); var unused = 3; return first + second; } const obj = { long_name: 1, get y() { return this.long_name } }; for (let i = 0; i < 10; i++) { if (i == 5) { continue } else { globalThis.z = add(i, obj.y) } } class K { static m() { return `a${1 + 2}b` } }; export { add, K };';
  const r = await minify(code, {
    compress: { passes: 2, global_defs: { DEBUG: false } },
    mangle: true,
    module: true,
    sourceMap: { filename: 'o.js' },
  });
  console.log(r.code);
  console.log(r.map);
  try {
    await minify('let x = ;');
  } catch (e) {
    console.log(e.message, e.line, e.col);
  }
})();
