// Dates as people write them, what the console makes of formats and odd values, patterns: random, printed. node and a cell must print the same.
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
const MON = ['Jan', 'February', 'mar', 'APR', 'May', 'June', 'jul', 'Sept', 'Sep', 'October', 'Nov', 'Dec'];
const p2 = (n) => String(n).padStart(2, '0');
function dates() {
  const y = pick([1969, 1970, 2000, 2024, 99, 49, 50, 10000, 1]),
    m = 1 + below(13),
    d = 1 + below(32),
    h = below(26),
    mi = below(61),
    se = below(61),
    ms = below(1000);
  const z = pick(['', 'Z', ' GMT', ' UTC', '+02:00', '-0530', ' +0100', ' EST', ' PDT', ' (comment)', 'z', ' GMT+0200 (CEST)']);
  return pick([
    () => `${String(y).padStart(4, '0')}-${p2(m)}-${p2(d)}`,
    () => `${String(y).padStart(4, '0')}-${p2(m)}-${p2(d)}T${p2(h)}:${p2(mi)}${z}`,
    () => `${String(y).padStart(4, '0')}-${p2(m)}-${p2(d)} ${p2(h)}:${p2(mi)}:${p2(se)}${z}`,
    () => `${String(y).padStart(4, '0')}-${p2(m)}-${p2(d)}T${p2(h)}:${p2(mi)}:${p2(se)}.${ms}${z}`,
    () =>
      `${m}/${d}/${y}${pick(['', ' ' + h + ':' + p2(mi), ' ' + ((h % 12) + 1) + ':' + p2(mi) + pick([' AM', 'pm', ' PM'])])}${z}`,
    () => `${pick(MON)} ${d}, ${y} ${h}:${p2(mi)}:${p2(se)}${z}`,
    () => `${d} ${pick(MON)} ${y}${z}`,
    () => `${pick(['Mon', 'Tuesday,', 'Fri,'])} ${d} ${pick(MON)} ${y} ${p2(h)}:${p2(mi)}:${p2(se)}${z}`,
    () => `${y}`,
    () => `${y}-${m}`,
    () => `${y}/${m}/${d}`,
    () => `${pick(MON)} ${y}`,
    () => `${d}-${pick(MON)}-${y}`,
    () => str(),
    () => `${y}-${m}-${d}`,
    () => `+0${10000 + y}-${p2(m)}-${p2(d)}T00:00Z`,
  ])();
}
const FMT = ['%s', '%d', '%i', '%f', '%j', '%O', '%c', '%%', '%x', 'text ', ' ', '\n'];
class Deep {
  constructor(n) {
    this.n = n;
    this.child = n > 0 ? new Deep(n - 1) : null;
  }
  get total() {
    return 1;
  }
  static make() {}
}
function odd(d = 0) {
  switch (below(d > 2 ? 8 : 15)) {
    case 0:
      return new Deep(below(5));
    case 1:
      return Object.assign(Object.create(null), { a: val() });
    case 2:
      return Object.assign(function named() {}, { x: val() });
    case 3:
      return [odd(d + 1), , odd(d + 1)];
    case 4:
      return new (class extends Array {})(1 + below(3));
    case 5:
      return new (class Foo extends Map {})([[odd(d + 1), 1]]);
    case 6: {
      const o = { a: 1 };
      o.self = o;
      o.list = [o];
      return o;
    }
    case 7:
      return Object.defineProperty(
        { v: val() },
        'hid',
        { value: 1, enumerable: below(2) === 0, get: undefined }.get === undefined
          ? {
              get() {
                return 1;
              },
              enumerable: true,
            }
          : {},
      );
    case 8:
      return new Proxy({ a: val() }, {});
    case 9:
      return { [Symbol('k')]: odd(d + 1), 'a-b': 1, 3: 4, ünï: 5 };
    case 10:
      return Array.from({ length: 90 + below(30) }, (_, i) => i * below(1000));
    case 11:
      return 'x'.repeat(below(200)) + str();
    case 12:
      return [['nested', ['deeper', ['deepest', [odd(d + 1)]]]]];
    case 13:
      return new WeakMap();
    default:
      return Array.from({ length: below(30) }, () => pick([str, num])());
  }
}
for (let i = 0; i < COUNT; i++) {
  switch (below(6)) {
    case 0:
    case 1: {
      const s = dates();
      show('dateparse ' + s, () => new Date(s).getTime());
      break;
    }
    case 2: {
      const f = Array.from({ length: 1 + below(4) }, () => pick(FMT)).join(''),
        a = Array.from({ length: below(4) }, () => pick([val, odd])());
      try {
        console.log(f, ...a);
      } catch (e) {
        console.log('threw');
      }
      break;
    }
    case 3:
    case 4:
      console.log(odd());
      break;
    default: {
      const parts = Array.from(
          { length: 1 + below(4) },
          () =>
            pick([
              'a',
              'b',
              '.',
              '\\d',
              '\\w',
              '[a-c]',
              '[^b]',
              '(a)',
              '(?:b|c)',
              '(x)?',
              '(?<n>a|b)',
              '^',
              '$',
              '\\b',
              '(?=a)',
              '(?!b)',
              '(?<=a)',
              '(?<!b)',
              '\\1',
              '\\s',
              '\\u{61}',
              '\\p{L}',
              'é',
              '😀',
            ]) + pick(['', '', '*', '+', '?', '{2}', '{1,3}', '*?', '+?']),
        ).join(''),
        fl = pick(['', 'g', 'i', 'gi', 'u', 'gu', 's', 'm', 'y', 'd', 'v']);
      const s = pick(['aabbcc', 'abcabc xa', 'ab\ncd 12', 'ééa😀b', '', 'bbbaaa', 'AbCd']);
      show(`re /${parts}/${fl} ${s}`, () => {
        const r = new RegExp(parts, fl);
        return [r.exec(s), s.replace(r, '[$&|$1]'), s.split(r), s.search(r), s.match(r)];
      });
    }
  }
}
