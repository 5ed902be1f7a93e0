// Statements and their contents: SPEC.md sections 3, 5 and 6.
'use strict';
const { Malformed, need, decode, u64, uint, int, bytes, text, list, tuple, map, ascending, bstr, tstr, head } = require('./cbor.js');
const { sha256, labelled, keyID, validKey, verify } = require('./keys.js');

const maxStatement = 60_000, maxSealed = 48_000, stanzas = 8;

// Section 6: text that people sign has no invisible characters.
const unseen = [
  [0x0, 0x1f], [0x7f, 0x9f], [0xad, 0xad], [0x34f, 0x34f], [0x61c, 0x61c], [0x115f, 0x1160], [0x17b4, 0x17b5], [0x180b, 0x180f],
  [0x200b, 0x200f], [0x2028, 0x202e], [0x2060, 0x206f], [0x3164, 0x3164], [0xfe00, 0xfe0f], [0xfeff, 0xfeff], [0xffa0, 0xffa0],
  [0xfff0, 0xfffb], [0x1bca0, 0x1bca3], [0x1d173, 0x1d17a], [0xe0000, 0xe0fff],
];
const shown = (s) => [...s].every((c) => !unseen.some(([from, to]) => from <= c.codePointAt(0) && c.codePointAt(0) <= to));
const people = (most) => text(shown, 1, most);

const like = (pattern) => text((s) => pattern.test(s));
const name = like(/^[a-z][a-z0-9-]{0,30}[a-z0-9]$/), item = like(/^[a-z][a-z0-9_]{0,63}$/);
const digest = bytes(32), id = bytes(16), day = uint(0, 2 ** 31 - 1), sealed = bytes(1, maxSealed);
const uuid = (r) => {
  const b = id(r);
  need(b[6] >> 4 === 7 && b[8] >> 6 === 2, 'not a UUIDv7');
  return b;
};
const key = (r) => {
  const b = bytes(32)(r);
  need(validKey(b), 'not an Ed25519 public key');
  return b;
};
// checked is a schema with a condition on the whole value.
const checked = (schema, valid) => (r) => {
  const value = schema(r);
  need(valid(value), 'values that do not belong together');
  return value;
};

// Section 5.
const role = checked(tuple(like(/^(agency|bank|auditor|registrar)$/), day, day), ([, from, to]) => from <= to);
const card = map({
  name: [1, name], chinese: [2, people(120)], english: [3, people(120)], roles: [4, ascending(list(role, 1), (r) => r[0])], generation: [5, u64()],
  peer: [6, key], statement: [7, key], log: [8, key], cosign: [9, key], age: [10, bytes(1216)], addresses: [11, list(people(200), 0, 8)],
});
const purpose = map({
  code: [1, item], chinese: [2, people(200)], english: [3, people(200)], dpv: [4, text(shown, 0, 200)],
  maxDays: [5, uint(1, 1830)], maxUses: [6, uint(1, 100_000)], maxDataLife: [7, uint(1, 3660)],
});
const purposes = (least) => ascending(list(purpose, least), (p) => p.code);
const names = (least) => ascending(list(name, least));
const safe = (n, f, k) => k < n && 2 * k > n + f;
const origin = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(\/[a-z0-9]([a-z0-9.-]*[a-z0-9])?)*$/;
const genesis = map({
  version: [1, uint(2, 2)], name: [2, people(120)], origin: [3, text((s) => origin.test(s), 1, 128)], suite: [4, like(/^atoll-1$/)],
  time: [5, uint(1, 2 ** 48 - 1)], offset: [6, int(-840, 840)], members: [7, ascending(list(card, 3, 36), (c) => c.name)],
  voters: [8, names(1)], cosigners: [9, names(1)], f: [10, uint(0, 255)], k: [11, uint(0, 255)], approvals: [12, uint(1, 255)],
  purposes: [13, purposes(1)], entries: [14, uint(1, 2 ** 48)], bytes: [15, uint(65_535, 2 ** 48)],
});
const signature = tuple(id, bytes(64));

