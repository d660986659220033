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
const BiwaScheme = require('biwascheme').default ?? require('biwascheme');
const i = new BiwaScheme.Interpreter((e) => console.log('E', e.message));
i.evaluate(
  '(define (f n) (if (< n 2) n (+ (f (- n 1)) (f (- n 2))))) (list (f 15) (map (lambda (x) (* x x)) \'(1 2 3)) (call/cc (lambda (k) (+ 1 (k 42)))) (string-append "a" "b"))',
  (r) => console.log(BiwaScheme.to_write(r)),
);
