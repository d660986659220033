const log = (...x) => console.log(...x);
async function f() { log('f1'); await null; log('f2'); return 'done'; }
f().then(log); log('sync');
(async () => { try { await Promise.reject(new Error('no')); } catch (e) { log('caught', e.message); } finally { log('finally'); } })();
async function* gen() { for (let i = 0; i < 3; i++) { await 0; yield i; } }
(async () => { for await (const x of gen()) log('g', x); log(await Promise.all([1, Promise.resolve(2)]), await Promise.race([new Promise(() => {}), 3]), await Promise.any([Promise.reject(1), 4])); log(await Promise.allSettled([Promise.reject(1), 2])); })();
function* it() { const x = yield 1; try { yield x * 2; } finally { log('closed'); } } const i = it(); log(i.next(), i.next(21), i.return(5), i.next());
