import { of, interval, merge, combineLatest, Subject, BehaviorSubject, from, throwError, timer } from 'rxjs';
import {
  map,
  filter,
  take,
  scan,
  mergeMap,
  switchMap,
  catchError,
  bufferCount,
  debounceTime,
  toArray,
  retry,
  share,
  concatMap,
  delay,
} from 'rxjs/operators';
of(1, 2, 3, 4)
  .pipe(
    filter((x) => x % 2 == 0),
    map((x) => x * 10),
  )
  .subscribe((x) => console.log('of', x));
interval(10)
  .pipe(
    take(4),
    scan((a, b) => a + b),
  )
  .subscribe({ next: (x) => console.log('scan', x), complete: () => console.log('done') });
merge(timer(5).pipe(map(() => 'a')), timer(3).pipe(map(() => 'b')))
  .pipe(toArray())
  .subscribe((x) => console.log(x));
throwError(() => new Error('bad'))
  .pipe(
    retry(2),
    catchError((e) => of('caught ' + e.message)),
  )
  .subscribe(console.log);
const s = new Subject();
s.pipe(bufferCount(2)).subscribe((b) => console.log('buf', b));
[1, 2, 3, 4].forEach((x) => s.next(x));
combineLatest([new BehaviorSubject(1), new BehaviorSubject('x')]).subscribe((x) => console.log('cl', x));
from([1, 2, 3])
  .pipe(concatMap((x) => of(x).pipe(delay(100 * x))))
  .subscribe((x) => console.log('cm', x));
from(Promise.resolve(7))
  .pipe(switchMap((x) => of(x, x + 1)))
  .subscribe((x) => console.log('sw', x));
