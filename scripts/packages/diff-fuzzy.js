import * as Diff from 'diff';
import Fuse from 'fuse.js';
import lunr from 'lunr';
import natural from 'string-similarity';
import { distance, closest } from 'fastest-levenshtein';
import { stemmer } from 'stemmer';
console.log(
  Diff.diffWords('the quick fox', 'the slow brown fox'),
  Diff.createPatch('f', 'a\nb\nc\n', 'a\nB\nc\nd\n'),
  Diff.applyPatch('a\nb\n', '@@ -1,2 +1,2 @@\n a\n-b\n+c\n'),
  Diff.diffJson({ a: 1, b: [1] }, { a: 2, b: [1] }).length,
);
console.log(
  new Fuse([{ t: 'Old Man' }, { t: 'The Lock Artist' }, { t: 'Art' }], { keys: ['t'], includeScore: true }).search('art'),
  natural.findBestMatch('healed', ['sealed', 'mailed']),
  distance('kitten', 'sitting'),
  closest('fast', ['slow', 'faster']),
  stemmer('running considerations'),
);
const idx = lunr(function () {
  this.ref('id');
  this.field('x');
  [
    { id: 1, x: 'green plants grow' },
    { id: 2, x: 'study in scarlet plant' },
  ].forEach((d) => this.add(d));
});
console.log(idx.search('plant -green'), JSON.stringify(idx).length);
