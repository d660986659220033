import YAML from 'yaml';
console.log(YAML.parse('x: 1\ny:\n  - a\n  - b: 2\n    c: "q\\n"\nz: 0x1F\n? complex key\n: value'));
const doc = YAML.parseDocument('# head\na: 1 # one\nlist: # items\n  - x\n  - y\n');
doc.setIn(['list', 2], { k: [1, 2] });
doc.set('b', 'true');
console.log(String(doc));
console.log(YAML.stringify({ s: 'a: b', n: null, d: [[], {}, [1, [2, [3]]]], long: 'word '.repeat(40) }));
console.log(YAML.parseDocument('a: [1, 2').errors.map((e) => e.message));
