import sentiment from 'sentiment';
import { franc } from 'franc';
import stem from 'wink-porter2-stemmer';
console.log(new sentiment().analyze('Cats are stupid and I love dogs, they are great'));
console.log(
  franc('Alle menschlichen Wesen sind frei und gleich an Würde und Rechten geboren'),
  franc('All human beings are born free and equal'),
  ['running', 'happily', 'nationalities'].map((w) => stem(w)),
);
