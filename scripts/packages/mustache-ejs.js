import Mustache from 'mustache';
import ejs from 'ejs';
console.log(
  Mustache.render(
    '{{#people}}<b>{{name}}</b>{{^last}}, {{/last}}{{/people}}{{{html}}}{{&html}}{{html}}{{! c }}{{> p}}',
    { people: [{ name: 'A' }, { name: 'B', last: true }], html: '<i>' },
    { p: 'partial {{x}}' },
  ),
);
console.log(Mustache.parse('a{{b}}{{#c}}d{{/c}}'));
console.log(
  ejs.render('<% for (const u of users) { %><li><%= u.n %> <%- u.h %></li>\n<% } -%>\n<%# c %><%_ if (x) { _%>yes<%_ } _%>', {
    users: [{ n: '<a>', h: '<b>' }],
    x: 1,
  }),
);
try {
  ejs.render('a\n<%= nope.x %>', {});
} catch (e) {
  console.log(e.message);
}
