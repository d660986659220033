import { zipSync, unzipSync, gzipSync, gunzipSync, deflateSync, inflateSync, strToU8, strFromU8, zlibSync } from 'fflate';
const data = strToU8('abc'.repeat(5000) + Array.from({ length: 5000 }, (_, i) => String.fromCharCode(32 + ((i * i) % 90))).join(''));
const z = deflateSync(data, { level: 9 });
let h = 0;
for (const b of z) h = (h * 31 + b) | 0;
console.log(z.length, h, strFromU8(inflateSync(z)) === strFromU8(data));
const zip = zipSync({ 'a.txt': strToU8('A'), dir: { 'b.bin': data } }, { mtime: new Date('2020-01-01') });
console.log(
  zip.length,
  Object.entries(unzipSync(zip)).map(([k, v]) => k + v.length),
  gunzipSync(gzipSync(data, { mtime: 0 })).length,
  zlibSync(strToU8('q')),
);
