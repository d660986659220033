import * as esprima from 'esprima';
const source =
  'var answer = 6 * 7; function f(a, b = 2, ...c) { return a + b * c.length } // remark\nconst g = async x => await f(x, ...[1, 2]);';
console.log(JSON.stringify(esprima.parseScript(source, { range: true, loc: true, comment: true }), null, 1).length);
console.log(
  esprima
    .tokenize(source)
    .map((t) => `${t.type}:${t.value}`)
    .join(' '),
);
console.log(esprima.parseModule('import a, {b as c} from "x"; export * from "y"'));
try {
  esprima.parseScript('var 1x = 3');
} catch (e) {
  console.log(e.message, e.lineNumber, e.index);
}
