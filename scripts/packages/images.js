import UPNG from 'upng-js';
import qr from 'qrcode-generator';
import jpeg from 'jpeg-js';
import { GIFEncoder, quantize, applyPalette } from 'gifenc';
const q = qr(0, 'M');
q.addData('hello oubliette');
q.make();
console.log(q.createASCII());
const w = 16,
  px = new Uint8Array(w * w * 4).map((_, i) => (i * 37) & 255);
const png = UPNG.encode([px.buffer], w, w, 0);
const back = UPNG.decode(png);
console.log(png.byteLength, back.width, new Uint8Array(UPNG.toRGBA8(back)[0]).slice(0, 8));
const gif = GIFEncoder();
const pal = quantize(px, 16);
gif.writeFrame(applyPalette(px, pal), w, w, { palette: pal });
gif.finish();
console.log(gif.bytes().length);
