import A from 'automerge/dist/automerge.js';
let a = A.from({ cards: [{ t: 'x' }] }, 'aa');
let b = A.merge(A.init('bb'), a);
a = A.change(a, (d) => {
  d.cards.push({ t: 'y' });
});
b = A.change(b, (d) => {
  d.cards[0].t = 'z';
});
const c = A.merge(a, b);
console.log(JSON.stringify(c));
