import './shared/browser.js';
import BiwaScheme from 'biwascheme';
const i = new BiwaScheme.Interpreter((e) => console.log('E', e.message));
i.evaluate(
  '(define (f n) (if (< n 2) n (+ (f (- n 1)) (f (- n 2))))) (list (f 15) (map (lambda (x) (* x x)) \'(1 2 3)) (call/cc (lambda (k) (+ 1 (k 42)))) (string-append "a" "b"))',
  (r) => console.log(BiwaScheme.to_write(r)),
);
