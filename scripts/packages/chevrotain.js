import { createToken, Lexer, CstParser } from 'chevrotain';
const WS = createToken({ name: 'WS', pattern: /\s+/, group: Lexer.SKIPPED }),
  Num = createToken({ name: 'Num', pattern: /\d+/ }),
  Plus = createToken({ name: 'Plus', pattern: /\+/ }),
  Mul = createToken({ name: 'Mul', pattern: /\*/ }),
  L = createToken({ name: 'L', pattern: /\(/ }),
  R = createToken({ name: 'R', pattern: /\)/ });
const tokens = [WS, Num, Plus, Mul, L, R],
  lexer = new Lexer(tokens);
class Calc extends CstParser {
  constructor() {
    super(tokens);
    const $ = this;
    $.RULE('add', () => {
      $.SUBRULE($.mul, { LABEL: 'lhs' });
      $.MANY(() => {
        $.CONSUME(Plus);
        $.SUBRULE2($.mul, { LABEL: 'rhs' });
      });
    });
    $.RULE('mul', () => {
      $.SUBRULE($.atom);
      $.MANY(() => {
        $.CONSUME(Mul);
        $.SUBRULE2($.atom);
      });
    });
    $.RULE('atom', () =>
      $.OR([
        { ALT: () => $.CONSUME(Num) },
        {
          ALT: () => {
            $.CONSUME(L);
            $.SUBRULE($.add);
            $.CONSUME(R);
          },
        },
      ]),
    );
    this.performSelfAnalysis();
  }
}
const parser = new Calc();
const V = parser.getBaseCstVisitorConstructor();
class I extends V {
  constructor() {
    super();
    this.validateVisitor();
  }
  add(c) {
    return this.visit(c.lhs) + (c.rhs ?? []).reduce((s, n) => s + this.visit(n), 0);
  }
  mul(c) {
    return c.atom.reduce((s, n) => s * this.visit(n), 1);
  }
  atom(c) {
    return c.Num ? +c.Num[0].image : this.visit(c.add);
  }
}
for (const t of ['1 + 2 * (3 + 4)', '2 * * 3']) {
  parser.input = lexer.tokenize(t).tokens;
  const cst = parser.add();
  console.log(
    parser.errors.map((e) => e.message),
    parser.errors.length ? '' : new I().visit(cst),
  );
}
