import QR from 'qrcode/lib/core/qrcode.js';
const q = QR.create('HELLO oubliette 12345', { errorCorrectionLevel: 'M' });
let s = '';
for (let y = 0; y < q.modules.size; y++) {
  for (let x = 0; x < q.modules.size; x++) s += q.modules.get(y, x) ? '#' : ' ';
  s += '\n';
}
console.log(s);
import jsQR from 'jsqr';
const k = 4,
  n = q.modules.size + 8;
const d = new Uint8ClampedArray(n * k * n * k * 4).fill(255);
for (let y = 0; y < q.modules.size; y++)
  for (let x = 0; x < q.modules.size; x++)
    if (q.modules.get(y, x))
      for (let a = 0; a < k; a++)
        for (let b = 0; b < k; b++) {
          const o = (((y + 4) * k + a) * n * k + (x + 4) * k + b) * 4;
          d[o] = d[o + 1] = d[o + 2] = 0;
        }
console.log(jsQR(d, n * k, n * k)?.data);
import bwip from 'bwip-js/browser';
console.log(bwip.toSVG({ bcid: 'code128', text: 'Hello123' }));
