import * as recast from 'recast';
const ast = recast.parse('// keep\nfunction   add(a,b){\n  return a+b // sum\n}\nvar x   =  1;', {
  parser: require('recast/parsers/acorn'),
});
const b = recast.types.builders;
ast.program.body[0].id.name = 'plus';
ast.program.body.push(b.expressionStatement(b.callExpression(b.identifier('plus'), [b.literal(1), b.literal(2)])));
console.log(recast.print(ast).code);
console.log(recast.prettyPrint(ast, { tabWidth: 2 }).code);
