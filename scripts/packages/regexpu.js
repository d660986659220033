import rewrite from 'regexpu-core';
import regenerate from 'regenerate';
import punycode from 'punycode/';
import jsesc from 'jsesc';
console.log(
  rewrite('[\\u{1F600}-\\u{1F64F}](?<n>x)\\k<n>.', 'us', { unicodeFlag: 'transform', namedGroups: 'transform', dotAllFlag: 'transform' }),
  regenerate().addRange(0x60, 0x1f500).remove(0x62).toString(),
  punycode.toASCII('mañana.com'),
  punycode.decode('bcher-kva'),
  jsesc({ a: ['é', new Map([[1, '\0']])] }, { compact: false }),
);
