import { marked, Lexer } from 'marked';
const text =
  '# Title\n\nA *b* **c** `d` [e](http://f "g") ![h](i)\n\n> quote\n> more\n\n1. one\n2. two\n   - nested\n     * deep\n\n```js\nlet x = 1 < 2;\n```\n\n| a | b |\n|---|:-:|\n| 1 | 2 |\n\n---\n\nline  \nbreak ~~gone~~ <b>html</b> &amp; https://auto.link\n\n- [ ] task\n- [x] done\n';
console.log(marked.parse(text));
console.log(marked.parse(text, { gfm: false, breaks: true }));
console.log(
  Lexer.lex(text)
    .map((t) => t.type)
    .join(),
);
