import JSZip from 'jszip';
(async () => {
  const z = new JSZip();
  z.file('a.txt', 'hello '.repeat(100), { date: new Date(Date.UTC(2020, 0, 2)) });
  z.folder('d', {}).file('b', new Uint8Array([1, 2]), { date: new Date(Date.UTC(2020, 0, 2)) });
  const u = await z.generateAsync({ type: 'uint8array', compression: 'DEFLATE' });
  const y = await JSZip.loadAsync(u);
  console.log(u.length > 100, Object.keys(y.files), (await y.file('a.txt').async('string')).length);
})().catch((e) => console.log('FAILED', e.message));
