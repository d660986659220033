import { create, all } from 'mathjs';
const math = create(all, { number: 'number' });
console.log(
  math.evaluate('sqrt(3^2 + 4^2) * 2 inch to cm'),
  math.format(math.evaluate('det([1, 2; 3, 4])')),
  math.derivative('x^3 * sin(x)', 'x').toString(),
  math.simplify('2x + 3x + (x^2)/x').toString(),
  math.inv([
    [1, 2],
    [3, 4],
  ]),
  math.format(math.evaluate('5 + 3i'), 3),
  math.evaluate('f(x) = x^2; f(5)').toString(),
  math.parse('a * (b + 2)^2').toTex(),
  math.unit('5 km/h').to('m/s').toString(),
  math.bignumber('0.1').plus('0.2').toString(),
  math.fraction(1, 3).add(math.fraction(1, 6)).toString(),
  math.lusolve(
    [
      [2, 1],
      [1, 3],
    ],
    [3, 5],
  ),
  math.eigs([
    [2, 0],
    [0, 3],
  ]).values,
  math.factorial(20),
  math.combinations(10, 3),
  math.std([1, 2, 3, 4]),
  math.evaluate('a = [1:3]; a .* 2').toString(),
  math.gamma(5.5),
  math.erf(0.3).toFixed(12),
);
try {
  math.evaluate('2 +* 3');
} catch (e) {
  console.log(e.name, e.message);
}
