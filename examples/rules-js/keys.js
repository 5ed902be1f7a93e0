// Ed25519: valid keys (SPEC.md section 2), and signatures.
'use strict';
const { createHash, createPublicKey, verify: verifyOne } = require('node:crypto');

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const labelled = (label, data) => sha256(label, Buffer.from([0]), data);
const keyID = (key) => sha256(key).subarray(0, 16);

const p = 2n ** 255n - 19n;
const mod = (n) => ((n % p) + p) % p;
function power(base, exponent) {
  let result = 1n;
  for (let b = mod(base), e = exponent; e > 0n; e >>= 1n, b = (b * b) % p) if (e & 1n) result = (result * b) % p;
  return result;
}
const inverse = (n) => power(n, p - 2n);
const d = mod(-121665n * inverse(121666n));

// x² of the point with this y, which is on the curve if x² is a square.
const known = new Map();
function validKey(key) {
  const name = key.toString('hex');
  if (!known.has(name)) known.set(name, isKey(key));
  return known.get(name);
}
function isKey(key) {
  if (key.length !== 32) return false;
  const little = Buffer.from(key).reverse();
  little[0] &= 0x7f;
  const y = BigInt('0x' + little.toString('hex'));
  if (y >= p) return false; // a second encoding of the same point
  const yy = (y * y) % p, xx = mod((yy - 1n) * inverse(d * yy + 1n));
  // Orders 1 and 2 have x = 0, order 4 has y = 0, and twice a point of order 8 has: x² = -y².
  if (xx === 0n || y === 0n || (xx + yy) % p === 0n) return false;
  return power(xx, (p - 1n) / 2n) === 1n;
}

// OpenSSL verifies by RFC 8032 without multiplying by the cofactor, and requires
// canonical R and S.
const publics = new Map();
function verify(key, message, signature) {
  const x = key.toString('base64url');
  if (!publics.has(x)) publics.set(x, createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }));
  return verifyOne(null, message, publics.get(x), signature);
}

module.exports = { sha256, labelled, keyID, validKey, verify };
