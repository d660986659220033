import protobuf from 'protobufjs';
import { encode, decode } from '@msgpack/msgpack';
const root = protobuf.parse(
  'syntax="proto3"; message A { string n = 1; repeated int32 x = 2; map<string,double> m = 3; int64 big = 4; }',
).root;
const A = root.lookupType('A');
const b = A.encode(A.create({ n: 'joe', x: [1, -2, 300], m: { k: 1.5 }, big: 123456789012 })).finish();
console.log(Array.from(b).join(' '));
console.log(JSON.stringify(A.toObject(A.decode(b), { longs: String })));
const v = { a: [1, 2.5, 'é', null, true, new Uint8Array([1, 2])], b: { c: -1 }, d: new Date(0) };
const m = encode(v);
console.log(m.length, decode(m));
