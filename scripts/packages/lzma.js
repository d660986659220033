import { LZMA } from 'lzma/src/lzma_worker.js';
const c = LZMA.compress('the quick brown fox '.repeat(50), 1);
console.log(c.length, LZMA.decompress(c).length);
