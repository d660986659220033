const m = new Map(), s = new Set(), w = new WeakMap(), r = new WeakRef(m);
for (let i = 0; i < 40; i++) { m.set('k' + i, { i }); s.add(i * 1.5); w.set(m.get('k' + i), i) }
for (const [k] of m) if (k.endsWith('3')) m.delete(k);
console.log(m.entries(), s.values(), new Map([[{ a: 1 }, [new Set('abc')]]]), new WeakSet());
[...m].length + [...s].length + w.get(m.get('k1')) + r.deref().size + s.size + Object.keys(Object.groupBy([1, 2, 3], x => x % 2 ? 'odd' : 'even'))
