import * as espree from 'espree';
import * as meriyah from 'meriyah';
import escodegen from 'escodegen';
import { generate } from 'astring';
import estraverse from 'estraverse';
const source =
  'if (a && b || !c) { for (const [k, v] of Object.entries(x)) { y[k] = v ** 2; } } else do { z-- } while (z > 0); var s = `q${1 + 2}`; let o = { a, b() {}, get c() { return 1 }, ...d };';
const tree = espree.parse(source, { ecmaVersion: 2022 });
console.log(escodegen.generate(tree));
console.log(generate(meriyah.parse(source)));
const kinds = new Map();
estraverse.traverse(tree, {
  enter(n) {
    kinds.set(n.type, (kinds.get(n.type) ?? 0) + 1);
  },
});
console.log(kinds);
