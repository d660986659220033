// Objects that say themselves how they are shown.
const custom = Symbol.for('nodejs.util.inspect.custom');
class Money {
  constructor(n) { this.n = n }
  [custom](depth, options, inspect) { return `Money<${inspect(this.n, options)}> ${depth} ${typeof options.stylize}` }
}
console.log(new Money(5), [new Money('x')], { deep: { deeper: { deepest: new Money(1) } } });
console.log({ a: { [custom]() { return { shown: [1, 2, { three: new Money(3) }] } } } });
console.log({ lines: { [custom]: () => 'one\ntwo' }, self: { [custom]() { return this }, x: 1 } });
console.log(Money.prototype, { [custom]: 5 }, new Map([[new Money(1), 2]]));
console.log('%s|%o|%O', new Money(2), new Money(3), new Money(4));
console.log({ [custom]() { return 17 } }, { [custom]() { return undefined } }, { [custom]() { return null } });
try { console.log({ [custom]() { throw new TypeError('not shown') } }) } catch (e) { console.log(e.message) }
