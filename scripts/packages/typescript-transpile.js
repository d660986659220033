import ts from 'typescript';
const source =
  'enum Color { Red, Green = "g".length } namespace N { export const a = 1 } @dec class A<T> extends B { #x = 1; constructor(private readonly p: T, public q?: string) { super(); } async *m() { for await (const x of this.y) yield x! } } export const f = <T,>(a: T, { b, ...c }: any = {}) => a?.b ?? `${c}` satisfies string; import type { X } from "x"; import { Y } from "y"; let z: Y;';
for (const target of [ts.ScriptTarget.ES5, ts.ScriptTarget.ES2022])
  console.log(
    ts.transpileModule(source, {
      compilerOptions: { target, module: ts.ModuleKind.CommonJS, experimentalDecorators: true, downlevelIteration: true },
      reportDiagnostics: true,
    }).outputText,
  );
const file = ts.createSourceFile('a.ts', source, ts.ScriptTarget.Latest, true);
const kinds = {};
const walk = (n) => {
  const k = ts.SyntaxKind[n.kind];
  kinds[k] = (kinds[k] ?? 0) + 1;
  ts.forEachChild(n, walk);
};
walk(file);
console.log(kinds);
