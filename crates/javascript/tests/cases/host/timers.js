const log = [];
setTimeout(() => log.push('c'), 30);
setTimeout((x, y) => log.push(x + y), 10, 'a', '!');
setTimeout(() => log.push('b'), 20);
queueMicrotask(() => log.push('micro'));
const id = setInterval(() => { log.push('tick'); if (log.filter((x) => x === 'tick').length === 3) clearInterval(id); }, 7);
const gone = setTimeout(() => log.push('never'), 5); clearTimeout(gone);
const start = Date.now(), p = performance.now();
setTimeout(() => {
  console.log(log.join(' '), Date.now() - start >= 100, performance.now() - p >= 99.9);
  setTimeout(() => console.log('nested'), 0);
}, 100);
Promise.resolve().then(() => log.push('then'));
log.push('sync');
