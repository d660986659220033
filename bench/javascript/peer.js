// Times each script that a line of standard input names, in this node: the best of many evaluations, in microseconds.
const { readFileSync } = require("node:fs");
const { runInThisContext } = require("node:vm");
const lines = require("node:readline").createInterface({ input: process.stdin });
lines.on("line", (name) => {
  const source = readFileSync(name.trim(), "utf8");
  let best = Infinity, value;
  const end = performance.now() + 300;
  for (let count = 0; count < 2 || performance.now() < end; count++) {
    const start = performance.now();
    value = runInThisContext(source);
    best = Math.min(best, performance.now() - start);
  }
  console.log(`${best * 1000} ${value}`);
});
