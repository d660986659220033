const text = JSON.stringify({ a: [1, 2, { b: 'c'.repeat(50) }], d: { e: [[[]]] }, f: '\u2028"\\é', g: [null, true, -0.5e-7], h: { toJSON: k => k + '!' } }, null, 2);
JSON.stringify(JSON.parse(text, (k, v) => typeof v === 'number' ? { k, v } : v), ['a', 'b', 'v', 'h'], '-') + JSON.stringify(JSON.parse(`{"x":{"__proto__":[${[1, 2, 3]}]}}`)) + text.length
