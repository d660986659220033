import nlp from 'compromise';
const doc = nlp('Spencer walked 3 dogs quickly in New York, and she was singing loudly. He will have gone.');
console.log(
  doc.nouns().toPlural().text(),
  doc.verbs().toPastTense().out('array'),
  doc.people().out('array'),
  doc.json().length,
  doc.sentences().toFutureTense().text(),
  doc.match('#Adverb').out('array'),
  doc.numbers().json?.().length,
);
