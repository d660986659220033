import PorterStemmer from 'natural/lib/natural/stemmers/porter_stemmer.js';
console.log(['running', 'flies', 'happily', 'relational'].map((w) => PorterStemmer.stem(w)));
import TfIdf from 'natural/lib/natural/distance/levenshtein_distance.js';
