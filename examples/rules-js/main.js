// Decides a log again, with Node 20 alone, according to SPEC.md:
//   node main.js vectors FILE   a file of statements with their answers, a JSON object a line
//   node main.js log LOGDIR     an exported log, whose integrity examples/verify-js checks
//   node main.js notices FILE   a file of notices that enterprises read, a JSON object a line
// Exit code 0 or 6.
'use strict';
const fs = require('node:fs'), path = require('node:path');
const { decode, u64, bytes, text, tuple } = require('./cbor.js');
const { Malformed } = require('./statement.js');
const { Ledger } = require('./rules.js');
const { render, digest } = require('./notice.js');

process.on('uncaughtException', (err) => { console.error(`rules-js: ${err.message}`); process.exit(6); });
function need(ok, why) { if (!ok) { console.error(`rules-js: ${why}`); process.exit(6); } }

// Vectors: { log?, statement, verdict, index?, time?, known? }. A line with "log" begins an
// empty log. Index and time are left out if they are 0.
function vectors(file) {
  let ledger, log, number = 0;
  const verdicts = {};
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    number++;
    if (line === '') continue;
    const want = JSON.parse(line);
    if (want.log) { ledger = new Ledger(); log = want.log; }
    need(ledger, `${file}:${number} is of no log`);
    const got = ledger.apply(Buffer.from(want.statement, 'base64'));
    const tell = (a) => JSON.stringify([a.verdict, a.index ?? 0, a.time ?? 0, Boolean(a.new), Boolean(a.known)]);
    need(tell(got) === tell(want), `${file}:${number} (log ${log}): ${tell(got)}, and the file says ${tell(want)}`);
    verdicts[got.verdict] = (verdicts[got.verdict] ?? 0) + 1;
  }
  return verdicts;
}

// entries yields the leaves of an exported log (c2sp.org/tlog-tiles).
function* entries(dir) {
  const size = Number(fs.readFileSync(path.join(dir, 'checkpoint'), 'utf8').split('\n')[1]);
  let count = 0;
  for (let first = 0; first < size; first += 256) {
    const width = Math.min(256, size - first), n = String(first / 256);
    const name = n.padStart(3 * Math.ceil(n.length / 3), '0').replace(/\d{3}(?=\d)/g, 'x$&/') + (width < 256 ? `.p/${width}` : '');
    const bundle = fs.readFileSync(path.join(dir, 'tile/entries', name));
    for (let at = 0; at < bundle.length; count++) {
      const length = bundle.readUInt16BE(at);
      yield bundle.subarray(at + 2, at += 2 + length);
    }
  }
  need(count === size, `${count} entries, and the checkpoint says ${size}`);
}

function replay(dir) {
  const entry = tuple(u64(1n, 1n), u64(), u64(), text(() => true, 1, 40), bytes(0, Infinity));
  const ledger = new Ledger(), verdicts = {};
  let index = 0;
  for (const leaf of entries(dir)) {
    const [, , time, verdict, statement] = decode(leaf, entry), got = ledger.apply(statement);
    need(got.new, `entry ${index}: the statement has no place in the log: ${got.verdict}`);
    need(got.leaf.equals(leaf), `entry ${index}: ${verdict} at ${time}, and the rules say ${got.verdict} at ${got.time}`);
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1;
    index++;
  }
  return verdicts;
}

// Notices: { network, members, titles, draft } with the notice and its digest, or
// with refused if there is none.
function notices(file) {
  const kinds = {};
  fs.readFileSync(file, 'utf8').split('\n').forEach((line, i) => {
    if (line === '') return;
    const want = JSON.parse(line);
    let got;
    try { got = render(Buffer.from(want.draft, 'base64'), want); } catch (err) {
      if (!(err instanceof Malformed)) throw err;
    }
    need(got === want.notice && Boolean(want.refused) === (got === undefined) && (got === undefined || digest(got) === want.digest),
      `${file}:${i + 1} (${want.what}): ${got ?? 'refused'}`);
    const kind = got === undefined ? 'refused' : 'shown';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  });
  return kinds;
}

const [what, name] = process.argv.slice(2);
const [run, unit] = { vectors: [vectors, 'statements'], log: [replay, 'entries'], notices: [notices, 'notices'] }[what] ?? [];
need(run && name, 'usage: node main.js vectors FILE, node main.js log LOGDIR, or node main.js notices FILE');
const verdicts = run(name), count = Object.values(verdicts).reduce((a, b) => a + b, 0);
need(count > 0, 'there is nothing in it');
console.log(`${count} ${unit}, each decided alike: ${Object.entries(verdicts).sort().map(([v, n]) => `${v} ${n}`).join(', ')}`);
