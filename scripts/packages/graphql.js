import { graphql, buildSchema, parse, print, validate, introspectionFromSchema, printSchema } from 'graphql';
(async () => {
  const s = buildSchema('type Query { hello(n: Int = 2): String! users: [User] } type User { id: ID! name: String } enum E { A B }');
  console.log(
    JSON.stringify(
      await graphql({
        schema: s,
        source: '{ hello(n: 3) users { id name } bad: __typename }',
        rootValue: { hello: ({ n }) => 'x'.repeat(n), users: async () => [{ id: 1, name: 'a' }, { id: 2 }] },
      }),
    ),
  );
  console.log(
    print(parse('query Q($a:Int){ f(a:$a) @include(if:true) { ...X } } fragment X on Y { z }')),
    validate(s, parse('{ nope }')).map((e) => e.message),
    printSchema(s).length,
    JSON.stringify(introspectionFromSchema(s)).length,
  );
})().catch((e) => console.log('FAILED', e.message));
