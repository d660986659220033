import { Chess } from 'chess.js';
const g = new Chess();
for (const m of 'e4 e5 Nf3 Nc6 Bb5 a6 Ba4 Nf6 O-O Be7 Re1 b5 Bb3 d6 c3 O-O'.split(' ')) g.move(m);
console.log(g.fen(), g.pgn(), g.moves().length, g.ascii(), g.history({ verbose: true }).at(-1));
const perft = (g, d) => {
  if (!d) return 1;
  let n = 0;
  for (const m of g.moves()) {
    g.move(m);
    n += perft(g, d - 1);
    g.undo();
  }
  return n;
};
console.log(perft(new Chess(), 2));
const mate = new Chess('7k/5Q2/6K1/8/8/8/8/8 b - - 0 1');
console.log(mate.isStalemate(), mate.isCheckmate());
try {
  g.move('Zz9');
} catch (e) {
  console.log(e.message);
}
