// The rules of the log: SPEC.md section 8, in its order.
'use strict';
const { head, bstr, tstr } = require('./cbor.js');
const { sha256, keyID } = require('./keys.js');
const { keysOf, possessed, Malformed, founding, parse, signedBy, timeOf, slotDigest, safe } = require('./statement.js');
const { open } = require('./note.js');

const hour = 3_600_000, dayLength = 24 * hour, never = undefined;
const hex = (b) => b.toString('hex');
const lowerMedian = (times) => times.sort((a, b) => a - b)[Math.floor((times.length - 1) / 2)];

class Ledger {
  constructor() { this.size = 0; }

  // apply decides one statement: { verdict, index, time, new, known, leaf }.
  apply(raw) {
    if (this.size === 0) return this.found(raw);
    let s;
    try { s = parse(raw); } catch (err) {
      if (!(err instanceof Malformed)) throw err;
      return this.founding.equals(raw) ? { verdict: 'accepted', index: 0, known: true } : { verdict: 'statement.malformed' };
    }
    const author = this.authors.get(hex(s.kid));
    if (!author || !signedBy(s.outer, author.card.statement, this.network) ||
      (s.inner && !signedBy(s.inner, s.says.key, this.network))) return { verdict: 'statement.unverified' };
    return this.recall(s, author) ?? this.untimely(s) ?? this.enter(s, author);
  }

  found(raw) {
    let f;
    try { f = founding(raw); } catch (err) {
      if (!(err instanceof Malformed)) throw err;
      return { verdict: 'statement.malformed' };
    }
    const g = f.genesis;
    Object.assign(this, { founding: raw, network: f.network, genesis: g, time: g.time });
    this.members = g.members.map((card) => ({ card, from: 1, time: g.time, called: 0, spent: {}, updates: {} }));
    this.voterSets = [g.voters]; // the newest settled one, and those since
    this.changed = new Map(g.members.map((c) => [c.name, 0])); // by name that is or was a member's, 'the purposes' and 'the voters': the entry of the last approved change
    this.usedKeys = new Map(g.members.flatMap((c) => keysOf(c).map((k) => [hex(k), true])));
    this.authors = new Map(this.members.map((m) => [hex(keyID(m.card.statement)), m]));
    this.purposes = g.purposes;
    this.sets = [{ after: 0, cosigners: g.cosigners.map((n) => [n, this.member(n).card.cosign]), f: g.f, k: g.k }];
    for (const records of ['answers', 'consents', 'queries', 'outcomes', 'credentials', 'catalogs', 'proposals', 'changes']) this[records] = new Map();
    this.next = null;
    this.due = []; // ascending by time; among equal times in the order of insertion
    return this.entry(raw, 'accepted');
  }

  member(name) { return this.members.find((m) => m.card.name === name); }
  dayOf(ms) { return Math.max(0, Math.floor((ms + this.genesis.offset * 60_000) / dayLength)); }
  startOf(day) { return Math.max(0, day * dayLength - this.genesis.offset * 60_000); }
  get today() { return this.dayOf(this.time); }
  has(author, role) { return author.card.roles.some(([r, from, to]) => r === role && from <= this.today && this.today <= to); }
  get force() { return this.sets.at(-1); }
  inForce(author) { return this.force.cosigners.some(([name]) => name === author.card.name); }

  // Step 3. An answer is identified by its author and id, a carried statement by itself.
  names(s, author) {
    const list = [[`own ${author.card.name} ${hex(s.id)}`, hex(sha256(s.raw))]];
    if (s.kind === 'consent.grant') list.push([`grant ${hex(s.says.bounds.id)}`, hex(sha256(s.carried))]);
    if (s.kind === 'consent.revoke') list.push([revocation(s.says.consent, keyID(s.says.key)), hex(sha256(s.carried))]);
    return list;
  }

  recall(s, author) {
    for (const [name, digest] of this.names(s, author)) {
      const a = this.answers.get(name);
      if (a && a.digest === digest) return { verdict: a.verdict, index: a.index, known: true };
      if (a) return { verdict: 'statement.conflict', index: a.index };
    }
  }

  // Step 4.
  untimely(s) {
    const at = timeOf(s.id);
    if (at + 48 * hour < this.time) return { verdict: 'statement.late' };
    if (at > this.time + 24 * hour) return { verdict: 'statement.early' };
  }

  // Steps 5 to 9. Their changes are undone if there is no entry.
  enter(s, author) {
    const undo = [], before = this.today;
    this.undo = undo;
    this.tell(author, timeOf(s.id));
    this.workOff();
    const verdict = this.rule(s, author);
    const leaf = verdict !== 'unsupported' && leafOf(this.size, this.time, verdict, s.raw);
    if (leaf && this.allows(s, author, verdict, before, leaf.length)) {
      this.keep(s, author, verdict);
      return this.entry(s.raw, verdict);
    }
    while (undo.length > 0) undo.pop()();
    return { verdict: leaf ? 'author.budget' : verdict };
  }

