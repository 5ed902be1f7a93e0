// Proves in the browser that an entry is in the log: it fetches the head, the policy,
// the entry and the tiles itself, and believes no hash or signature that it has not
// computed or verified. See SPEC.md section 4; RFC 6962 and c2sp.org's tlog-tiles,
// tlog-checkpoint, tlog-cosignature and tlog-policy.
const main = document.getElementById('main'), live = document.getElementById('live');
const { index, root } = main.dataset;
const zh = document.documentElement.lang.startsWith('zh');
const encoder = new TextEncoder();
const need = (ok, why) => { if (!ok) throw new Error(why); };

async function get(path, limit) {
  const answer = await fetch(root + path, { cache: 'no-store', signal: AbortSignal.timeout(20000) });
  need(answer.ok, `${path}: HTTP ${answer.status}`);
  const data = new Uint8Array(await answer.arrayBuffer());
  need(data.length <= limit, `${path}: ${data.length} bytes`);
  return data;
}

function bytesOf(text) {
  const data = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  need(btoa(String.fromCharCode(...data)) === text, `not base64: ${text}`);
  return data;
}
const base64 = (data) => btoa(String.fromCharCode(...data));
const hex = (data) => Array.from(data, (b) => b.toString(16).padStart(2, '0')).join('');
const joined = (...parts) => {
  const all = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  parts.reduce((at, p) => (all.set(p, at), at + p.length), 0);
  return all;
};
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest('SHA-256', joined(...parts)));
const leafHash = (entry) => sha256(Uint8Array.of(0), entry);
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// A tile has up to 256 hashes of one level in eight of the tree.
function tilePath(level, n, width) {
  const digits = String(n).padStart(3 * Math.ceil(String(n).length / 3), '0').replace(/\d{3}(?=\d)/g, 'x$&/');
  return `log/tile/${level}/${digits}${width < 256 ? `.p/${width}` : ''}`;
}

// tree returns the hashes of complete subtrees of a log of this size, by height and
// number.
function tree(size) {
  const tiles = new Map();
  async function tile(level, n) {
    const all = Math.floor(size / 256 ** level), width = Math.min(256, all - 256 * n), name = tilePath(level, n, width);
    if (!tiles.has(name)) tiles.set(name, get(name, 8192));
    const data = await tiles.get(name);
    need(data.length === 32 * width, `${name}: ${data.length} bytes`);
    return data;
  }
  return async function subtree(height, n) {
    const level = Math.floor(height / 8), below = 2 ** (height - 8 * level), first = n * below;
    const data = await tile(level, Math.floor(first / 256));
    let row = [];
    for (let i = 0; i < below; i++) row.push(data.subarray(32 * (first % 256 + i), 32 * (first % 256 + i + 1)));
    while (row.length > 1) row = await Promise.all(row.filter((_, i) => i % 2 === 0).map((left, i) => nodeHash(left, row[2 * i + 1])));
    return row[0];
  };
}

// rootWith computes the root of the entries from lo to hi with an entry of its own
// at place i: all that the server says enters as hashes of other subtrees.
async function rootWith(subtree, i, own, lo, hi) {
  if (hi - lo === 1 && lo === i) return own;
  const height = Math.log2(hi - lo);
  if ((i < lo || i >= hi) && Number.isInteger(height)) return subtree(height, lo / (hi - lo));
  let left = 1;
  while (2 * left < hi - lo) left *= 2;
  return nodeHash(await rootWith(subtree, i, own, lo, lo + left), await rootWith(subtree, i, own, lo + left, hi));
}

// keyOf reads NAME+ID+base64(type, Ed25519 key); null for a key of another type.
async function keyOf(text, type) {
  const [, name, id, data] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/.exec(text) || [];
  need(name, `not a key: ${text}`);
  const key = bytesOf(data);
  need(hex((await sha256(encoder.encode(`${name}\n`), key)).subarray(0, 4)) === id, `a key with a wrong id: ${text}`);
  need(key.length === 33 && key[0] === type, `not an Ed25519 key of type ${type}: ${text}`);
  return { name, id, type, bytes: hex(key.subarray(1)), key: await crypto.subtle.importKey('raw', key.subarray(1), 'Ed25519', false, ['verify']) };
}

// policyOf returns the keys of a policy, and who has to have signed.
async function policyOf(text) {
  const keys = [], voters = new Map(), grouped = new Set();
  const find = (name) => { need(voters.has(name), `not defined above: ${name}`); return voters.get(name); };
  const define = (name, voter) => { need(name !== 'none' && !voters.has(name), `a second ${name}`); voters.set(name, voter); };
  const logs = [], witnesses = [], groups = []; // of the canonical form
  const depths = new Map(); // of groups within groups
  let quorum, last;
  for (const line of text.split('\n')) {
    const [verb, first, second, ...more] = line.split(/[ \t]+/).filter((word) => word !== '');
    if (verb === undefined || verb.startsWith('#')) continue;
    if (verb === 'log') {
      keys.push(await keyOf(first, 1));
      logs.push(`log ${first}\n`);
    } else if (verb === 'quorum') {
      need(!quorum, 'a second quorum');
      quorum = find(first);
      last = `quorum ${first}\n`;
    } else if (verb === 'witness') {
      const key = await keyOf(second, 4);
      keys.push(key);
      define(first, (signed) => signed.has(key));
      witnesses.push(`witness ${first} ${second}\n`);
    } else {
      need(verb === 'group', `not a line of a policy: ${line}`);
      const members = more.map(find), k = { any: 1, all: more.length }[second] ?? Number(second);
      need(k >= 1 && k <= members.length, `not so many members: ${line}`);
      depths.set(first, 1 + Math.max(...more.map((name) => depths.get(name) ?? 0)));
      groups.push([depths.get(first), first, `group ${first} ${k} ${[...more].sort().join(' ')}\n`]);
      for (const name of more) need(!grouped.has(name) && grouped.add(name), `in two groups: ${name}`);
      define(first, (signed) => members.filter((voter) => voter(signed)).length >= k);
    }
  }
  need(quorum, 'the policy wants no signatures');
  need(new Set(keys.map((k) => k.bytes)).size === keys.length, 'a policy with one key twice');
  groups.sort(([a, x], [b, y]) => a - b || (x < y ? -1 : 1));
  const form = [...logs.sort(), ...witnesses.sort(), ...groups.map((g) => g[2]), last].join('');
  const print = hex(await sha256(encoder.encode(form))).slice(0, 32).replace(/.{4}(?=.)/g, '$& ');
  return { keys, quorum, print };
}

