// Checks an exported access log with Node 20 alone: node verify.js LOGDIR POLICYFILE
// LOGDIR has checkpoint and tile/. POLICYFILE says whose signatures count; get it from somebody you trust, not with the log.
// According to SPEC.md section 4: RFC 6962 and c2sp.org's signed-note, tlog-checkpoint, -cosignature, -tiles, -policy. Exit code 0 or 6.
'use strict';
const { createHash, createPublicKey, verify } = require('node:crypto');
const fs = require('node:fs'), path = require('node:path');
process.on('uncaughtException', (err) => { console.error(`verify.js: ${err.message}`); process.exit(6); });

function need(ok, why) { if (!ok) throw new Error(why); }
function sha256(...parts) { return parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest(); }
function base64(text) { const b = Buffer.from(text, 'base64'); need(b.toString('base64') === text, `not base64: ${text}`); return b; }
// A key is written NAME+ID+base64(type, 32 bytes of Ed25519 key); ID is the first 4 bytes of SHA-256(NAME, newline, type, key).
function parseKey(text, type) {
  const [, name, id, data] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) || [];
  const bytes = base64(data || ''), x = bytes.subarray(1).toString('base64url');
  need(bytes.length === 33 && bytes[0] === type, `not an Ed25519 key of type ${type}: ${text}`);
  need(sha256(name, '\n', bytes).toString('hex', 0, 4) === id, `a key with a wrong id: ${text}`);
  return { name, id, type, x, public: createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }) };
}
// A policy is its keys, and a function that reports whether a set of keys is a quorum; null if no quorum is needed.
function readPolicy(text) {
  const keys = [], voters = new Map(), grouped = new Set(); // voters: witnesses and groups
  const find = (name) => { need(voters.has(name), `not defined above: ${name}`); return voters.get(name); };
  const define = (name, voter) => { need(name !== 'none' && !voters.has(name), `a second ${name}`); voters.set(name, voter); };
  let quorum;
  for (const line of text.split('\n')) {
    const [verb, first, second, ...more] = line.split(/[ \t]+/).filter((word) => word !== '');
    if (verb === undefined || verb.startsWith('#')) continue;
    if (verb === 'log' && more.length === 0) keys.push(parseKey(first, 1));
    else if (verb === 'quorum' && !second && quorum === undefined) quorum = first === 'none' ? null : find(first);
    else if (verb === 'witness' && more.length < 2) {
      const key = parseKey(second, 4);
      define(first, (signed) => signed.has(key));
      keys.push(key);
    } else { // a group FIRST that votes if as many of MORE vote as SECOND says
      need(verb === 'group' && /^(any|all|[1-9]\d*)$/.test(second), `not a line of a policy: ${line}`);
      const members = more.map(find), k = { any: 1, all: more.length }[second] ?? Number(second);
      for (const name of more) need(!grouped.has(name) && grouped.add(name), `in two groups: ${name}`);
      need(k <= members.length, `not so many members: ${line}`);
      define(first, (signed) => members.filter((voter) => voter(signed)).length >= k);
    }
  }
  need(quorum !== undefined, 'a policy without a quorum line');
  need(new Set(keys.map((key) => key.x)).size === keys.length, 'a policy with one key twice');
  return { keys, quorum };
}
// A checkpoint is origin, size, root, an empty line and signature lines. Every line by a key of the policy must be valid.
function readCheckpoint(note, policy) {
  const [, text, origin, size, root, lines] = /^((\S+)\n(0|[1-9]\d*)\n(\S+)\n)\n((?:\u2014 [^\s+]+ \S+\n)+)$/.exec(note) || [];
  need(text && base64(root).length === 32 && Number.isSafeInteger(Number(size)), 'not a checkpoint');
  const signed = new Set(), seen = new Set();
  for (const [, name, data] of lines.trimEnd().split('\n').map((line) => line.split(' '))) {
    const bytes = base64(data), id = bytes.toString('hex', 0, 4); // key id, the time of a cosignature, signature
    need(bytes.length > 4 && !seen.has(name + id) && seen.add(name + id), `not a signature, or a second one, by ${name}`);
    const key = policy.keys.find((k) => k.name === name && k.id === id && (k.type === 4 || name === origin));
    if (!key) continue; // a signer that is not in the policy
    need(bytes.length === (key.type === 4 ? 76 : 68), `a signature of the wrong length by ${name}`);
    const message = key.type === 4 ? `cosignature/v1\ntime ${bytes.readBigUInt64BE(4)}\n${text}` : text;
    need(verify(null, Buffer.from(message), key.public, bytes.subarray(-64)), `a wrong signature by ${name}`);
    signed.add(key);
  }
  need([...signed].some((key) => key.type === 1), 'not signed by a log of the policy');
  need(!policy.quorum || policy.quorum(signed), 'too few cosignatures');
  return { origin, size: Number(size), root };
}
function rootOf(hashes) { // of leaf hashes of 32 bytes; the left part is the largest power of two below their number
  if (hashes.length <= 32) return hashes.length ? hashes : sha256();
  const left = 32 * 2 ** (31 - Math.clz32(hashes.length / 32 - 1));
  return sha256('\x01', rootOf(hashes.subarray(0, left)), rootOf(hashes.subarray(left)));
}

const [dir, policyFile] = process.argv.slice(2), files = new Set(['checkpoint']); // files: the paths that belong to the log
need(policyFile, 'usage: node verify.js LOGDIR POLICYFILE');
const read = (name) => { files.add(name); return fs.readFileSync(path.join(dir, name)); };
const tile = (level, n, width) => `tile/${level}/${String(n).padStart(3 * Math.ceil(String(n).length / 3), '0')
  .replace(/\d{3}(?=\d)/g, 'x$&/')}${width < 256 ? `.p/${width}` : ''}`; // such as tile/0/x001/234.p/5
const policy = readPolicy(fs.readFileSync(policyFile, 'utf8'));
const { origin, size, root } = readCheckpoint(read('checkpoint').toString('utf8'), policy);
const leaves = Buffer.alloc(32 * size);
for (let n = 0, i = 0; i < size; n++) { // bundle n: up to 256 entries, each after its length in 2 bytes
  const last = Math.min(256 * n + 256, size), name = tile('entries', n, last - 256 * n), bundle = read(name);
  for (let at = 0, end; at < bundle.length || i < last; at = end) {
    end = at + 2 + bundle.readUInt16BE(at);
    need(end <= bundle.length && i < last, `${name} is too long or ends early`);
    sha256('\0', bundle.subarray(at + 2, end)).copy(leaves, 32 * i++);
  }
}
need(rootOf(leaves).toString('base64') === root, 'the entries do not have the root that the checkpoint says');
for (let level = 0, hashes = leaves; hashes.length > 0; level++) { // the hashes of the full tiles are the level above
  const above = [];
  for (let at = 0; at < hashes.length; at += 8192) {
    const made = hashes.subarray(at, at + 8192), name = tile(level, at / 8192, made.length / 32);
    need(read(name).equals(made), `${name} is not made of the entries`);
    if (made.length === 8192) above.push(rootOf(made));
  }
  hashes = Buffer.concat(above);
}
for (const name of fs.readdirSync(dir, { recursive: true }))
  need(files.has(name) || fs.lstatSync(path.join(dir, name)).isDirectory(), `${name} is no part of the log`);
console.log(`${origin}: ${size} entries, root ${root}, ${policy.quorum ? 'final' : 'not final (the policy: quorum none)'}`);
