import { BSON, ObjectId, Long, Decimal128 } from 'bson';
const o = {
  a: 1,
  b: 'x',
  c: [1.5, null],
  d: new Date(1e12),
  e: Long.fromString('9007199254740993'),
  f: Decimal128.fromString('1.25'),
  g: /a+/i,
};
const b = BSON.serialize(o);
console.log(b.length, BSON.EJSON.stringify(BSON.deserialize(b, { promoteLongs: false })));
console.log(new ObjectId('507f1f77bcf86cd799439011').getTimestamp());
