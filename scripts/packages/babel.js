import * as Babel from '@babel/standalone';
const out = Babel.transform(
  'class A extends B { #p = 1; static s = 2; async *gen() { for await (const x of y) yield x ?? 1; } get v() { return this.#p?.q } } const f = ({ a, ...rest }, [b = 1] = []) => `t${a}${{...rest}.c}`; let j = <div id="x">{f(1)}</div>; label: for (const k of new Set([1, 2])) { continue label }',
  { presets: ['env', 'react'], targets: 'ie 11', sourceType: 'script' },
);
console.log(out.code);
console.log(
  Babel.transform(
    'enum E { A, B = "x" } interface I { a: number } abstract class C<T> { constructor(private x: T) {} } let v = <any>w as const;',
    { presets: ['typescript'], filename: 'a.ts' },
  ).code,
);
try {
  Babel.transform('let a = ;', {});
} catch (e) {
  console.log(e.message);
}
