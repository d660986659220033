// Dates as people write them, what the console makes of formats and odd values, patterns: random, printed. node and a cell must print the same.
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
    // V8 takes a NUL for the end.
    () => str().replaceAll('\0', ''),
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
