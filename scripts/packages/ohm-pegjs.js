import * as ohm from 'ohm-js';
import peg from 'pegjs';
const g = ohm.grammar('A {\n Exp = Exp "+" Term -- plus\n | Term \n  Term = Term "*" num -- times\n | num\n num = digit+ }');
const s = g.createSemantics().addOperation('v', {
  Exp_plus: (a, _, b) => a.v() + b.v(),
  Term_times: (a, _, b) => a.v() * b.v(),
  num(d) {
    return parseInt(this.sourceString, 10);
  },
});
console.log(s(g.match('1 + 2 * 3 + 4')).v(), g.match('1 +').message);
console.log(peg.generate('s = a:d "+" b:s { return a + b } / d\nd = n:[0-9]+ { return +n.join("") }').parse('1+22+3'));
