import * as acorn from 'acorn';
const text = `class A extends B { #x = 1; static { this.y = 2 } async *m({a, ...b} = {}, [c, , d] = []) { for await (const q of this.#x) yield* q?.r ?? 3n } }
label: for (let i = 0, j; i < 10; i++) { if (i % 2) continue label; else break } const t = tag\`a\${b}c\`; export default () => ({ get a() { return 1 }, [k]: /re[/]x/gu, });`;
const tree = acorn.parse(text, { ecmaVersion: 2024, sourceType: 'module', locations: true, ranges: true });
console.log(
  JSON.stringify(tree, (k, v) => (typeof v === 'bigint' ? v + 'n' : v)).length,
  tree.body.map((n) => n.type),
);
console.log(tree);
const tokens = [...acorn.tokenizer(text, { ecmaVersion: 2024, sourceType: 'module' })];
console.log(
  tokens.length,
  tokens.slice(0, 12).map((t) => t.type.label + ':' + t.value),
);
for (const bad of ['let = =', 'a b', '({a:1', 'class { }', '"\\u{110000}"', 'for (const x = 1 of y);', 'return', '/(/'])
  try {
    acorn.parse(bad, { ecmaVersion: 2024 });
    console.log('accepted', bad);
  } catch (e) {
    console.log(e.name, e.message, e.pos, e.loc);
  }
