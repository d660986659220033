// Numbers as en-US writes them.
for (const n of [0, -0, 1, -1, 999, 1000, 1234567.891, 1234.5678, 0.0005, 1.0005, -1234.5, 1e21, 123456789012345680000, NaN, Infinity, -Infinity, 1e-7, 0.1 + 0.2, 999.9996])
  console.log(n, n.toLocaleString(), n.toLocaleString('en-US', { minimumFractionDigits: 2 }), n.toLocaleString('en-US', { maximumFractionDigits: 0 }), n.toLocaleString('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 2 }));
console.log((1234.5).toLocaleString('en-US', { style: 'currency', currency: 'USD' }), (-0.256).toLocaleString('en-US', { style: 'percent' }), (5).toLocaleString('en-US', { style: 'currency', currency: 'JPY' }));
console.log(1234567890123456789012n.toLocaleString(), (-1000n).toLocaleString(), [1234.5, 5].toLocaleString(), Number.prototype.toLocaleString.length);
