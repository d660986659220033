import Handlebars from 'handlebars/dist/cjs/handlebars.js';
Handlebars.registerHelper('loud', (s) => s.toUpperCase());
Handlebars.registerPartial('row', '<li>{{@index}} {{loud name}} {{#if ok}}yes{{else}}no{{/if}}</li>');
const template = Handlebars.compile(
  '<ul>{{#each items}}{{> row}}{{else}}none{{/each}}</ul>{{{raw}}} {{esc}} {{#with o}}{{p.q}}{{../title}}{{/with}}{{!-- c --}}{{lookup list 1}}',
);
console.log(
  template({ items: [{ name: 'a', ok: true }, { name: 'b' }], raw: '<b>', esc: '<&">', o: { p: { q: 1 } }, title: 't', list: ['x', 'y'] }),
);
console.log(template({ items: [] }));
try {
  Handlebars.compile('{{#if x}}')({});
} catch (e) {
  console.log(e.message);
}
console.log(Handlebars.precompile('Hello {{name}}').length);
