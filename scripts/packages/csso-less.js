import { minify, syntax } from 'csso';
console.log(
  minify('.a { color: #ff0000; color: rgba(255,0,0,1) } .b { color: #ff0000 } .c{margin:0px 0px 0px 0px}@media all{ .d{ } }').css,
  syntax.lexer.matchProperty('color', 'red').error,
);
