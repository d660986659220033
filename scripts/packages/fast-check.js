import fc from 'fast-check';
console.log(fc.sample(fc.array(fc.record({ a: fc.integer(), b: fc.string(), c: fc.double() })), { seed: 42, numRuns: 5 }));
const r = fc.check(
  fc.property(fc.array(fc.integer()), (a) => {
    return a.length < 5 || a[0] <= a[4];
  }),
  { seed: 7 },
);
console.log(r.failed, r.counterexample, r.numShrinks);
