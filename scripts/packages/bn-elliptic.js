import BN from 'bn.js';
import hash from 'hash.js';
import elliptic from 'elliptic';
const a = new BN('dead'.repeat(16), 16),
  p = new BN(2).pow(new BN(255)).subn(19);
console.log(
  a.mul(a).mod(p).toString(),
  a.invm(p).toString(16),
  a.toRed(BN.red(p)).redPow(new BN(65537)).fromRed().toString(36),
  a.bitLength(),
);
console.log(
  hash.sha256().update('abc').digest('hex'),
  hash.sha512().update('x'.repeat(1000)).digest('hex'),
  hash.hmac(hash.sha1, 'k').update('m').digest('hex'),
  hash.ripemd160().update('').digest('hex'),
);
const ec = new elliptic.ec('secp256k1');
const key = ec.keyFromPrivate('1'.repeat(64), 'hex');
const sig = key.sign('ab'.repeat(32), 'hex');
console.log(key.getPublic('hex'), sig.toDER('hex'), key.verify('ab'.repeat(32), sig));
