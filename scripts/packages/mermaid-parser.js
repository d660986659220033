import { parse } from '@mermaid-js/parser';
parse('pie', 'pie showData\n title T\n "A": 10\n "B": 20\n').then(
  (r) =>
    console.log(
      r.$type,
      r.sections.map((s) => [s.label, s.value]),
    ),
  (e) => console.log('E', e.message),
);
