import CryptoJS from 'crypto-js';
import nacl from 'tweetnacl';
import sha from 'js-sha256';
import md5 from 'blueimp-md5';
console.log(
  CryptoJS.SHA3('x').toString(),
  CryptoJS.PBKDF2('p', 'salt', { keySize: 8, iterations: 50 }).toString(),
  CryptoJS.AES.encrypt('secret text', CryptoJS.enc.Hex.parse('00'.repeat(32)), { iv: CryptoJS.enc.Hex.parse('11'.repeat(16)) }).toString(),
  CryptoJS.HmacSHA512('m', 'k').toString(CryptoJS.enc.Base64),
  CryptoJS.RIPEMD160('a').toString(),
);
const k = nacl.sign.keyPair.fromSeed(new Uint8Array(32).fill(7));
const s = nacl.sign.detached(new TextEncoder().encode('hello'), k.secretKey);
console.log(
  Array.from(s)
    .map((b) => b.toString(16).padStart(2, '0'))
    .join(''),
  nacl.sign.detached.verify(new TextEncoder().encode('hello'), s, k.publicKey),
  nacl.hash(new Uint8Array(3)).slice(0, 8),
);
console.log(sha.sha256('grüße'), sha.sha224.hmac('k', 'm'), md5('hello', 'key'));
