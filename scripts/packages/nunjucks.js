import nunjucks from 'nunjucks/browser/nunjucks.js';
const env = new nunjucks.Environment(null, { autoescape: true });
env.addFilter('twice', (s) => s + s);
console.log(
  env.renderString(
    '{% macro f(x, y=2) %}{{ x }}-{{ y }}{% endmacro %}{% for i in items %}{{ loop.index }}:{{ i | upper | twice }}{% if not loop.last %},{% endif %}{% else %}none{% endfor %} {{ f(1) }} {% set q = "<b>" %}{{ q }}{{ q | safe }} {{ [3,1,2] | sort | join("/") }} {{ {a: 1} | dump }} {{ 7 // 2 }} {{ 2 ** 5 }} {{ "x" if false else "y" }}',
    { items: ['a', 'b'] },
  ),
);
try {
  env.renderString('{% if %}');
} catch (e) {
  console.log(e.message);
}
