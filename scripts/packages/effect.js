import { Effect, pipe, Option, Schedule, Chunk, HashMap } from 'effect';
const p = Effect.gen(function* () {
  const a = yield* Effect.succeed(1);
  const b = yield* Effect.promise(() => Promise.resolve(2));
  const c = yield* Effect.exit(Effect.fail('x'));
  return [a, b, c._tag];
});
Effect.runPromise(p).then((x) => console.log(x));
console.log(
  Effect.runSync(Effect.all([Effect.succeed(1), Effect.sync(() => 2)])),
  Option.some(3).pipe(Option.map((x) => x + 1)),
  Chunk.toReadonlyArray(Chunk.map(Chunk.make(1, 2), (x) => x * 2)),
  HashMap.size(HashMap.make(['a', 1])),
);
Effect.runPromiseExit(Effect.die('boom')).then((e) => console.log(e._tag));
