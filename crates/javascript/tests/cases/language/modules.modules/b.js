import { setA } from './a.js';
export const b = 'b';
export default () => typeof setA;
