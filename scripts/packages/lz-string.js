import LZ from 'lz-string';
const s = 'The quick brown fox \u{1F98A} '.repeat(50);
for (const k of ['compress', 'compressToBase64', 'compressToUTF16', 'compressToEncodedURIComponent', 'compressToUint8Array']) {
  const c = LZ[k](s);
  console.log(
    k,
    c.length,
    LZ['de' + k.replace('To', 'From').replace('compress', 'compress')](c) === s,
    typeof c === 'string' && k.includes('Base') ? c.slice(0, 80) : '',
  );
}
