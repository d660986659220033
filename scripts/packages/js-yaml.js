import * as yaml from 'js-yaml';
const doc = yaml.load(
  'a: 1\nb: [x, y, {z: 2.5}]\nc: &anchor\n  d: 2001-12-14t21:59:43.10-05:00\n  e: x\n  n: ~\nf: *anchor\ng: |\n  line\n  two\nh: >-\n  fold\n  ed\ni: 0o17\nj: .inf\nk: {p, q}\n',
);
console.log(doc);
console.log(
  yaml.dump({
    a: [1, 'two', null, true, { b: 'multi\nline', c: '#x', d: '' }],
    e: new Date(0),
    f: 'yes',
    g: -0.5e-10,
    nest: { deep: { deeper: [], o: {} } },
  }),
);
try {
  yaml.load('a: b: c');
} catch (e) {
  console.log(e.name, e.message);
}
console.log(yaml.loadAll('--- 1\n--- [2]\n...\n--- {x: 3}'));
