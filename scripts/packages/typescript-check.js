import ts from 'typescript';
const lib =
  'interface Array<T> { length: number; [n: number]: T; map<U>(f: (x: T) => U): U[]; push(...x: T[]): number } interface Boolean {} interface CallableFunction {} interface Function {} interface IArguments {} interface NewableFunction {} interface Number { toFixed(n?: number): string } interface Object {} interface RegExp {} interface String { length: number; toUpperCase(): string } type Partial<T> = { [P in keyof T]?: T[P] }; declare const console: { log(...x: any[]): void };';
const main =
  'interface P { name: string; age: number }\nfunction greet<T extends P>(p: T): string { return p.nam + p.age.toFixed(2) }\nconst x: number = "s";\nlet u: string | number = [1, 2].map(n => n * 2)[0];\nif (typeof u === "string") u.toUpperCase(); else u.toUpperCase();\nconst q: Partial<P> = { age: "1" };\ntype R<T> = T extends (infer U)[] ? U : never; const r: R<string[]> = 5;\nclass C { private a = 1 } new C().a;\nconsole.log(greet({ name: "a" }));';
const files = { 'lib.d.ts': lib, 'main.ts': main };
const host = {
  getSourceFile: (n, t) => (files[n] === undefined ? undefined : ts.createSourceFile(n, files[n], t)),
  getDefaultLibFileName: () => 'lib.d.ts',
  writeFile: (n, t) => console.log('--', n, '\n' + t),
  getCurrentDirectory: () => '',
  getCanonicalFileName: (n) => n,
  useCaseSensitiveFileNames: () => true,
  getNewLine: () => '\n',
  fileExists: (n) => n in files,
  readFile: (n) => files[n],
};
const program = ts.createProgram(['main.ts'], { strict: true, target: ts.ScriptTarget.ES2015, declaration: true, types: [] }, host);
for (const d of ts.getPreEmitDiagnostics(program)) {
  const p = d.file?.getLineAndCharacterOfPosition(d.start);
  console.log(p && p.line + 1 + ':' + (p.character + 1), d.code, ts.flattenDiagnosticMessageText(d.messageText, '\n'));
}
program.emit();
