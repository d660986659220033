import { v1, v3, v5, v4, validate, version, parse, stringify, NIL } from 'uuid';
const rng = new Uint8Array(16).map((_, i) => i * 11);
console.log(
  v5('hello', v5.DNS),
  v3('x', v3.URL),
  v4({ random: rng }),
  v1({ node: [1, 2, 3, 4, 5, 6], clockseq: 0x1234, msecs: 1700000000000, nsecs: 5 }),
  validate('nope'),
  version(v5('a', NIL)),
  parse(NIL),
  stringify(rng.map((x) => x)),
);
