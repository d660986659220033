import Decimal from 'decimal.js';
import Big from 'big.js';
import BigNumber from 'bignumber.js';
Decimal.set({ precision: 60 });
console.log(
  new Decimal(2).sqrt().toString(),
  Decimal.exp(1) + '',
  new Decimal('0.1').plus('0.2').toString(),
  Decimal.acos(-1).toString(),
  new Decimal('1e500').ln().toFixed(30),
  new Decimal('123.456').toBinary(),
  new Decimal(255).toHex(),
  Decimal.pow('1.01', 1000).toString(),
);
Big.DP = 40;
console.log(new Big(1).div(3).toString(), new Big('9.99e20').times('1.000000001').toFixed(5), new Big(2).sqrt().toPrecision(30), [
  new Big(3),
]);
console.log(
  new BigNumber('1e+1000').toString().length,
  new BigNumber(2).pow(200).toFormat(),
  new BigNumber('0.1').toFraction(),
  new BigNumber(255).toString(36),
  new BigNumber('123456789.987').toFormat(2),
  new BigNumber(5).modulo(-3).toNumber(),
  new BigNumber(1).div(7).dp(30).toString(),
  new Decimal('1.5'),
  new BigNumber(7.25),
);
