import antlr4 from 'antlr4';
console.log(Object.keys(antlr4).length, new antlr4.InputStream('abc').size, antlr4.CharStreams.fromString('xyz').toString());
import beautify from 'js-beautify';
console.log(
  beautify.js('function a(b){if(b){return{c:1,d:[1,2]}}else{for(let i of x)y(i)}}', { indent_size: 2 }),
  beautify.html('<div><p>a</p><script>var a=1</script></div>'),
  beautify.css('a{b:c;d:e}'),
);
