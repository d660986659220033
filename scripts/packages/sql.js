import { format } from 'sql-formatter';
import { parse, toSql } from 'pgsql-ast-parser';
import Loki from 'lokijs';
import MiniSearch from 'minisearch';
console.log(format('select a,b from t where x=1 and y in (select z from q) order by a desc', { language: 'postgresql' }));
console.log(toSql.statement(parse('select count(*) c, a.b::int from a join b on a.x=b.y group by 2 having count(*)>1')[0]));
const db = new Loki('x');
const c = db.addCollection('u', { indices: ['age'] });
c.insert([
  { n: 'a', age: 3 },
  { n: 'b', age: 9 },
  { n: 'c', age: 5 },
]);
console.log(
  c
    .chain()
    .find({ age: { $gt: 3 } })
    .simplesort('age')
    .data()
    .map((d) => d.n),
);
const ms = new MiniSearch({ fields: ['t'], storeFields: ['t'] });
ms.addAll([
  { id: 1, t: 'quick brown fox' },
  { id: 2, t: 'lazy dogs quickly' },
]);
console.log(ms.search('quick', { prefix: true, fuzzy: 0.2 }).map((r) => [r.id, r.score.toFixed(6)]));
