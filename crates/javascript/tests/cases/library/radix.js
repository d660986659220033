// Digits that the standard leaves open: those of V8.
for (const x of [0.1, 1 / 3, 255.5, -0.75, 1e21, 123456789012345680000, 2 ** 64, 2 ** 53 + 2, 1e-7, 5e-324, 1.7976931348623157e308, 0.999999999999999, 4 / 9])
  console.log(x, [2, 3, 7, 16, 36].map((radix) => x.toString(radix)).join(' '));

console.log(1860436.0981445312.toExponential(), 829.8347778320312.toExponential(), (0).toExponential(), (1000).toExponential(), (-0.00012).toExponential(), 1e300.toExponential(), 5e-324.toExponential());