  entry(raw, verdict) {
    const index = this.size++;
    return { verdict, index, time: this.time, new: true, leaf: leafOf(index, this.time, verdict, raw) };
  }

  // set and put change a field or a record, and remember its former value.
  set(object, field, value) {
    const old = object[field];
    this.undo.push(() => { object[field] = old; });
    object[field] = value;
  }
  put(records, name, value) {
    const old = records.get(name);
    this.undo.push(() => (old === undefined ? records.delete(name) : records.set(name, old)));
    if (value === undefined) records.delete(name); else records.set(name, value);
  }

  // make stores a record, and what happens to it at which time.
  make(records, name, value, time) {
    this.put(records, name, value);
    if (time !== never) this.later(time, () => this.put(records, name, undefined));
  }
  later(time, work) {
    let at = this.due.length;
    while (at > 0 && this.due[at - 1].time > time) at--;
    const d = { time, work };
    this.due.splice(at, 0, d);
    this.undo.push(() => this.due.splice(this.due.indexOf(d), 1));
  }

  // Step 5.
  tell(author, ms) {
    this.set(author, 'time', ms);
    this.set(author, 'called', 0);
    const voters = lowerMedian(this.members.filter((m) => this.votes(m)).map((m) => m.time));
    if (voters > this.time) {
      const present = this.members.filter((m) => m.called === 0 || this.size < m.called + 4096).map((m) => m.time);
      const members = present.length > 0 ? lowerMedian(present) : this.time;
      this.set(this, 'time', Math.max(this.time, Math.min(voters, members + 24 * hour)));
    }
    for (const m of this.members) {
      const behind = this.time >= m.time + 6 * hour;
      if (!behind) this.set(m, 'called', 0);
      else if (m.called === 0) this.set(m, 'called', this.size);
    }
  }

  // Step 6.
  workOff() {
    for (let n = 0; n < 16 && this.due.length > 0 && this.due[0].time <= this.time; n++) {
      const d = this.due.shift();
      this.undo.push(() => this.due.unshift(d));
      d.work();
    }
  }

  settle(q) {
    const c = this.consents.get(q.consent);
    if (q.releases > 0 || !c || c.used === 0) return;
    this.set(c, 'used', c.used - 1);
    if (c.window === q.window && c.inWindow > 0) this.set(c, 'inWindow', c.inWindow - 1);
  }

  // Step 8, the budget.
  allows(s, author, verdict, day, leaf) {
    const free = ['fragment.release', 'fragment.refuse', 'query.receipt', 'credential.revoke', 'member.approve', 'member.withdraw', 'cosigners.handover'];
    const accepted = verdict === 'accepted', granted = s.kind === 'consent.revoke' && this.consents.has(hex(s.says.consent));
    const earned = accepted && (free.includes(s.kind) || granted);
    const beyond = ['fragment.release', 'fragment.refuse'].includes(s.kind) ? Math.max(0, leaf - 5_000) : 0;
    if (earned && beyond === 0) return true;
    const x = author.spent.day === day ? { ...author.spent } : { day, entries: 0, bytes: 0, ticks: 0, proposals: 0, tombstones: 0 };
    if (earned) x.bytes += beyond;
    else if (s.kind === 'clock.tick') x.ticks++;
    else if (s.kind === 'member.propose' && s.says.amendment.action === 5 && accepted && x.proposals < 20) x.proposals++;
    else {
      x.entries++;
      x.bytes += leaf;
      if (s.kind === 'consent.revoke' && accepted) x.tombstones++;
    }
    this.set(author, 'spent', x);
    return x.entries <= this.genesis.entries && x.bytes <= this.genesis.bytes && x.ticks <= 20_000 && x.tombstones <= 100;
  }

  // Step 9.
  keep(s, author, verdict) {
    const [own, what] = this.names(s, author), at = { verdict, index: this.size };
    this.make(this.answers, own[0], { ...at, digest: own[1] }, Math.max(timeOf(s.id), this.time) + 48 * hour + 1);
    if (!what || verdict !== 'accepted') return;
    const last = s.kind === 'consent.grant' ? s.says.bounds.notAfter + 1 : this.today + 2197;
    this.make(this.answers, what[0], { ...at, digest: what[1] }, this.startOf(last) + 48 * hour + 1);
  }

