import hljs from 'highlight.js/lib/core';
import js from 'highlight.js/lib/languages/javascript';
import py from 'highlight.js/lib/languages/python';
import xml from 'highlight.js/lib/languages/xml';
import rust from 'highlight.js/lib/languages/rust';
import Prism from 'prismjs';
for (const [n, l] of Object.entries({ js, py, xml, rust })) hljs.registerLanguage(n, l);
console.log(hljs.highlight('const x = async (a) => { return `t${a}` /* c */ + /re/g.test("s") }', { language: 'js' }).value);
console.log(hljs.highlight('@dec\ndef f(x: int) -> str:\n    """doc"""\n    return f"{x!r}"', { language: 'py' }).value);
console.log(
  hljs.highlightAuto('fn main() { let mut v: Vec<u8> = vec![1]; }').language,
  hljs.highlight("impl<'a> X for Y<'a> { fn f(&self) -> u8 { 0x1f_u8 } }", { language: 'rust' }).value,
);
console.log(
  Prism.highlight('var a = `x${1}`; <b>', Prism.languages.javascript, 'javascript'),
  Prism.highlight('<a href="x">y</a>', Prism.languages.markup, 'markup'),
);
