// Changes of the network but for its cosigners: SPEC.md section 8.
'use strict';
const { keyID } = require('./keys.js');
const { folded, keysOf, possessed, rosterDigest } = require('./statement.js');

const hour = 3_600_000, hex = (b) => b.toString('hex');
const votersThen = (a) => (a.action === 4 || a.action === 8 && a.names.length > 0 ? a.names : undefined);
const about = (a) => [a.action === 6 ? 'the purposes' : a.card?.name ?? a.name, votersThen(a) && 'the voters'].filter(Boolean);
const isAuditor = (card) => card.roles.some(([r]) => r === 'auditor');
const sameKeys = (a, b) => a.generation === b.generation && keysOf(a).every((k, i) => k.equals(keysOf(b)[i]));
const rolesAndTitles = (c) => JSON.stringify([c.name, c.chinese, c.english, c.roles]);
const same = (a, b) => rolesAndTitles(a) === rolesAndTitles(b) && sameKeys(a, b) && JSON.stringify(a.addresses) === JSON.stringify(b.addresses);
const called = (c) => [c.name, c.chinese, c.english].map(folded);
const laidOver = (card, by) => ({ ...card, chinese: by.chinese, english: by.english, roles: by.roles });

module.exports = {
  proposeChange(id, a, author) {
    if ([2, 7, 9].includes(a.action)) return 'unsupported';
    const mine = [...this.changes.values()].filter((p) => p.proposer === author.card.name);
    if (mine.length >= 8) return 'proposal.many';
    if (a.action === 3) {
      const m = this.member(a.card.name);
      if (m && !same(laidOver(m.card, a.card), a.card)) return 'member.card';
    }
    const p = { key: `${author.card.name} ${hex(id)}`, proposer: author.card.name, index: this.size, amendment: a, approved: [] };
    const verdict = this.amendable(p);
    if (verdict) return verdict;
    this.later(this.time + 14 * 24 * hour + 1, () => this.put(this.changes, p.key, undefined));
    this.support(p, author);
    return 'accepted';
  },

  approveChange(p, author) {
    if (!this.electorate(p.amendment).includes(author)) return 'author.role';
    if (p.approved.includes(author.card.name)) return 'proposal.approved';
    if (about(p.amendment).some((what) => this.changed.get(what) > p.index)) return 'proposal.stale';
    const verdict = this.amendable(p);
    if (verdict) return verdict;
    this.support(p, author);
    return 'accepted';
  },

  withdraw({ proposal }, author) {
    const name = author.card.name, key = `${name} ${hex(proposal)}`;
    if (this.changes.has(key)) this.put(this.changes, key, undefined);
    else if (this.proposals.get(name)?.id === hex(proposal)) this.put(this.proposals, name, undefined);
    else return 'proposal.unknown';
    return 'accepted';
  },

  electorate(a) { return this.members.filter((m) => a.action !== 8 || m.card.name !== a.name); },

  support(p, author) {
    const those = this.electorate(p.amendment), n = those.length, { approvals, members: founders } = this.genesis;
    const approved = those.includes(author) ? [...p.approved, author.card.name] : p.approved;
    const count = those.filter((m) => approved.includes(m.card.name)).length;
    if (count < Math.max(Math.floor(n / 2) + 1, Math.ceil(approvals * n / founders.length))) this.put(this.changes, p.key, { ...p, approved });
    else {
      this.put(this.changes, p.key, undefined);
      for (const what of about(p.amendment)) this.put(this.changed, what, this.size);
      this.enact(p.amendment);
    }
  },

  // Returns the verdict against a change, on the state of this moment, or nothing.
  amendable({ index, amendment: a }) {
    const m = this.member(about(a)[0]), auditors = this.members.filter((o) => isAuditor(o.card)).length;
    if (a.action === 1) {
      const keys = keysOf(a.card).map(hex);
      if (this.changed.has(a.card.name) || this.imitates(a.card)) return 'member.name';
      if (a.card.generation !== 0n) return 'member.card';
      if (new Set(keys).size < keys.length || keys.some((k) => this.usedKeys.has(k))) return 'member.keys';
      if (!possessed(a.card, a.possession, this.network)) return 'member.keys';
      if (this.members.length >= 40 || isAuditor(a.card) && auditors >= 6) return 'member.many';
    }
    if (a.action === 3) {
      if (!m) return 'member.unknown';
      if (rolesAndTitles(a.card) === rolesAndTitles(m.card)) return 'member.card';
      if (this.imitates(a.card, m.card)) return 'member.name';
      if (this.isLast(m, a.card)) return 'member.last';
      if (isAuditor(a.card) && !isAuditor(m.card) && auditors >= 6) return 'member.many';
    }
    if (a.action === 4) return this.mayVote(a.names);
    if (a.action === 8) {
      if (!m) return 'member.unknown';
      if (a.trustEnd > BigInt(index)) return 'member.trust';
      if (this.votes(m) !== Boolean(votersThen(a))) return 'voters.members';
      const verdict = votersThen(a) && this.mayVote(a.names, a.name);
      if (verdict) return verdict;
      const recent = new Set(this.voterSets.flat());
      if (recent.has(a.name) && [...recent].some((n) => n !== a.name && !this.member(n))) return 'voters.unsettled';
      if (this.isLast(m, { roles: [] })) return 'member.last';
      if (this.inForce(m) && this.force.cosigners.filter(([n]) => this.member(n)).length <= this.force.k) return 'cosigners.quorum';
    }
  },

  // Returns the verdict against voters in place of those of now, or nothing.
  mayVote(names, gone) {
    if (![3, 5, 7].includes(names.length) || names.some((n) => n === gone || !this.member(n))) return 'voters.members';
    if (names.join() === this.voterSets.at(-1).join()) return 'voters.members';
    if (names.filter((n) => !this.voterSets[0].includes(n)).length > (names.length - 1) / 2) return 'voters.many';
    if (this.voterSets.length > 8) return 'voters.unsettled';
  },

  votes(m) { return this.voterSets.at(-1).includes(m.card.name); },

  settled({ from }, author) {
    if (!this.votes(author)) return 'author.role';
    if (this.voterSets.length === 1 || from !== BigInt(this.changed.get('the voters') + 1)) return 'voters.stale';
    this.set(this, 'voterSets', [this.voterSets.at(-1)]);
    return 'accepted';
  },

  isLast(m, card) {
    return ['auditor', 'registrar'].some((role) => this.has(m, role) && !this.has({ card }, role) && !this.members.some((o) => o !== m && this.has(o, role)));
  },

  imitates(card, now) {
    const others = this.members.filter((m) => m.card.name !== card.name).flatMap((m) => called(m.card));
    return called(card).some((word) => others.includes(word) && !(now && called(now).includes(word)));
  },

  enact(a) {
    if (a.action === 1) {
      const m = { card: a.card, from: this.size + 1, time: this.time, called: 0, spent: {}, updates: {} };
      this.set(this, 'members', [...this.members, m]);
      this.put(this.authors, hex(keyID(a.card.statement)), m);
      for (const k of keysOf(a.card)) this.put(this.usedKeys, hex(k), true);
    }
    const m = this.member(about(a)[0]);
    if (votersThen(a)) this.set(this, 'voterSets', [...this.voterSets, a.names]);
    if (a.action === 3) this.replace(m, laidOver(m.card, a.card));
    if (a.action === 6) this.set(this, 'purposes', a.purposes);
    if (a.action === 8) {
      this.set(this, 'members', this.members.filter((o) => o !== m));
      this.put(this.authors, hex(keyID(m.card.statement)), undefined);
      this.put(this.proposals, a.name, undefined);
      for (const p of [...this.changes.values()]) if (p.proposer === a.name) this.put(this.changes, p.key, undefined);
      if (this.next?.cosigners.some(([n]) => n === a.name)) this.set(this, 'next', null);
    }
  },

  replace(m, card) {
    this.set(m, 'card', card);
    this.set(m, 'from', this.size + 1);
  },

  attest({ digest }, author) {
    if (!this.votes(author)) return 'author.role';
    const byName = (a, b) => Buffer.compare(Buffer.from(a.card.name), Buffer.from(b.card.name));
    const members = [...this.members].sort(byName), { after, cosigners, f, k } = this.force;
    const is = rosterDigest({
      members: members.map((m) => [m.card, m.from]), voters: this.voterSets.at(-1),
      cosigners: { after, origin: this.genesis.origin, keys: cosigners, f, k }, purposes: this.purposes,
    });
    return is.equals(digest) ? 'accepted' : 'roster.digest';
  },

  update({ card, possession }, author) {
    const now = author.card, today = author.updates.day === this.today ? author.updates.count : 0;
    if (rolesAndTitles(card) !== rolesAndTitles(now)) return 'member.card';
    if (!sameKeys(card, now)) return 'unsupported';
    if (possession.length > 0 || same(card, now)) return 'member.card';
    if (today >= 10) return 'member.often';
    this.replace(author, { ...now, addresses: card.addresses });
    this.set(author, 'updates', { day: this.today, count: today + 1 });
    return 'accepted';
  },
};
