// Errors as they are called when somebody looks: the first line only, since node's frames are its own.
const plain = e => { const text = e.stack; e.stack = text.split('\n')[0]; return e };
class Named extends Error { constructor(m) { super(m); this.name = 'Named'; this.code = 'E_NAMED' } }
class Silent extends TypeError {}
function Old(m) { this.message = m }
Old.prototype = Object.create(Error.prototype, { constructor: { value: Old }, name: { value: 'Old' } });
console.log(plain(new Error('m')), plain(new Named('x')), [plain(new Named('y'))], plain(new Silent('z')));
console.log(plain(Object.assign(new Error('m'), { name: 'Set' })), plain(Object.assign(new Error(''), { name: '' })), plain(new Error('')));
console.log(new Old('before classes'), [new Old('')], Object.assign(Object.create(Error.prototype), { message: 'made by hand' }));
console.log(plain(new Error('outer', { cause: plain(new RangeError('inner')) })), plain(new AggregateError([plain(new Error('one')), 2], 'both')));
const e = new Error('no stack'); e.stack = undefined; console.log(e, [e]);
const late = new Error('first'); late.name = 'Late'; late.message = 'second'; console.log(late.stack.split('\n')[0], String(late));
console.log(new (class Bytes extends Uint8Array {})(2), new (class List extends Array {})(1, 2));
