import Qty from 'js-quantities';
console.log(Qty('10 m/s').to('kph').toString());
import currency from 'currency.js';
console.log(currency(1.23).add(4.567).format(), currency('$1,234.56').distribute(3).map(String));
import Dinero from 'dinero.js';
console.log(
  Dinero({ amount: 5000, currency: 'EUR' }).percentage(33).getAmount(),
  Dinero({ amount: 1003 })
    .allocate([50, 50])
    .map((d) => d.getAmount()),
);
import spacetime from 'spacetime';
const s = spacetime('2024-03-01T10:00:00Z', 'UTC');
console.log(s.add(3, 'weeks').format('iso'), s.format('nice'), s.season(), s.goto('Asia/Tokyo').format('iso'));
import * as chrono from 'chrono-node';
const ref = new Date(Date.UTC(2024, 0, 15, 12));
for (const t of ['tomorrow at 5pm', 'next friday', '3 days ago', 'Sep 12-13 2023'])
  console.log(t, chrono.parseDate(t, { instant: ref, timezone: 0 })?.toISOString());
