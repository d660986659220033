import { Linter } from 'eslint-linter-browserify';
const l = new Linter();
console.log(
  l
    .verify('var x = 1; if (x == 2) { console.log(y) } ; function f(a, b) { return; }', [
      { rules: { eqeqeq: 2, 'no-undef': 2, 'no-unused-vars': 1, semi: [2, 'always'], 'no-extra-semi': 2, 'prefer-const': 2, 'no-var': 2 } },
    ])
    .map((m) => [m.ruleId, m.line, m.column, m.message]),
);
console.log(l.verifyAndFix('var x = 1', [{ rules: { 'no-var': 2, semi: 2 } }]).output);
