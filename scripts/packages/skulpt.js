import 'skulpt/dist/skulpt.min.js';
import 'skulpt/dist/skulpt-stdlib.js';
const Sk = globalThis.Sk;
let out = '';
Sk.configure({
  output: (t) => {
    out += t;
  },
  read: (x) => {
    if (!Sk.builtinFiles?.files[x]) throw 'nf ' + x;
    return Sk.builtinFiles.files[x];
  },
});
const m = Sk.importMainWithBody(
  '<stdin>',
  false,
  `
class A:
    def __init__(self,x): self.x=x
    def __repr__(self): return 'A(%d)'%self.x
print([A(i) for i in range(5)])
def fib(n): return n if n<2 else fib(n-1)+fib(n-2)
print(fib(15), 2**100, 'abc'.upper(), sorted({'b':1,'a':2}.items()))
import math
print(math.sqrt(2))
try:
    1/0
except ZeroDivisionError as e:
    print('err', e)
`,
  true,
);
console.log(out);
