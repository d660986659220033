import CoffeeScript from 'coffeescript/lib/coffeescript-browser-compiler-modern/coffeescript.js';
console.log(
  (CoffeeScript.default ?? CoffeeScript).compile(
    'square = (x) -> x * x\nclass A extends B\n  constructor: (@n = 1) -> super()\n  m: => "#{@n} y"\nlist = (i ** 2 for i in [1..5] when i % 2)\n{a, b: [c, ...d]} = e ? {}\nf = -> yield from g()\nswitch x\n  when 1 then y\n  else z unless w',
    { bare: true },
  ),
);
