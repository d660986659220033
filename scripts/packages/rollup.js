import { rollup } from 'rollup/dist/es/rollup.browser.js';
const files = {
  main: "import {a} from 'lib'; import * as q from 'lib'; export default ()=>a(q.b)",
  lib: 'export const a=x=>x+1; export const b=2; export const unused=3; class C{static #p=1}',
};
rollup({ input: 'main', plugins: [{ resolveId: (i) => i, load: (i) => files[i] }] })
  .then((b) => b.generate({ format: 'iife', name: 'x' }))
  .then(
    (o) => console.log(o.output[0].code),
    (e) => console.log('E', e.message),
  );