// headOf reads a checkpoint and verifies every signature by a key of the policy.
async function headOf(note, policy) {
  const [, text, origin, size, top, lines] = /^((\S+)\n(0|[1-9]\d*)\n(\S+)\n)\n((?:\u2014 [^\s+]+ \S+\n)+)$/.exec(note) || [];
  need(text && bytesOf(top).length === 32 && Number.isSafeInteger(Number(size)), 'not a checkpoint');
  const signed = new Set(), seen = new Set();
  for (const [, name, data] of lines.trimEnd().split('\n').map((line) => line.split(' '))) {
    const bytes = bytesOf(data), id = hex(bytes.subarray(0, 4));
    need(!seen.has(name + id) && seen.add(name + id), `a second signature by ${name}`);
    const key = policy.keys.find((k) => k.name === name && k.id === id && (k.type === 4 || name === origin));
    if (!key) continue;
    need(bytes.length === (key.type === 4 ? 76 : 68), `a signature of the wrong length by ${name}`);
    const time = key.type === 4 ? new DataView(bytes.buffer, 4, 8).getBigUint64(0) : 0n;
    const message = encoder.encode(key.type === 4 ? `cosignature/v1\ntime ${time}\n${text}` : text);
    need(await crypto.subtle.verify('Ed25519', key.key, bytes.subarray(-64), message), `a wrong signature by ${name}`);
    signed.add(key);
  }
  need([...signed].some((k) => k.type === 1), 'not signed by a log of the policy');
  need(policy.quorum(signed), 'too few cosignatures');
  return { size: Number(size), top, by: [...signed].filter((k) => k.type === 4).map((k) => k.name.split('/').pop()) };
}

async function entryOf(i, size) {
  const n = Math.floor(i / 256), width = Math.min(256, size - 256 * n);
  const bundle = await get(tilePath('entries', n, width), 256 * 65537);
  for (let at = 0, k = 256 * n; at + 2 <= bundle.length; k++) {
    const end = at + 2 + 256 * bundle[at] + bundle[at + 1];
    need(end <= bundle.length, 'the bundle ends within an entry');
    if (k === i) return bundle.subarray(at + 2, end);
    at = end;
  }
  throw new Error('the entry is not in its bundle');
}

function say(good, text) {
  const p = document.createElement('p');
  p.textContent = text;
  live.replaceChildren(p);
  live.classList.add(good ? 'good' : 'bad');
}

try {
  const decode = (data) => new TextDecoder('utf-8', { fatal: true }).decode(data);
  const policy = await policyOf(decode(await get('policy', 1 << 20)));
  const head = await headOf(decode(await get('log/checkpoint', 1 << 20)), policy);
  const i = Number(index);
  if (i >= head.size) {
    say(false, zh ? `条目 ${i} 尚未终局：最新的终局日志头有 ${head.size} 个条目。稍后重新打开本页。` : `Entry ${i} is not final yet: the newest final head has ${head.size} entries. Open this page again later.`);
  } else {
    const entry = await entryOf(i, head.size);
    const computed = base64(await rootWith(tree(head.size), i, await leafHash(entry), 0, head.size));
    need(computed === head.top, `the entry leads to the root ${computed}, the head says ${head.top}`);
    need(main.dataset.entry === base64(entry), 'the log has another entry here than this page shows');
    say(true, zh ? `浏览器已自行验证：条目 ${i} 在 ${head.size} 个条目的日志中，根 ${head.top}；由 ${head.by.join('、')} 共签。所用信任策略取自本成员，指纹 ${policy.print}：须与其他成员核对（atoll log policy）。`
      : `Verified in this browser: entry ${i} is in the log of ${head.size} entries with root ${head.top}; cosigned by ${head.by.join(', ')}. The policy came from this member; its fingerprint is ${policy.print}: compare it with other members (atoll log policy).`);
  }
} catch (err) {
  const unable = err instanceof TypeError || err instanceof DOMException; // the network, or a browser without Ed25519
  say(false, unable ? (zh ? `尚未验证：浏览器未能取得或计算（${err.message}）。稍后再试，或换用较新的浏览器。` : `Not verified yet: the browser could not fetch or compute it (${err.message}). Try again, or use a newer browser.`)
    : (zh ? `未能验证：${err.message}。请保留此页，并与其他成员核对。` : `NOT verified: ${err.message}. Keep this page, and compare with other members.`));
}
