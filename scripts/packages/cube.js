import Cube from 'cubejs/lib/cube.js';
import 'cubejs/lib/solve.js';
const c = new Cube();
c.move("R U R' F2 D");
console.log(c.asString());
