import * as c from 'css-tree';
const a = c.parse('@media (max-width:3px){a>b~c:not(.x,#y)::before{color:rgb(1 2 3/50%);width:calc(1px + 2*3em)}}');
console.log(c.generate(a));
let n = 0;
c.walk(a, (x) => {
  n++;
});
console.log(
  n,
  c.lexer.matchProperty('border', c.parse('1px solid red', { context: 'value' })).error,
  JSON.stringify(c.toPlainObject(a)).length,
  c.lexer.matchProperty('color', 'zork').error?.message,
);
