import toml from 'toml';
import ini from 'ini';
import JSON5 from 'json5';
console.log(toml.parse('title = "T"\n[owner]\ndob = 1979-05-27T07:32:00Z\n[[x]]\na = [1, 2]\n[[x]]\nb = 1.5e3\n'));
console.log(ini.parse('a=1\n[s]\nb[]=x\nb[]=y\n[s.t]\nc="q;"\n; comment'), ini.stringify({ x: { y: { z: 1 } }, l: ['a', 'b'] }));
console.log(
  JSON5.parse("{a: 'x', b: [1, .5, +Infinity, 0xF,], /* c */ d: '\\\nz', 'e-f': null}"),
  JSON5.stringify({ a: [NaN, "it's"], 'b-c': 1 }, null, 2),
);
try {
  JSON5.parse('{a: }');
} catch (e) {
  console.log(e.name, e.message, e.lineNumber, e.columnNumber);
}
