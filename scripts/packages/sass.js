// What a browser has, as far as the package looks for it.
globalThis.window = globalThis.self = globalThis;
globalThis.location = { href: 'http://x/', protocol: 'http:', host: 'x', pathname: '/' };
const element = () => ({
  style: {},
  setAttribute() {},
  getAttribute: () => null,
  appendChild() {},
  childNodes: [],
  getElementsByTagName: () => [],
  addEventListener() {},
  insertBefore() {},
});
globalThis.document = {
  currentScript: null,
  scripts: [],
  createElement: element,
  createTextNode: element,
  getElementsByTagName: () => [],
  querySelectorAll: () => [],
  querySelector: () => null,
  getElementById: () => null,
  head: element(),
  body: element(),
  documentElement: element(),
  addEventListener() {},
};
globalThis.addEventListener = () => {};
import('sass').then((sass) => {
  const r = sass.compileString(
    '$c: #336699; @mixin m($x){width:$x*2} .a{ .b &{color:lighten($c,10%)} @include m(4px); &:hover{color:darken($c,5%)} @each $n in a,b,c{ .#{$n}{content:"#{$n}"} } }',
  );
  console.log(r.css);
});
