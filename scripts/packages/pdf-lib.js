import { PDFDocument, StandardFonts, rgb } from 'pdf-lib';
(async () => {
  const d = await PDFDocument.create({ updateMetadata: false });
  const f = await d.embedFont(StandardFonts.Helvetica);
  const pg = d.addPage([200, 100]);
  pg.drawText('Hello', { x: 10, y: 50, size: 20, font: f, color: rgb(1, 0, 0) });
  const b = await d.save({ useObjectStreams: false });
  console.log(b.length, new TextDecoder('latin1').decode(b).slice(0, 300));
  console.log((await PDFDocument.load(b)).getPageCount(), f.widthOfTextAtSize('Hello', 12));
})().catch((e) => console.log('FAILED', e.message));
