import { pipe } from 'fp-ts/function';
import * as O from 'fp-ts/Option';
import * as E from 'fp-ts/Either';
import * as A from 'fp-ts/Array';
import * as TE from 'fp-ts/TaskEither';
import * as Ord from 'fp-ts/Ord';
import * as N from 'fp-ts/number';
console.log(
  pipe(
    [3, 1, 2],
    A.sort(Ord.reverse(N.Ord)),
    A.map((x) => x * 2),
    A.head,
    O.map((x) => x + 1),
    O.getOrElse(() => 0),
  ),
  E.tryCatch(
    () => JSON.parse('{'),
    (e) => e.name,
  ),
  pipe(
    E.right(1),
    E.chain((x) => (x > 2 ? E.right(x) : E.left('small'))),
  ),
  A.traverse(O.Applicative)((x) => (x > 0 ? O.some(x) : O.none))([1, 2]),
);
pipe(
  TE.tryCatch(() => Promise.resolve(5), String),
  TE.map((x) => x + 1),
)().then((x) => console.log(x));
