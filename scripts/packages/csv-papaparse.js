import Papa from 'papaparse';
import { parse } from 'csv-parse/browser/esm/sync';
import { stringify } from 'csv-stringify/browser/esm/sync';
const text = 'name,age,"quote ""d"""\n"Smith, J",42,"multi\nline"\nÆ,,x\n';
console.log(Papa.parse(text, { header: true, dynamicTyping: true }));
console.log(
  Papa.unparse([
    { a: 1, b: 'x,y' },
    { a: '"', b: null },
  ]),
);
console.log(parse(text, { columns: true, relax_quotes: true, cast: true }));
console.log(
  stringify(
    [
      ['a', 'b"c', 1.5],
      [true, null, 'd\ne'],
    ],
    { header: false, quoted_string: true },
  ),
);
try {
  parse('a,"b\nc');
} catch (e) {
  console.log(e.code, e.message);
}
