import { Liquid } from 'liquidjs';
const e = new Liquid();
console.log(
  e.parseAndRenderSync(
    '{% for i in (1..3) %}{{ i | times: 2 }},{% endfor %}{{ name | upcase | append: "!" }} {{ list | sort | join: "-" }} {{ "2020-01-02" | date: "%Y/%m/%d" }}',
    { name: 'joe', list: [3, 1, 2] },
  ),
);
try {
  e.parse('{% if %}');
} catch (x) {
  console.log(x.name, x.message);
}
