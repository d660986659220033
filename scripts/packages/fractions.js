import Fraction from 'fraction.js';
import bigInt from 'big-integer';
import JSBI from 'jsbi';
import D from 'decimal.js-light';
import Complex from 'complex.js';
import numeral from 'numeral';
import accounting from 'accounting';
console.log(
  new Fraction('1.(3)').toString(),
  new Fraction(1, 3).add(1, 6).toFraction(),
  bigInt('123456789012345678901234567890').pow(5).toString(),
  bigInt(97).modPow(1000, 1009).toString(),
  JSBI.exponentiate(JSBI.BigInt(3), JSBI.BigInt(100)).toString(),
  new D(2).sqrt().toString(),
);
console.log(
  new Complex(1, 2).mul(new Complex('3-i')).toString(),
  new Complex(1, 1).sqrt().toString(),
  numeral(1234567.891).format('0,0.00'),
  numeral(0.256).format('0.0%'),
  numeral(3e9).format('0.0b'),
  accounting.formatMoney(4999.99, '€', 2, '.', ','),
);
