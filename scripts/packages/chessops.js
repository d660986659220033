import { Chess, parseUci } from 'chessops';
import { parseFen, makeFen } from 'chessops/fen';
import { perft } from 'chessops/debug';
import { parsePgn, startingPosition } from 'chessops/pgn';
import { parseSan } from 'chessops/san';
const pos = Chess.fromSetup(parseFen('r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1').unwrap()).unwrap();
console.log(perft(pos, 2), perft(Chess.default(), 3));
pos.play(parseUci('e1g1'));
console.log(makeFen(pos.toSetup()));
const g = parsePgn('1. e4 e5 2. Nf3 Nc6 3. Bb5 a6 *')[0];
const p2 = startingPosition(g.headers).unwrap();
for (const n of g.moves.mainline()) {
  const m = parseSan(p2, n.san);
  p2.play(m);
}
console.log(makeFen(p2.toSetup()));
