import { JSHINT } from 'jshint';
JSHINT('var a = 1\nif (a = 2) { b() }', { undef: true, unused: true });
console.log(JSHINT.errors.map((e) => e.line + ':' + e.character + ' ' + e.reason));
