import nearley from 'nearley';
import moo from 'moo';
import P from 'parsimmon';
import jsonata from 'jsonata';
import jmespath from 'jmespath';
(async () => {
  const lexer = moo.compile({
    ws: { match: /\s+/, lineBreaks: true },
    num: /[0-9]+/,
    op: ['+', '-', '*'],
    kw: { match: /[a-z]+/, type: moo.keywords({ key: ['if'] }) },
  });
  lexer.reset('if x + 12\n* y');
  console.log([...lexer].map((t) => t.type + '@' + t.line + ':' + t.col));
  const G = nearley.Grammar.fromCompiled({
    ParserRules: [
      { name: 'e', symbols: ['e', { literal: '+' }, 'n'], postprocess: ([a, , b]) => a + b },
      { name: 'e', symbols: ['n'], postprocess: ([a]) => a },
      { name: 'n', symbols: [/[0-9]/], postprocess: ([d]) => +d },
    ],
    ParserStart: 'e',
  });
  const p = new nearley.Parser(G);
  p.feed('1+2+3');
  console.log(p.results);
  try {
    p.feed('x');
  } catch (e) {
    console.log(e.message);
  }
  const L = P.createLanguage({
    v: (r) => P.alt(r.l, r.n),
    n: () => P.regexp(/[0-9]+/).map(Number),
    l: (r) => r.v.sepBy(P.string(',')).wrap(P.string('['), P.string(']')),
  });
  console.log(JSON.stringify(L.v.tryParse('[1,[2,3],[]]')), L.v.parse('[1,'));
  console.log(
    jmespath.search(
      {
        a: [
          { b: 1, c: 'x' },
          { b: 2, c: 'y' },
        ],
      },
      'a[?b > `1`].c | [0]',
    ),
    await jsonata('$sum(a.(b * 2)) & " " & $join(a.c, "-")').evaluate({
      a: [
        { b: 1, c: 'x' },
        { b: 2, c: 'y' },
      ],
    }),
    await jsonata('a[b=2].{"k": c}').evaluate({ a: [{ b: 2, c: 'y' }] }),
  );
})();
