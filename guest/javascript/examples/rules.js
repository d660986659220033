// Discount rules over an order: read an input, log, give the result as output.
const order = JSON.parse(cell.text('order'));

const rules = [
  { name: 'ten of a kind', applies: (line) => line.count >= 10, off: 0.1 },
  { name: 'books', applies: (line) => /^book:/.test(line.item), off: 0.05 },
];

const lines = order.lines.map((line) => {
  const applied = rules.filter((rule) => rule.applies(line));
  const price = applied.reduce((price, rule) => price * (1 - rule.off), line.count * line.price);
  return { ...line, price: Math.round(price * 100) / 100, rules: applied.map((rule) => rule.name) };
});

console.table(lines.map(({ item, count, price }) => ({ item, count, price })));
const total = lines.reduce((sum, line) => sum + line.price, 0);
console.log('total', total, { customer: order.customer, lines: lines.length, rules: new Set(lines.flatMap((line) => line.rules)) });
cell.output(JSON.stringify({ customer: order.customer, total }));
