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
// Section 13: a line of a notice has no blanks in a row but in front, none at its end, and no unusual ones.
const even = (line) => !/[ \u3000]{2}|[ \u3000]$|[\u00a0\u1680\u2000-\u200a\u202f\u205f\u2800]/.test(line.replace(/^ +/, ''));
const shown = (s) => [...s].every((c) => !unseen.some(([from, to]) => from <= c.codePointAt(0) && c.codePointAt(0) <= to));
const people = (most) => text(shown, 1, most);

// Section 5: the characters of a member's titles, and what is left of them to tell two members apart.
const titled = /^[ -~\u00b7\u2014\u2018\u2019\u201c\u201d\u3001\u3002\u3007-\u3011\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff5e\u{20000}-\u{2f7ff}\u{30000}-\u{323af}]+$/u;
const folded = (s) => [...s].map((c) => {
  const at = c.codePointAt(0), r = at >= 0xff01 && at <= 0xff5e ? String.fromCodePoint(at - 0xfee0) : c;
  const low = r >= 'A' && r <= 'Z' ? r.toLowerCase() : r;
  if (low === '1' || low === 'i') return 'l';
  if (low === '0' || low === '\u3007') return 'o';
  return /^[a-z0-9]$/.test(low) || low.codePointAt(0) >= 0x3400 ? low : '';
}).join('');
const title = text((s) => titled.test(s) && folded(s) !== '', 1, 120);

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
const cardFields = map({
  name: [1, name], chinese: [2, title], english: [3, title], roles: [4, ascending(list(role, 1), (r) => r[0])], generation: [5, u64()],
  peer: [6, key], statement: [7, key], log: [8, key], cosign: [9, key], age: [10, bytes(1216)], addresses: [11, list(people(200), 0, 8)],
});
// A card with its own encoding, which its keys sign.
const card = (r) => {
  const at = r.at, c = cardFields(r);
  return { ...c, raw: r.bytes.subarray(at, r.at) };
};
const keysOf = (c) => [c.peer, c.statement, c.log, c.cosign, c.age];
// Encodings as in section 1: a list, a map from 1 on, a card, a purpose.
const items = (list) => Buffer.concat([head(4, list.length), ...list]);
const cardOf = (c) => {
  const roles = c.roles.map(([name, from, to]) => items([tstr(name), head(0, from), head(0, to)]));
  const fields = [tstr(c.name), tstr(c.chinese), tstr(c.english), items(roles), head(0, c.generation), ...[c.peer, c.statement, c.log, c.cosign, c.age].map(bstr), items(c.addresses.map(tstr))];
  return mapOf(fields);
};
const mapOf = (fields) => Buffer.concat([head(5, fields.length), ...fields.flatMap((f, i) => [head(0, i + 1), f])]);
const purposeOf = (p) => mapOf([tstr(p.code), tstr(p.chinese), tstr(p.english), tstr(p.dpv), head(0, p.maxDays), head(0, p.maxUses), head(0, p.maxDataLife)]);

// Section 8: the digest of an attested roster. Members are [card, from].
function rosterDigest({ members, voters, cosigners: { after, origin, keys, f, k }, purposes }) {
  const set = mapOf([head(0, after), tstr(origin), items(keys.map(([name, key]) => items([tstr(name), bstr(key)]))), head(0, f), head(0, k)]);
  const those = members.map(([c, from]) => items([cardOf(c), head(0, from), tstr(c.name)]));
  return labelled('atoll/v1/roster', mapOf([head(0, 2), head(0, 0), items(those), items(voters.map(tstr)), set, items(purposes.map(purposeOf)), items([])]));
}

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
  const keys = g.members.flatMap((c) => keysOf(c).map((k) => k.toString('hex')));
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
  1: ['card', 'possession'], 2: ['card', 'possession'], 3: ['card'], 4: ['names'], 5: ['names', 'f', 'k'], 6: ['purposes'], 7: ['version'],
  8: ['names', 'trustEnd', 'name'], 9: ['names', 'f', 'k'],
};
const optional = { card: null, names: [], f: 0, k: 0, purposes: [], version: 0n, possession: [], trustEnd: 0n, name: '' };
const possession = list(bytes(64), 4, 4);
const amendment = checked(map({
  action: [1, uint(1, 9)], card: [2, card, null], names: [3, names(0), []], f: [4, uint(0, 255), 0], k: [5, uint(0, 255), 0],
  purposes: [6, purposes(0), []], version: [7, u64(), 0n], possession: [8, possession, []], trustEnd: [9, u64(), 0n], name: [10, name, ''],
}), (a) => {
  const absent = (n) => JSON.stringify(a[n], big) === JSON.stringify(optional[n], big);
  const required = ['card', 'possession', 'purposes', 'name'];
  return Object.keys(optional).every((n) => (fields[a.action].includes(n) ? !required.includes(n) || !absent(n) : absent(n)));
});
const big = (_, v) => (typeof v === 'bigint' ? String(v) : v);
const era = { era: [1, u64(1n)], size: [2, u64(1n)], root: [3, digest], voters: [4, ascending(list(name, 1, 40))] };
const agreed = (r) => {
  const s = envelope(bytes(0, Infinity)(r));
  need(s.kind === 'recover.agree', 'another kind');
  decode(s.payload, map(era));
  return s;
};

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
  'member.withdraw': { id: [1, uuid], proposal: [2, uuid] },
  'member.update': { id: [1, uuid], card: [2, card], possession: [3, possession, []] },
  'cosigners.alive': { id: [1, uuid], checkpoint: [2, sealed] },
  'voters.settled': { id: [1, uuid], from: [2, u64()] },
  'roster.attest': { id: [1, uuid], digest: [2, digest] },
  'network.recover': {
    id: [1, uuid], era: [2, u64(1n)], size: [3, u64(1n)], root: [4, digest], voters: [5, ascending(list(name, 1, 40))],
    agreed: [6, ascending(list(agreed, 1, 40), (s) => s.kid)],
  },
  'cosigners.handover': {
    id: [1, uuid], checkpoint: [2, sealed], cosigners: [3, ascending(list(tuple(name, key), 1, 40), (c) => c[0])], f: [4, uint(0, 255)], k: [5, uint(0, 255)],
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

// possessed reports whether a card's keys have signed it, for this network.
const possessed = (c, signatures, network) => {
  const message = Buffer.concat([Buffer.from('atoll/v1/member/possession\0'), network, sha256(c.raw)]);
  return keysOf(c).slice(0, 4).every((k, i) => verify(k, message, signatures[i]));
};

module.exports = { folded, keysOf, possessed, rosterDigest, Malformed, founding, parse, signedBy, timeOf, slotDigest, safe, name, item, day, people, shown, even };
