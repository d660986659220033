import { sha256, sha512 } from '@noble/hashes/sha2.js';
import { keccak_256, sha3_256 } from '@noble/hashes/sha3.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { pbkdf2 } from '@noble/hashes/pbkdf2.js';
import { bytesToHex, utf8ToBytes, hexToBytes } from '@noble/hashes/utils.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { ed25519 } from '@noble/curves/ed25519.js';
const m = utf8ToBytes('abc');
for (const f of [sha256, sha512, keccak_256, sha3_256, blake3]) console.log(bytesToHex(f(m)));
console.log(bytesToHex(pbkdf2(sha256, utf8ToBytes('pw'), utf8ToBytes('salt'), { c: 20, dkLen: 32 })));
const k = hexToBytes('01'.repeat(32));
console.log(
  bytesToHex(secp256k1.getPublicKey(k)),
  bytesToHex(ed25519.sign(m, k)),
  ed25519.verify(ed25519.sign(m, k), m, ed25519.getPublicKey(k)),
);
