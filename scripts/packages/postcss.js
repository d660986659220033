import postcss from 'postcss';
const root = postcss.parse('a{color:red;/*c*/}\n@media x{.b>.c::after{content:"}";margin:0 auto !important}}');
root.walkDecls((d) => {
  if (d.prop === 'color') d.value = 'blue';
  d.before({ prop: '-x-' + d.prop, value: d.value });
});
root.append(postcss.rule({ selector: 'z' }));
console.log(root.toString());
console.log(
  postcss([
    {
      postcssPlugin: 'p',
      Rule(r) {
        r.selector = r.selector.toUpperCase();
      },
    },
  ]).process('q, r { s: t }', { from: undefined }).css,
);
try {
  postcss.parse('a { b: c');
} catch (e) {
  console.log(e.name, e.reason, e.line, e.column);
}
