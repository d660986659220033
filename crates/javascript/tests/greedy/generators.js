function* g(n) { try { for (let i = 0; i < n; i++) yield [i, { i }] } finally { console.log('left', n) } }
async function* h(n) { for await (const [a] of g(n)) yield a; yield* [Promise.resolve('p'), 'q'] }
(async () => {
  const all = []; for (const [a, b] of g(20)) { await b; if (a > 9) break }
  for await (const x of h(4)) all.push(x);
  try { await Promise.any([Promise.reject(new Error('no' + all.length))]) } catch (e) { all.push(e.constructor.name, e.errors.length) }
  const settled = await Promise.allSettled([1, Promise.reject('r'), new Promise(done => setTimeout(done, 5, 'late'))]);
  return [Object.fromEntries(g(9)), all.join(), JSON.stringify(settled), [...g(3)].map(([a]) => a * 2)];
})()
