import * as X from 'xlsx';
const ws = X.utils.aoa_to_sheet([
  ['a', 'b'],
  [1, 2.5],
  ['x', true],
]);
ws.C2 = { t: 'n', f: 'A2+B2', v: 3.5 };
const wb = X.utils.book_new();
X.utils.book_append_sheet(wb, ws, 'S');
const d = X.write(wb, { type: 'array', bookType: 'xlsx', Props: { CreatedDate: new Date(0) } });
const r = X.read(d, { type: 'array' });
console.log(r.SheetNames, X.utils.sheet_to_json(r.Sheets.S), X.utils.sheet_to_csv(r.Sheets.S));
console.log(X.SSF.format('#,##0.00', 1234567.891), X.SSF.format('yyyy-mm-dd', 43831));
