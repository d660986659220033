// Columns that texts take, and what `%s` and `%j` make of less usual values.
console.log(['a\ufeff', 'b\u0300', 'कि', '\u05d0\u05b0', 'ｆｕｌｌ', '한', '\u1161', '😀', '\u00ad', '\u200d', '\u2060x', 'ok', 'end', 'more', 'of', 'it']);
console.table([{ n: '日本', w: 'नमस्ते' }, { n: '\ufeffx', w: 'é' }]);
console.log('%s|%s|%s', new Uint8Array([1, 2]), [1, 2], new (class extends Float32Array {})(2));
const circle = {}; circle.self = circle;
console.log('%j', circle);
try { console.log('%j', { n: 1n }); } catch (e) { console.log(e.name); }
