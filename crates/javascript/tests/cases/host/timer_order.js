// Timers run in the order in which they are due, however much work lies between their making.
const work = n => { let s = 0; for (let i = 0; i < n; i++) s += i; return s };
const at = (name, delay, f) => setTimeout(() => { console.log(name); f?.() }, delay);
at('20', 20, () => at('20+5', 5));
work(20000);
at('10', 10, () => at('10+12', 12));
work(20000);
at('1', 0);
setImmediate(() => console.log('immediate'));
let rounds = 0;
const id = setInterval(() => { console.log('every 8', ++rounds); work(5000); if (rounds === 4) clearInterval(id) }, 8);
// What reads the time goes on from there.
at('read', 50, () => {
  const start = Date.now();
  at('due while busy', 20);
  while (Date.now() - start < 30);
  at('made after', 5);
});