// founding reads and verifies a founding document.
function founding(raw) {
  need(raw.length <= maxStatement, 'too large');
  const [payload, signatures] = decode(raw, tuple(bytes(0, Infinity), ascending(list(signature, 1), (s) => s[0])));
  const g = decode(payload, genesis), members = new Map(g.members.map((c) => [c.name, c]));
  need([3, 5, 7].includes(g.voters.length) && [...g.voters, ...g.cosigners].every((n) => members.has(n)), 'voters and cosigners');
  need(safe(g.cosigners.length, g.f, g.k) && g.approvals <= members.size, 'quorum or approvals');
  need(g.members.filter((c) => c.roles.some(([r]) => r === 'auditor')).length <= stanzas - 2, 'auditors');
  const keys = g.members.flatMap((c) => [c.peer, c.statement, c.log, c.cosign, c.age].map((k) => k.toString('hex')));
  need(new Set(keys).size === keys.length, 'a key stands twice');
  need(signatures.length === members.size, 'not signed by all');
  const signers = new Map(g.members.map((c) => [keyID(c.statement).toString('hex'), c.statement]));
  for (const [kid, sig] of signatures) {
    const signer = signers.get(kid.toString('hex'));
    const s = { protected: protectedHeader(kid, 'genesis'), payload, signature: sig };
    need(signer && verify(signer, toBeSigned(s, Buffer.alloc(0)), sig), 'not signed by its members');
  }
  return { genesis: g, network: sha256(payload) };
}

// Section 6.
const bounds = checked(map({
  id: [1, id], bank: [2, name], notBefore: [3, day], notAfter: [4, day], maxUses: [5, uint(1, 100_000)],
  frequency: [6, checked(tuple(uint(0, 1830), uint(0, 100_000)), ([days, uses]) => (days === 0) === (uses === 0))],
  maxAlerts: [7, uint(0, 100_000)], revocation: [8, ascending(list(id, 4, 4))],
}), (b) => b.notBefore <= b.notAfter && b.notAfter - b.notBefore < 1830);
const slots = checked(ascending(list(digest, 8, 64)), (l) => l.length % 8 === 0);
const query = tuple(name, uuid), slot = tuple(digest, bytes(32));
const fields = {
  1: ['card'], 2: ['card'], 3: ['card'], 4: ['names'], 5: ['names', 'f', 'k'], 6: ['purposes'], 7: ['version'],
};
const optional = { card: null, names: [], f: 0, k: 0, purposes: [], version: 0n };
const amendment = checked(map({
  action: [1, uint(1, 7)], card: [2, card, null], names: [3, names(0), []], f: [4, uint(0, 255), 0], k: [5, uint(0, 255), 0],
  purposes: [6, purposes(0), []], version: [7, u64(), 0n],
}), (a) => {
  const absent = (n) => JSON.stringify(a[n], big) === JSON.stringify(optional[n], big);
  return Object.keys(optional).every((n) => fields[a.action].includes(n) || absent(n)) && (a.action > 3 || a.card !== null);
});
const big = (_, v) => (typeof v === 'bigint' ? String(v) : v);

