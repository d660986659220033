import * as Y from 'yjs';
const a = new Y.Doc(),
  b = new Y.Doc();
a.clientID = 1;
b.clientID = 2;
a.getText('t').insert(0, 'hello');
Y.applyUpdate(b, Y.encodeStateAsUpdate(a));
b.getText('t').insert(5, ' world');
a.getText('t').delete(0, 1);
Y.applyUpdate(a, Y.encodeStateAsUpdate(b));
Y.applyUpdate(b, Y.encodeStateAsUpdate(a));
console.log(a.getText('t').toString(), b.getText('t').toString());
a.getMap('m').set('k', [1, { x: 2 }]);
console.log(JSON.stringify(a.toJSON()), Y.encodeStateAsUpdate(a).length);