  // Step 7, the verdicts.
  rule(s, author) {
    const rules = {
      'consent.grant': this.grant, 'consent.revoke': this.revoke, 'query.open': this.open, 'fragment.release': this.release,
      'fragment.refuse': this.refuse, 'query.receipt': this.receipt, 'clock.tick': () => 'accepted', 'credential.issue': this.issue,
      'credential.revoke': this.revokeCredential, 'catalog.publish': this.publish, 'member.propose': this.propose, 'member.approve': this.approve,
      'member.withdraw': this.withdraw, 'member.update': this.update, 'cosigners.handover': this.handover,
      'roster.attest': this.attest, 'voters.settled': this.settled,
    };
    return rules[s.kind]?.call(this, s.says, author) ?? 'unsupported';
  }

  grant({ bounds: b }, author) {
    if (!this.has(author, 'bank')) return 'author.role';
    if (author.card.name !== b.bank) return 'consent.bank';
    if (b.notAfter < this.today) return 'consent.expired';
    if (b.notBefore > this.today + 366) return 'consent.bounds';
    if (b.revocation.some((key) => this.answers.has(revocation(b.id, key)))) return 'consent.revoked';
    const c = { ...b, used: 0, window: 0, inWindow: 0, revoked: false, keys: b.revocation.map(hex) };
    this.make(this.consents, hex(b.id), c, this.startOf(b.notAfter + 1) + 48 * hour + 1);
    return 'accepted';
  }

  revoke({ consent, key }) {
    const c = this.consents.get(hex(consent));
    if (!c) return 'accepted';
    if (!c.keys.includes(hex(keyID(key)))) return 'consent.key';
    if (c.revoked) return 'consent.revoked';
    this.set(c, 'revoked', true);
    return 'accepted';
  }

  lasts(c) {
    if (this.today < c.notBefore) return 'consent.not_yet';
    if (this.today > c.notAfter) return 'consent.expired';
  }

  open(q, author) {
    if (!this.has(author, 'bank')) return 'author.role';
    const c = this.consents.get(hex(q.consent));
    if (!c) return 'consent.unknown';
    if (c.bank !== author.card.name) return 'consent.bank';
    if (c.revoked) return 'consent.revoked';
    if (this.lasts(c)) return this.lasts(c);
    if (q.deadline <= this.time || q.deadline > this.time + 24 * hour) return 'query.deadline';
    if (c.used >= c.maxUses) return 'consent.uses';
    const [days, uses] = c.frequency, window = days === 0 ? 0 : Math.floor((this.today - c.notBefore) / days);
    const spent = c.window === window ? c.inWindow : 0;
    if (uses > 0 && spent >= uses) return 'consent.frequency';
    this.set(c, 'used', c.used + 1);
    this.set(c, 'window', window);
    this.set(c, 'inWindow', spent + 1);
    const name = `${author.card.name} ${hex(q.id)}`, deadline = Number(q.deadline);
    const record = { consent: hex(q.consent), deadline, window, releases: 0, slots: q.slots.map(hex), outcomes: new Map() };
    this.put(this.queries, name, record);
    this.later(deadline + 1, () => this.settle(record));
    this.later(deadline + 24 * hour + 1, () => this.put(this.queries, name, undefined));
    return 'accepted';
  }

  // The common part of release and refusal: returns the query, or a verdict.
  answered({ query: [bank, id], slot }, author) {
    if (!this.has(author, 'agency')) return ['author.role'];
    const q = this.queries.get(`${bank} ${hex(id)}`);
    if (!q) return ['query.unknown'];
    if (q.outcomes.has(author.card.name)) return ['fragment.second'];
    if (this.time > q.deadline) return ['query.closed'];
    if (!q.slots.includes(hex(slotDigest(author.card.name, slot)))) return ['query.slot'];
    return [undefined, q];
  }

  release(r, author) {
    const [verdict, q] = this.answered(r, author);
    if (verdict) return verdict;
    const bank = this.member(r.query[0]);
    if (!bank || !this.has(bank, 'bank')) return 'query.bank';
    const c = this.consents.get(q.consent);
    if (!c) return 'consent.unknown';
    if (c.revoked) return 'consent.revoked';
    if (this.lasts(c)) return this.lasts(c);
    this.set(q, 'releases', q.releases + 1);
    this.outcome(q, author, hex(r.digest));
    return 'accepted';
  }

  refuse(r, author) {
    const [verdict, q] = this.answered(r, author);
    if (verdict) return verdict;
    this.outcome(q, author, null);
    return 'accepted';
  }

  outcome(q, author, digest) {
    this.make(q.outcomes, author.card.name, { digest, received: false }, q.deadline + 24 * hour + 1);
  }

