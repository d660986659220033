import MarkdownIt from 'markdown-it';
const md = new MarkdownIt({ html: true, linkify: true, typographer: true });
console.log(
  md.render(
    '# Hello\n\n"quotes" -- and (c) www.example.com\n\n* a\n* b\n\n    code\n\n| x | y |\n| - | - |\n| 1 | **2** |\n\n```\nfence\n```\n[ref]: http://x.y\n\n[ref] <span>x</span>',
  ),
);
console.log(md.parseInline('a *b* `c`', {})[0].children.map((t) => t.type));
