import * as d3 from 'd3-array';
import { scaleLinear, scaleTime, scaleLog, scaleOrdinal } from 'd3-scale';
import { format } from 'd3-format';
import { Matrix, SVD, inverse, EVD } from 'ml-matrix';
import * as ss from 'simple-statistics';
import seedrandom from 'seedrandom';
console.log(
  d3
    .bin()([1, 2, 3, 10, 11, 20])
    .map((b) => b.length),
  d3.rollup(
    [
      { k: 'a', v: 1 },
      { k: 'b', v: 2 },
      { k: 'a', v: 3 },
    ],
    (v) => d3.sum(v, (d) => d.v),
    (d) => d.k,
  ),
  d3.quantile([1, 2, 3, 4], 0.3),
  d3.ticks(0, 1, 5),
  scaleLinear([0, 10], ['#f00', '#00f'])(3),
  scaleLog([1, 1000], [0, 9])(10),
  scaleLinear().domain([0.2, 9.7]).nice().ticks(4),
  format('$,.2f')(12345.678),
  format('.3s')(0.000042),
  format('+.1%')(0.123),
);
const m = new Matrix([
  [4, 1, 2],
  [1, 3, 0],
  [2, 0, 5],
]);
console.log(
  m.mmul(inverse(m)).round().to2DArray(),
  new EVD(m).realEigenvalues.map((x) => x.toFixed(9)),
  new SVD(m).rank,
  m,
);
console.log(
  ss.linearRegression([
    [0, 0],
    [1, 2],
    [2, 3],
  ]),
  ss.standardDeviation([1, 2, 3, 4]),
  ss.ckmeans([1, 2, 10, 11, 20], 3),
  ss.tTest([1, 2, 3], 2),
);
const r = seedrandom('x');
console.log(r(), r.int32(), r.quick());
