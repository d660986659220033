import { WaveFile } from 'wavefile';
const w = new WaveFile();
w.fromScratch(
  1,
  8000,
  '16',
  Array.from({ length: 100 }, (_, i) => Math.round(Math.sin(i) * 1000)),
);
console.log(Array.from(w.toBuffer()).slice(0, 60).join());
w.toSampleRate(16000);
w.toMuLaw();
console.log(w.data.samples.length);
import { PNG } from 'pngjs/browser.js';
const p = new PNG({ width: 3, height: 2 });
p.data.fill(77);
const buf = PNG.sync.write(p);
console.log(Array.from(buf).join());
console.log(PNG.sync.read(buf).data.length);
