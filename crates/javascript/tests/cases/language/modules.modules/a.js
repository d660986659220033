import { b } from './b.js';
export let a = 'a with ' + b;
export function setA(x) { a = x; }
