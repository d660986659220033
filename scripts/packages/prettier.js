import { format } from 'prettier/standalone';
import babel from 'prettier/plugins/babel';
import estree from 'prettier/plugins/estree';
import postcss from 'prettier/plugins/postcss';
import markdown from 'prettier/plugins/markdown';
import yaml from 'prettier/plugins/yaml';
import html from 'prettier/plugins/html';
import ts from 'prettier/plugins/typescript';
(async () => {
  const plugins = [babel, estree, postcss, markdown, yaml, html, ts];
  const samples = {
    babel:
      'const a={b:1,c:[1,2,3].map(x=>x*2).filter(Boolean).reduce((a,b)=>a+b),async *d(){yield* await e?.f??g}};if(a)b();else{c()}\nexport default class extends A{#p=1;static{}}// c',
    css: 'a{color:red;background:url(x)}@media (max-width:1px){b>c{margin:0 1px}}',
    markdown: '*  a\n*  b\n\n|a|b|\n|-|-|\n|1|222|',
    yaml: 'a:   1\nb: [ 1,2 ]',
    html: '<div><p>x</p><script>let a  =1</script></div>',
    typescript:
      'interface A<T extends string>{a?:T;b():void};enum E{A=1,B};function f<T>(this:A<any>,x:T):x is T{return x as unknown as T}',
  };
  for (const [parser, text] of Object.entries(samples)) console.log(await format(text, { parser, plugins }));
  try {
    await format('let = 1 +', { parser: 'babel', plugins });
  } catch (e) {
    console.log(e.message);
  }
})();
