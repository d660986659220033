// What a browser has, as far as packages look for it: imported before them.
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
