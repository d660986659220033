import { a, setA } from './a.js';
import * as ns from './b.js';
console.log(a, ns.b, ns.default(), Object.keys(ns));
setA(5); console.log(a);
try { ns.b = 1; } catch (e) { console.log(e.name); }
console.log(import.meta.url, (await import('./b.js')) === ns, ns);
export default 1;