  receipt(r, author) {
    if (!this.has(author, 'bank')) return 'author.role';
    const q = this.queries.get(`${author.card.name} ${hex(r.query)}`);
    if (!q) return 'query.unknown';
    const named = r.fragments.map(([agency]) => q.outcomes.get(agency));
    if (named.some((o, i) => !o || o.received || o.digest !== hex(r.fragments[i][1]))) return 'fragment.unknown';
    for (const o of named) this.set(o, 'received', true);
    return 'accepted';
  }

  issue(c, author) {
    if (!this.has(author, 'registrar')) return 'author.role';
    if (this.credentials.has(hex(c.digest))) return 'credential.exists';
    this.make(this.credentials, hex(c.digest), { registrar: author.card.name, revoked: false }, never);
    return 'accepted';
  }

  revokeCredential(r, author) {
    if (!this.has(author, 'registrar')) return 'author.role';
    const c = this.credentials.get(hex(r.digest));
    const registrar = c && this.member(c.registrar);
    if (!c || registrar && registrar !== author && this.has(registrar, 'registrar')) return 'credential.unknown';
    if (c.revoked) return 'credential.revoked';
    this.set(c, 'revoked', true);
    return 'accepted';
  }

  publish(c, author) {
    if (!this.has(author, 'agency')) return 'author.role';
    if (c.version <= (this.catalogs.get(author.card.name)?.version ?? 0n)) return 'catalog.version';
    this.put(this.catalogs, author.card.name, { version: c.version });
    return 'accepted';
  }

  // Returns the set given by names and numbers, or a verdict.
  setOf(names, f, k) {
    const cosigners = [];
    for (const name of names) {
      const m = this.member(name);
      if (!m) return ['cosigners.member'];
      if (cosigners.some(([, key]) => key.equals(m.card.cosign))) return ['cosigners.keys'];
      cosigners.push([name, m.card.cosign]);
    }
    return safe(names.length, f, k) ? [undefined, { cosigners, f, k }] : ['cosigners.quorum'];
  }

  propose({ id, amendment: a }, author) {
    if (a.action !== 5) return this.proposeChange(id, a, author);
    const [verdict, set] = this.setOf(a.names, a.f, a.k);
    if (verdict) return verdict;
    this.agree(author, author.card.name, { id: hex(id), names: a.names, f: a.f, k: a.k, approved: [] }, set);
    return 'accepted';
  }

  approve(a, author) {
    const change = this.changes.get(`${a.proposer} ${hex(a.proposal)}`);
    if (change) return this.approveChange(change, author);
    const p = this.proposals.get(a.proposer);
    if (!p || p.id !== hex(a.proposal)) return 'proposal.unknown';
    if (!this.inForce(author)) return 'author.role';
    if (p.approved.includes(author.card.name)) return 'proposal.approved';
    const [verdict, set] = this.setOf(p.names, p.f, p.k);
    if (verdict) return verdict;
    this.agree(author, a.proposer, p, set);
    return 'accepted';
  }

  agree(author, proposer, p, set) {
    if (this.inForce(author)) {
      p = { ...p, approved: [...p.approved, author.card.name] };
      if (p.approved.filter((n) => this.member(n)).length === this.force.k) this.set(this, 'next', { index: this.size, ...set });
    }
    this.put(this.proposals, proposer, p);
  }

  handover(h, author) {
    if (!this.inForce(author)) return 'author.role';
    const same = (a, b) => a.length === b.length && a.every(([name, key], i) => name === b[i][0] && key.equals(b[i][1]));
    if (!this.next || !same(this.next.cosigners, h.cosigners) || this.next.f !== h.f || this.next.k !== h.k) return 'cosigners.approvals';
    const log = { name: this.genesis.origin, type: 1, key: author.card.log };
    const keys = this.force.cosigners.map(([name, key]) => ({ name: `${this.genesis.origin}/${name}`, type: 4, key }));
    const c = open(h.checkpoint, this.genesis.origin, [...keys, log]);
    if (!c || keys.filter((k) => c.signers.has(k)).length < this.force.k) return 'cosigners.checkpoint';
    if (c.size <= this.next.index || c.size > this.size || c.size + 4096 < this.size) return 'cosigners.checkpoint';
    const { cosigners, f, k } = this.next;
    this.set(this, 'sets', [...this.sets, { after: this.size + 1, cosigners, f, k }]);
    this.set(this, 'next', null);
    for (const proposer of [...this.proposals.keys()]) this.put(this.proposals, proposer, undefined);
    return 'accepted';
  }
}

// What is about members and purposes, see *Changes of the network*.
Object.assign(Ledger.prototype, require('./members.js'));

const revocation = (consent, key) => `revocation ${hex(consent)} ${hex(key)}`;
const leafOf = (index, time, verdict, raw) => Buffer.concat([head(4, 5), head(0, 1), head(0, index), head(0, time), tstr(verdict), bstr(raw)]);

module.exports = { Ledger };
