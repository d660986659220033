// Runs the language cases in the WebAssembly build: portable.mjs MODULE FOLDER.
import { readFileSync, readdirSync, existsSync } from 'node:fs';
import { basename, join } from 'node:path';

const [module, folder] = process.argv.slice(2);
const { instance } = await WebAssembly.instantiate(readFileSync(module), {});
const { put, run, take } = instance.exports;

function execute(parts) {
  parts.forEach((part, at) => {
    if (at > 0) put(0);
    for (const byte of part) put(byte);
  });
  const length = run();
  return Buffer.from(Array.from({ length }, (_, at) => take(at))).toString();
}

let [same, all] = [0, 0];
for (const area of readdirSync(folder)) {
  for (const file of readdirSync(join(folder, area)).filter((name) => /\.(m?js|ts)$/.test(name))) {
    const path = join(folder, area, file);
    const base = path.replace(/\.\w+$/, '');
    const parts = [Buffer.from(basename(path)), readFileSync(path)];
    if (existsSync(`${base}.modules`)) {
      for (const name of readdirSync(`${base}.modules`)) parts.push(Buffer.from(name), readFileSync(join(`${base}.modules`, name)));
    }
    all++;
    if (execute(parts) === readFileSync(`${base}.out`, 'utf8')) same++;
    else console.log(`${path} prints something else`);
  }
}
console.log(`${same} of ${all} cases print what they should, on WebAssembly under node ${process.version}`);
process.exit(same === all ? 0 : 1);
