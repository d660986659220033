import lex from 'pug-lexer';
import parse from 'pug-parser';
import gen from 'pug-code-gen';
import strip from 'pug-strip-comments';
import * as rt from 'pug-runtime';
import wrap from 'pug-runtime/wrap';
const src =
  'doctype html\nhtml\n  head: title= t\n  body#b.c(data-x=1)\n    each i, n in list\n      p(class={odd: n % 2}) #{i} !{"<b>"}\n    //- hidden\n    if t\n      | yes\n    else\n      | no\n    mixin m(a)\n      span&attributes(attributes)= a\n    +m(5).k\n';
const js = gen(parse(strip(lex(src))), { compileDebug: false, pretty: true, inlineRuntimeFunctions: false, templateName: 'template' });
console.log(js);
console.log(wrap(js)({ t: 'T', list: ['x', '<y>'] }));
