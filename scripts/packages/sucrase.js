import { transform } from 'sucrase';
console.log(
  transform(
    'import a, { b as c } from "d"; export const x: number = a!.y?.z ?? (c as any); enum Q { A = 1, B } class K<T> extends L<T> { private z: string = "1"; constructor(public w: T) { super() } } const e = <A b={1} {...c}>x &amp; <></></A>; export default K;',
    { transforms: ['typescript', 'jsx', 'imports'], filePath: 'x.tsx' },
  ).code,
);
