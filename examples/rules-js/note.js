// Checkpoints as C2SP signed notes, which a handover contains (SPEC.md sections 4 and 8).
'use strict';
const { sha256, verify } = require('./keys.js');

// open returns the size of a checkpoint of a log, and its signers. Every line must be
// valid and by one of the keys { name, type (1 log, 4 cosigner), key }; otherwise open
// returns null.
function open(note, origin, keys) {
  const found = /^([^\n]*\n(0|[1-9]\d*)\n([^\n]*)\n)\n((?:\u2014 [^\n]+\n)+)$/.exec(note.toString('utf8'));
  if (!found || !Buffer.from(found[0]).equals(note)) return null; // text that is not UTF-8 would differ
  const [, text, size, root, lines] = found;
  if (!text.startsWith(origin + '\n') || !canonical(root, 32) || BigInt(size) > 1n << 56n) return null;
  const signers = new Set();
  for (const line of lines.trimEnd().split('\n')) {
    const [, name, data, ...more] = line.split(' ');
    const signature = canonical(data ?? '');
    if (!signature || more.length > 0) return null;
    const key = keys.find((k) => k.name === name && idOf(k).equals(signature.subarray(0, 4)));
    if (!key || signers.has(key) || signature.length !== (key.type === 4 ? 76 : 68)) return null;
    const time = key.type === 4 ? signature.readBigUInt64BE(4) : 0n;
    const message = key.type === 4 ? `cosignature/v1\ntime ${time}\n${text}` : text;
    if (time >> 63n || !verify(key.key, Buffer.from(message), signature.subarray(-64))) return null;
    signers.add(key);
  }
  return { size: Number(size), signers };
}

const idOf = (k) => sha256(k.name, '\n', Buffer.from([k.type]), k.key).subarray(0, 4);

// canonical decodes base64 without spare bits, with so many bytes if a number is given.
function canonical(text, length) {
  const b = Buffer.from(text, 'base64');
  return b.toString('base64') === text && (length === undefined || b.length === length) ? b : null;
}

module.exports = { open };
