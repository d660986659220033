import { z } from 'zod';
const S = z
  .object({
    name: z.string().min(2).max(5),
    age: z.number().int().positive().optional(),
    tags: z.array(z.enum(['a', 'b'])).default([]),
    at: z.string().datetime(),
    u: z.union([z.string(), z.number()]),
    d: z.discriminatedUnion('t', [z.object({ t: z.literal('x'), v: z.number() }), z.object({ t: z.literal('y') })]),
  })
  .strict();
console.log(S.parse({ name: 'abc', at: '2020-01-01T00:00:00Z', u: 1, d: { t: 'x', v: 2 } }));
const r = S.safeParse({ name: 'a', age: -1.5, tags: ['c'], at: 'x', u: null, d: { t: 'z' }, extra: 1 });
console.log(r.success, JSON.stringify(r.error.issues, null, 1));
console.log(
  z.string().email().url().safeParse('x').error.format(),
  z.coerce
    .number()
    .transform((n) => n * 2)
    .refine((n) => n < 10, 'big')
    .safeParse('7').error?.issues,
  z
    .record(
      z.string(),
      z.lazy(() => z.number()),
    )
    .parse({ a: 1 }),
  z.tuple([z.string(), z.number()]).rest(z.boolean()).parse(['a', 1, true]),
);
