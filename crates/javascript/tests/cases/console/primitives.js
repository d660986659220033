console.log(1, -0, 0, 1.5, NaN, -Infinity, 1e21, 123456789012345678901234567890n, -5n);
console.log('plain', "it's", 'a\nb', '');
console.log(['plain', "it's", 'say "hi"', `it's "both"`, 'it\'s "all" `three`', 'a\nb\t\\', '\x00\x7f\u00a0', 'é😀', '\ud800']);
console.log(true, null, undefined, Symbol(), Symbol('s'), Symbol.iterator, Symbol('a\nb'));
console.log([true, null, undefined, Symbol('s'), 1n, -0]);
console.log();
console.log('');
console.log(new Number(3), new String('abc'), new Boolean(false), Object(Symbol('x')), Object(1n), Object('a\'b'));
console.log([new Number(-0), Object.assign(new String('ab'), { x: 1 })]);
