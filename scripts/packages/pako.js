import * as pako from 'pako';
const text = Array.from({ length: 3000 }, (_, i) => `line ${(i * i) % 97} of ${i}`).join('\n');
for (const level of [0, 1, 6, 9]) {
  const z = pako.deflate(text, { level });
  let h = 0;
  for (const b of z) h = (h * 31 + b) | 0;
  console.log(level, z.length, h, pako.inflate(z, { to: 'string' }) === text);
}
const gz = pako.gzip('héllo', { header: { name: 'x', time: 0 } });
console.log(Array.from(gz).join(), pako.ungzip(gz, { to: 'string' }));
try {
  pako.inflate(new Uint8Array([1, 2, 3]));
} catch (e) {
  console.log(String(e));
}
