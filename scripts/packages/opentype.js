import opentype from 'opentype.js';
const p = new opentype.Path();
p.moveTo(0, 0);
p.lineTo(100, 0);
p.curveTo(1, 2, 3, 4, 5, 6);
p.close();
const g = new opentype.Glyph({ name: 'A', unicode: 65, advanceWidth: 650, path: p });
const nd = new opentype.Glyph({ name: '.notdef', unicode: 0, advanceWidth: 650, path: new opentype.Path() });
const f = new opentype.Font({
  familyName: 'T',
  styleName: 'M',
  unitsPerEm: 1000,
  ascender: 800,
  descender: -200,
  glyphs: [nd, g],
  createdTimestamp: 1,
});
const b = f.toArrayBuffer();
console.log(b.byteLength);
const h = opentype.parse(b);
console.log(h.names.fontFamily, h.glyphs.length, h.getPath('A', 0, 0, 72).toPathData(2));
