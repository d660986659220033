import peggy from 'peggy';
const grammar = `
start = additive
additive = left:multiplicative _ op:[+-] _ right:additive { return op === '+' ? left + right : left - right } / multiplicative
multiplicative = left:primary _ '*' _ right:multiplicative { return left * right } / primary
primary = integer / '(' _ a:additive _ ')' { return a }
integer "integer" = d:$[0-9]+ { return parseInt(d, 10) }
_ "space" = [ \\t]*`;
const parser = peggy.generate(grammar);
console.log(parser.parse('2 * (3 + 4) - 5 * 6'));
try {
  parser.parse('2 * * 3');
} catch (e) {
  console.log(e.name, e.message, e.location.start);
}
const source = peggy.generate(grammar, { output: 'source' });
console.log(source.length, source.slice(0, 300));
