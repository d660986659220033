// Random calls of the built-in library, printed: numbers, texts, lists, JSON, dates, operators. node and a cell must print the same.
const S = String.prototype,
  A = Array.prototype,
  N = Number.prototype;
const smeth = [
  'at',
  'charAt',
  'charCodeAt',
  'codePointAt',
  'concat',
  'endsWith',
  'includes',
  'indexOf',
  'lastIndexOf',
  'normalize',
  'padEnd',
  'padStart',
  'repeat',
  'replace',
  'replaceAll',
  'search',
  'slice',
  'split',
  'startsWith',
  'substring',
  'substr',
  'toLowerCase',
  'toUpperCase',
  'trim',
  'trimEnd',
  'trimStart',
  'isWellFormed',
  'toWellFormed',
  'match',
  'anchor',
];
const ameth = [
  'at',
  'concat',
  'copyWithin',
  'entries',
  'fill',
  'flat',
  'includes',
  'indexOf',
  'join',
  'keys',
  'lastIndexOf',
  'pop',
  'push',
  'reverse',
  'shift',
  'slice',
  'sort',
  'splice',
  'toReversed',
  'toSorted',
  'toSpliced',
  'unshift',
  'values',
  'with',
  'toString',
];
const arg = () => pick([num, num, str, () => below(8) - 3, val])();
for (let i = 0; i < COUNT; i++) {
  switch (below(16)) {
    case 0: {
      const x = num();
      const r = 2 + below(35);
      show('radix', () => x.toString(r));
      show('str', () => String(x));
      break;
    }
    case 1: {
      const x = num(),
        d = below(25);
      show('fixed', () => x.toFixed(d));
      break;
    }
    case 2: {
      const x = num(),
        d = below(25);
      show('exp', () => pick([x.toExponential(d), x.toExponential()]));
      break;
    }
    case 3: {
      const x = num(),
        d = 1 + below(25);
      show('prec', () => x.toPrecision(d));
      break;
    }
    case 4: {
      const s = str();
      show('parse', () => [parseFloat(s), parseInt(s), parseInt(s.slice(0, 9), below(38)), Number(s), +s]);
      break;
    }
    case 5:
    case 6:
    case 7: {
      const m = pick(smeth),
        s = str(),
        a = Array.from({ length: below(4) }, arg);
      if (m === 'repeat' || m.startsWith('pad')) a[0] = below(20);
      show(m, () => S[m].apply(s, a));
      break;
    }
    case 8:
    case 9: {
      const m = pick(ameth),
        s = val(),
        l = Array.isArray(s) ? s : Array.from({ length: below(6) }, val),
        a = Array.from({ length: below(4) }, arg);
      if (m === 'sort' || m === 'toSorted') a.length = 0;
      show(m, () => [A[m].apply(l, a), l]);
      break;
    }
    case 10: {
      const v = val(),
        sp = pick([undefined, 2, '--', 20]);
      show('json', () => JSON.stringify(v, pick([null, (k, v) => (typeof v === 'bigint' ? 'big' : v)]), sp));
      break;
    }
    case 11:
    case 12: {
      const v = val();
      show('inspect', () => v);
      break;
    }
    case 13: {
      const d = new Date(below(2) ? num() * 1e6 : (below(8e9) - 4e9) * 1000 + below(1000));
      show('date', () => [
        d.getTime(),
        d.toISOString(),
        d.toString(),
        d.toUTCString(),
        d.toDateString(),
        d.getDay(),
        d.toJSON(),
        new Date(d).setMonth(below(30) - 9, below(40)),
      ]);
      break;
    }
    case 14: {
      const s = str();
      show('uri', () => [encodeURIComponent(s), escape(s), decodeURIComponent(pick([s, encodeURIComponent(s)])), unescape(s)]);
      break;
    }
    default: {
      const x = val(),
        y = val();
      show('op', () => {
        const o = pick(['+', '-', '*', '<', '==', '===', '>>>', '&', '**', '%', '/']);
        switch (o) {
          case '+':
            return x + y;
          case '-':
            return x - y;
          case '*':
            return x * y;
          case '<':
            return x < y;
          case '==':
            return x == y;
          case '===':
            return x === y;
          case '>>>':
            return x >>> y;
          case '&':
            return x & y;
          case '**':
            return typeof x === 'bigint' ? 0 : Number.isInteger(Number(y)) && Math.abs(Number(y)) < 4 ? x ** y : 1;
          case '%':
            return x % y;
          default:
            return x / y;
        }
      });
    }
  }
}
