import * as engine from 'js-chess-engine';
const game = new engine.Game();
game.move('e2', 'e4');
game.move('e7', 'e5');
console.log(game.exportFEN(), Object.keys(game.moves()).length, engine.moves('rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR w KQkq - 0 1'));
