import { JSONPath } from 'jsonpath-plus';
import { Parser } from 'expr-eval';
import jl from 'json-logic-js';
import solver from 'javascript-lp-solver';
console.log(
  JSONPath({ path: '$..b[?(@.c>1)].c', json: { a: { b: [{ c: 1 }, { c: 2 }, { c: 3 }] } } }),
  Parser.evaluate('2 ^ x + sin(0) * max(1, 2)', { x: 3 }),
  jl.apply({ and: [{ '>': [{ var: 'x' }, 1] }, { in: ['a', 'abc'] }] }, { x: 2 }),
);
console.log(
  solver.Solve({
    optimize: 'profit',
    opType: 'max',
    constraints: { wood: { max: 300 }, labor: { max: 110 } },
    variables: { table: { wood: 30, labor: 5, profit: 1200 }, dresser: { wood: 20, labor: 10, profit: 1600 } },
    ints: { table: 1, dresser: 1 },
  }),
);
