import * as vega from 'vega';
import * as vl from 'vega-lite';
const spec = {
  data: {
    values: [
      { a: 'A', b: 28 },
      { a: 'B', b: 55 },
      { a: 'C', b: 43 },
    ],
  },
  mark: 'bar',
  encoding: { x: { field: 'a', type: 'nominal' }, y: { field: 'b', type: 'quantitative', aggregate: 'mean' } },
};
const c = vl.compile(spec).spec;
console.log(JSON.stringify(c));
new vega.View(vega.parse(c), { renderer: 'none' }).toSVG().then(
  (s) => console.log(s.length, s.slice(0, 300)),
  (e) => console.log('E', e.message),
);