const own = {
  'query.open': { id: [1, uuid], consent: [2, id], deadline: [3, u64()], slots: [4, slots], box: [5, sealed] },
  'fragment.release': { id: [1, uuid], query: [2, query], slot: [3, slot], digest: [4, digest], bucket: [5, u64(1n)], box: [6, sealed] },
  'fragment.refuse': { id: [1, uuid], query: [2, query], slot: [3, slot], box: [4, sealed] },
  'query.receipt': { id: [1, uuid], query: [2, uuid], fragments: [3, ascending(list(tuple(name, digest), 1, 64), (f) => f[0])] },
  'clock.tick': { id: [1, uuid] },
  'credential.issue': { id: [1, uuid], digest: [2, digest], sealed: [3, sealed] },
  'credential.revoke': { id: [1, uuid], digest: [2, digest] },
  'catalog.publish': { id: [1, uuid], digest: [2, digest], version: [3, u64(1n)], root: [4, digest] },
  'member.propose': { id: [1, uuid], amendment: [2, amendment] },
  'member.approve': { id: [1, uuid], proposer: [2, name], proposal: [3, uuid] },
  'cosigners.handover': {
    id: [1, uuid], checkpoint: [2, sealed], cosigners: [3, ascending(list(tuple(name, key), 1, 36), (c) => c[0])], f: [4, uint(0, 255)], k: [5, uint(0, 255)],
  },
  'data.deleted': { id: [1, uuid], queries: [2, ascending(list(uuid, 1, 1000))] },
  'objection.answer': { id: [1, uuid], objection: [2, digest], sealed: [3, sealed] },
};
const carrier = { id: [1, uuid], statement: [2, bytes(0, Infinity)], sealed: [3, bytes(0, Infinity), Buffer.alloc(0)] };
const carried = {
  'consent.grant': map({ key: [1, key], bounds: [2, bounds], terms: [3, digest], body: [4, digest] }),
  'consent.revoke': map({ consent: [1, id], key: [2, key] }),
  'objection.raise': map({ key: [1, key], query: [2, query], agency: [3, name], body: [4, digest] }),
};

// Section 3.
const algorithm = int(-8, -8), typ = like(/^application\/vnd\.atoll\.[a-z.]{1,40}\+cbor$/);
const headers = map({ alg: [1, algorithm], kid: [4, id], typ: [16, typ] });
const protectedHeader = (kid, kind) => Buffer.concat([head(5, 3), head(0, 1), head(1, 7), head(0, 4), bstr(kid), head(0, 16), tstr(`application/vnd.atoll.${kind}+cbor`)]);

function envelope(raw) {
  need(raw.length <= maxStatement, 'too large');
  need(raw[0] === 0xd2, 'not a tagged COSE_Sign1');
  const any = bytes(0, Infinity), [header, , payload, sig] = decode(raw.subarray(1), tuple(any, map({}), any, bytes(64)));
  const { kid, typ } = decode(header, headers), kind = typ.slice('application/vnd.atoll.'.length, -'+cbor'.length);
  need(!kind.startsWith('.') && !kind.endsWith('.'), 'not a kind');
  return { kind, kid, protected: header, payload, signature: sig };
}

const toBeSigned = (s, aad) => Buffer.concat([head(4, 4), tstr('Signature1'), bstr(s.protected), bstr(aad), bstr(s.payload)]);
const signedBy = (s, key, network) => keyID(key).equals(s.kid) && verify(key, toBeSigned(s, network), s.signature);

// parse reads a member's statement completely. The result has the kind of the
// content, the author's id and key id, and the carried statement, if there is one.
function parse(raw) {
  const outer = envelope(raw);
  if (outer.kind !== 'carrier') {
    need(Object.hasOwn(own, outer.kind), 'a kind that nobody knows');
    const says = decode(outer.payload, map(own[outer.kind]));
    return { raw, kind: outer.kind, id: says.id, kid: outer.kid, says, outer };
  }
  const c = decode(outer.payload, map(carrier)), inner = envelope(c.statement);
  need(Object.hasOwn(carried, inner.kind), 'a kind that nobody carries');
  const says = decode(inner.payload, carried[inner.kind]);
  if (inner.kind === 'consent.revoke') need(c.sealed.length === 0, 'a revocation with a sealed part');
  else {
    need(c.sealed.length > 0 && c.sealed.length <= maxSealed, 'sealed part');
    need(labelled('atoll/v1/consent/body', c.sealed).equals(says.body), 'another sealed part than was signed');
  }
  if (inner.kind === 'consent.grant') need(keyID(says.key).equals(says.bounds.id), 'a consent with the id of another key');
  return { raw, kind: inner.kind, id: c.id, kid: outer.kid, says, outer, inner, carried: c.statement };
}

const timeOf = (id) => id.readUIntBE(0, 6);
const slotDigest = (agency, [section, token]) => labelled('atoll/v1/query/slot', Buffer.concat([head(4, 3), tstr(agency), bstr(section), bstr(token)]));

module.exports = { Malformed, founding, parse, signedBy, timeOf, slotDigest, safe, name, item, day, people, shown };
