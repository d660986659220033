import { compileExpression } from 'filtrex';
console.log(compileExpression('a > 3 and (b in ("x","y") or not c)')({ a: 5, b: 'x', c: 0 }));
import jexl from 'jexl/dist/Jexl.js';
const J = jexl.default ?? jexl;
new J.Jexl().eval('a.b[.x>1].x + 3|up', { a: { b: [{ x: 1 }, { x: 2 }] } }).then(console.log, (e) => console.log('E', e.message));
console.log(new J.Jexl().evalSync('(1+2)*3 == 9 ? "y" : "n"'));
