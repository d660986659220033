console.log('%s %s %s %s %s', 'a', 1, -0, 5n, Symbol('x'));
console.log('%s %s %s %s', null, undefined, true, { a: { b: 1 } });
console.log('%s %s', [1, [2, [3]]], class A {});
console.log('%s', { toString() { return 'mine'; } });
class P { toString() { return 'P!'; } }
console.log('%s %s', new P(), new (class Q {})());
console.log('%d %d %d %d %d', 1.5, '42', '0x10', 7n, {});
console.log('%i %i %i %f %f', 1.9, '42px', 'x', '1.5e3z', 2);
console.log('%j %j %j', { a: [1, 'x'] }, 'str', undefined);
console.log('%o', { f: 1, a: [1, 2] });
console.log('%O', { a: { b: { c: { d: 1 } } } });
console.log('%c styled %c', 'color: red', '');
console.log('100%', 1, '%', '50%% off');
console.log('%% %s', 'x'); console.log('%%'); console.log('%%', 1);
console.log('%x %s', 1, 2); console.log('%s'); console.log('%s %s', 1); console.log('%d', 1, 2, 'three', { four: 4 });
console.log('a', 'b', ['c'], 'd'); console.log(1, '%s', 2); console.log('%', '%s'); console.log('%s%', 1);
console.log('%s', Symbol('q'), '%s'); console.log('%d %i %f', Symbol('a'), Symbol('b'), Symbol('c'));
console.log('%s|%s|%s', '', ' ', '\n'); console.log('%s', function named() {}); console.log('%s', () => 1); console.log('%s', new Date(0));
const c = {}; c.c = c; console.log('%j', c);
