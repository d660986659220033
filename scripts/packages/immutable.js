import { Map, List, Set, OrderedMap, Record, fromJS, Range, Seq, Stack, is } from 'immutable';
let m = Map({ a: 1, b: Map({ c: 2 }) });
console.log(m.setIn(['b', 'd'], List([1, 2])).toJS(), m.toString(), is(m, fromJS({ a: 1, b: { c: 2 } })), m.hashCode());
let l = List(Range(0, 2000));
for (let i = 0; i < 500; i++) l = l.set(i * 3, -i).push(i);
console.log(
  l.size,
  l.reduce((a, b) => a + b),
  l.slice(5, 9).toArray(),
);
console.log(
  Set(['x', 'y']).union(['z', 'x']).toJS(),
  OrderedMap([
    ['z', 1],
    ['a', 2],
  ])
    .map((x) => x * 2)
    .toString(),
  Seq(Range(1, Infinity))
    .filter((n) => n % 7 == 0)
    .map((n) => n * n)
    .take(4)
    .toArray(),
  Stack.of(1, 2, 3).pop().peek(),
);
class P extends Record({ x: 0, y: 0 }) {
  get n() {
    return Math.hypot(this.x, this.y);
  }
}
console.log(new P({ x: 3, y: 4 }).n, new P().merge({ y: 9 }).toJS());
let big = Map().asMutable();
for (let i = 0; i < 5000; i++) big.set('k' + i, i);
console.log(
  big
    .asImmutable()
    .groupBy((v) => v % 3)
    .map((g) => g.size)
    .toJS(),
);
console.log(m, l.take(3), fromJS([{ a: [1] }]));
