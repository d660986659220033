import * as commonmark from 'commonmark';
import showdown from 'showdown';
const text = '## Head\n\nPara with *em*, __strong__ and `code`.\n\n1) x\n2) y\n\n> q\n\n<div>raw</div>\n\n![i](u "t")\n';
const tree = new commonmark.Parser().parse(text);
console.log(new commonmark.HtmlRenderer({ sourcepos: true }).render(tree));
console.log(new commonmark.XmlRenderer().render(tree));
console.log(new showdown.Converter({ tables: true, tasklists: true }).makeHtml(text + '\n|a|b|\n|-|-|\n|1|2|\n'));
