// Random values, the same for a seed everywhere, and how a call is shown. Every program of the suite begins with this.
let seed = SEED >>> 0;
function rnd() {
  seed = (seed + 0x6d2b79f5) >>> 0;
  let t = seed;
  t = Math.imul(t ^ (t >>> 15), t | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return (t ^ (t >>> 14)) >>> 0;
}
const below = (n) => rnd() % n,
  pick = (a) => a[below(a.length)];
const f64 = new Float64Array(1),
  u32 = new Uint32Array(f64.buffer);
function num() {
  switch (below(9)) {
    case 0:
      return below(20) - 10;
    case 1:
      return (below(2000000) - 1000000) / pick([1, 10, 100, 1000, 3, 7]);
    case 2:
      u32[0] = rnd();
      u32[1] = rnd();
      return f64[0];
    case 3:
      return pick([
        0,
        -0,
        NaN,
        Infinity,
        -Infinity,
        1e21,
        1e-7,
        123456789012345680000,
        2 ** 53,
        2 ** 31,
        -(2 ** 31),
        4294967295,
        5e-324,
        1.7976931348623157e308,
        0.1 + 0.2,
        1.005,
        1.45,
        8.345,
        0.000001,
        1e-6,
      ]);
    case 4:
      return rnd() * 2 ** (below(200) - 100);
    case 5:
      return below(256);
    case 6:
      return Number((below(1e9) / 1e5).toFixed(below(5)));
    case 7:
      return rnd() - 2 ** 31;
    default:
      return below(3);
  }
}
const WORDS = [
  '',
  'a',
  'ab',
  'abc',
  'Hello',
  'wörld',
  'ß',
  'İ',
  'ǆ',
  '\u{1F600}',
  '\ud800',
  '\udc00x',
  'ﬁ',
  'Ω',
  ' \t\n',
  '\u00a0',
  '\ufeff',
  '0',
  '-1',
  '1e3',
  '0x1F',
  '0b11',
  '1_000',
  '.5',
  '5.',
  '+7',
  'Infinity',
  'null',
  'true',
  '\0',
  '\\',
  '"',
  "'",
  '`',
  '${x}',
  'a,b,c',
  'a\nb',
  'e\u0301',
  '\u0130',
  'ςσ',
  'Σ',
  '%20',
  '%E4%BD',
  '%',
  '你好',
  '2020-02-30',
  '2024-02-29T12:00:00',
  'Tue, 5 Mar 2024 10:00:00 GMT',
  '$&',
  '$1',
  "$'",
  '1,2',
  '__proto__',
  'constructor',
  'length',
];
function str() {
  let s = pick(WORDS);
  while (below(3) === 0) s += pick(WORDS);
  return s;
}
function val(d = 0) {
  switch (below(d > 3 ? 8 : 17)) {
    case 0:
    case 1:
      return num();
    case 2:
    case 3:
      return str();
    case 4:
      return pick([true, false]);
    case 5:
      return null;
    case 6:
      return undefined;
    case 7:
      return BigInt(Math.trunc(rnd() * (below(2) ? 1 : -1))) ** BigInt(below(4));
    case 8:
    case 9:
      return Array.from({ length: below(5) }, () => val(d + 1));
    case 10:
    case 11: {
      const o = {};
      for (let i = below(5); i--;) o[pick([str(), 'a', 'b', 'k' + below(9), String(below(5))])] = val(d + 1);
      return o;
    }
    case 12:
      return new Map(Array.from({ length: below(3) }, () => [val(d + 1), val(d + 1)]));
    case 13:
      return new Set(Array.from({ length: below(3) }, () => val(d + 1)));
    case 14:
      return new (pick([Uint8Array, Int16Array, Float32Array, Float64Array, Uint8ClampedArray, Int32Array]))(
        Array.from({ length: below(4) }, num),
      );
    case 15:
      return pick([
        Symbol('s'),
        Symbol.iterator,
        new Date(below(4e9) * 1000),
        /a+b*/gi,
        function foo() {},
        class Bar {},
        () => 1,
        new Error('boom').message,
        Symbol(),
      ]);
    default: {
      const a = [];
      a[below(6)] = val(d + 1);
      if (below(3) === 0) a.extra = 1;
      return a;
    }
  }
}
let n = 0;
function show(label, f) {
  let r;
  try {
    r = f();
  } catch (e) {
    r = 'throws ' + (e instanceof Error ? e.constructor.name : String(e));
  }
  console.log(n++, label, r);
}
