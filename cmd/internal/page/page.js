// The page's interface. Everything that is decided, verified or signed is done by
// the program in the file, through atoll.call. Text gets into the page by
// textContent alone, and nothing is kept in the browser.
const $ = (id) => document.getElementById(id);
let fetched = null; // the genesis that a member gave: it counts once the person has compared it
let zh = (navigator.language || 'zh').startsWith('zh'), view = null, consent = null, shown = null, locked = false, unsaved = ''; // unsaved: the kit's file that the person has not confirmed
const own = (key) => (Object.hasOwn(words, key) ? words[key][zh ? 0 : 1] : key); // an unknown code is shown as it is
const fill = (key, ...args) => own(key).replace(/%(\d)/g, (_, n) => String(args[n - 1]));

// clean replaces what cannot be seen or turns other text around: names and reasons
// are a stranger's.
const clean = (text) => text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (c) => (c === '\n' ? c : '\ufffd'));
function element(name, text, ...children) {
  const e = document.createElement(name);
  if (text !== null) e.textContent = clean(text);
  e.append(...children);
  return e;
}
// Where it is said what an act has come to. What the last one said goes when another begins.
const acts = ['opened', 'fetched', 'created', 'kept', 'said', 'signed', 'sent', 'revoked'];
function say(where, text, bad) {
  $(where).textContent = clean(text);
  $(where).className = bad ? 'bad' : 'good';
}
// faultText says a fault in the page's language. Details are in English: a Chinese page
// has those alone that its own sentence does not say, what a member answers and what
// nobody foresaw.
const told = new Set(['unavailable', 'not_proved', 'consent.declined', 'log.refused', 'internal']);
const faultText = (f) => `${zh ? f.zh : f.en} [${f.code}]${f.detail && (!zh || told.has(f.code)) ? `\n${f.detail}` : ''}`;

// call calls the program; a fault is thrown.
async function call(name, input) {
  const answer = JSON.parse(await atoll.call(name, JSON.stringify(input ?? {})));
  if (answer.fault) throw answer.fault;
  return answer.ok;
}
let busy = 'looked'; // where it is said how far the program is

// action has a button do something once at a time, and shows what came of it.
function action(button, where, work) {
  const b = typeof button === 'string' ? $(button) : button;
  b.addEventListener('click', async () => {
    b.disabled = true;
    busy = where;
    for (const id of acts) if (id !== where) say(id, '');
    say(where, own('working'));
    await new Promise((ok) => { setTimeout(ok, 20); }); // painted before the program works
    try {
      say(where, await work());
    } catch (e) {
      say(where, e.code ? faultText(e) : String(e.message ?? e), true);
    } finally {
      b.disabled = false;
    }
  });
}
function download(name, content) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([content], { type: 'application/octet-stream' }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 60000);
}
const base64 = (bytes) => { let s = ''; for (const b of bytes) s += String.fromCharCode(b); return btoa(s); };
const bytesOf = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
async function files(id) {
  const list = [];
  for (const f of $(id).files) list.push(base64(new Uint8Array(await f.slice(0, 17 << 20).arrayBuffer())));
  return list;
}
// given returns the papers that were chosen, or the one whose text was pasted.
async function given(id) {
  const chosen = await files(id), pasted = $(`${id}text`).value.trim();
  return pasted ? [...chosen, base64(new TextEncoder().encode(`${pasted}\n`))] : chosen;
}
const forget = (id) => { $(id).value = ''; $(`${id}text`).value = ''; };
async function saveKit() {
  const t = await call('kit');
  view = t.view;
  download(t.file, t.kit);
  $('changed').hidden = true;
  present();
  return t.file;
}

// lock lets the page talk to the addresses of the network's members, where it came from
// included, and to no others: a second policy can only take away. It is called before the
// first request, when the members are known by the newest request that was read.
function lock() {
  if (locked || view === null) return; // before there are keys, the genesis alone is fetched, from where the page came from
  const origins = new Set(addresses().map(originOf).filter(Boolean));
  const m = document.createElement('meta');
  m.httpEquiv = 'Content-Security-Policy';
  m.content = `connect-src ${[...origins].join(' ') || "'none'"}`;
  document.head.append(m);
  locked = true;
}
// originOf returns the origin of an address, or '' if it has none that a policy can
// name: a ; would end the list of origins, and no policy has IPv6 addresses (CSP 3).
function originOf(address) {
  const u = URL.canParse(address) ? new URL(address).origin : '';
  return /^https?:\/\/[a-z0-9._-]+(:\d+)?$/.test(u) ? u : '';
}
const extra = () => $('extra').value.split(/[\s,]+/).filter((u) => /^https?:\/\/[^/?#@]+$/.test(u)).map(originOf).filter(Boolean);
const from = originOf(location.href); // the member that serves the page
const addresses = () => [...new Set([...view.members.flatMap((m) => m.urls), ...extra(), from])];
const named = (url) => { const m = view?.members.find((x) => x.urls.includes(url)); return m ? `${zh ? m.zh : m.en} ${url}` : url; };
const chosen = () => [...document.querySelectorAll('#members input:checked')].map((e) => e.value);
const titleOf = (name) => { const m = view?.members.find((x) => x.name === name); return m ? (zh ? m.zh : m.en) : name; };

// present shows the open kit.
function present() {
  for (const e of document.querySelectorAll('[data-t]')) e.textContent = own(e.dataset.t);
  document.documentElement.lang = zh ? 'zh-CN' : 'en';
  document.title = `atoll · ${own('title')}`;
  $('language').textContent = zh ? 'English' : '中文';
  $('language').lang = zh ? 'en' : 'zh-CN';
  $('closed').hidden = view !== null;
  $('waiting').hidden = view !== null || !linked;
  $('fetching').hidden = from === '';
  $('comparing').hidden = fetched === null || fetched.same;
  for (const id of ['opendesk', 's-consent', 's-history']) $(id).hidden = view === null;
  if (view === null) return;
  const rows = [['subject', view.subject], ['network', `${view.network_name} (${view.network_fingerprint})`], ['zone', view.zone], ['fingerprint', view.fingerprint],
    ['credentialof', view.not_before ? fill('until', view.not_before, view.not_after) + (view.stranger ? own('stranger') : '') : own('nocredential')],
    ['next', view.unmarked ? own('unmarked') : view.next], ['seen', view.seen]];
  $('who').replaceChildren(...rows.flatMap(([k, v]) => [element('dt', own(k)), element('dd', String(v))]));
  presentMembers();
  presentKept();
  if (unsaved) $('unsaved').textContent = fill('confirmsaved', unsaved);
  if (shown) $('asked').textContent = fill('type', shown.language === 'zh-CN' ? '同意' : 'agree');
  presentHistory();
}
function presentMembers() {
  const had = new Set(chosen()), all = []; // address, text, and whether it is ticked by the person alone
  for (const m of view.members) m.urls.forEach((u, i) => all.push([u, `${zh ? m.zh : m.en} ${u}`, i > 0 || m.roles.includes('bank')]));
  for (const u of extra()) all.push([u, u, false]);
  let few = had.size === 0 ? 2 : 0;
  $('members').replaceChildren(...all.map(([url, text, later]) => {
    const box = document.createElement('input');
    box.type = 'checkbox';
    box.value = url;
    box.disabled = !originOf(url);
    box.checked = !box.disabled && (had.has(url) || (!later && few-- > 0));
    return element('p', null, element('label', null, box, ` ${text}${box.disabled ? ` ${own('unreachable')}` : ''}`));
  }));
}

async function opened(v) {
  view = v;
  fetched = null;
  for (const id of ['passphrase', 'new1', 'new2', 'filestext', 'genesistext']) $(id).value = '';
  present();
  if (!linked) return;
  $('pasted').value = linked;
  if (!linked.startsWith('#r=')) {
    say('said', fill('fetch', linked.slice(3))); // the bank is asked once the person wants it
    return;
  }
  try {
    await read({ typed: linked });
    $('pasted').value = '';
  } catch (e) { say('said', e.code ? faultText(e) : String(e.message ?? e), true); } // the kit is open all the same
}
action('open', 'opened', async () => {
  await opened(await call('open', { files: await given('files'), passphrase: $('passphrase').value }));
  return '';
});
action('fetchgenesis', 'fetched', async () => {
  fetched = null;
  fetched = await call('genesis', { url: new URL('enterprise/genesis.pem', location.href).href }); // relative: a proxy may have put the address under a path
  present();
  return fill('compare', from, fetched.network_name, inLines(fetched.fingerprint));
});
action('samegenesis', 'fetched', async () => {
  fetched.same = true;
  forget('genesis');
  present();
  return fill('usegenesis', fetched.fingerprint);
});
action('othergenesis', 'fetched', async () => {
  fetched = null;
  present();
  return '';
});
action('create', 'created', async () => {
  if ($('new1').value !== $('new2').value) throw new Error(own('differ'));
  const genesis = (await given('genesis'))[0];
  if (!genesis && fetched && !fetched.same) throw new Error(own('uncompared'));
  await opened(await call('new', { genesis: genesis ?? fetched?.genesis ?? '', code: $('code').value.trim(), passphrase: $('new1').value }));
  await saveKit();
  say('kept', own('made'));
  return '';
});
action('savekit', 'kept', async () => `${await saveKit()}: ${own('saved')}`);
action('savechanged', 'kept', async () => `${await saveKit()}: ${own('saved')}`);
action('saveenrolment', 'kept', async () => { download('enrolment.pem', (await call('kit')).enrolment); return `enrolment.pem: ${own('saved')}`; });
action('saveseed', 'kept', async () => { download('seed.age', bytesOf((await call('kit')).seed)); return `seed.age: ${own('saved')}`; });
$('shut').addEventListener('click', () => location.reload()); // nothing is left of the keys
action('add', 'kept', async () => {
  const [credential] = await given('credential');
  if (!credential && view.not_before) return own('kept'); // as after a success
  if (!credential) throw new Error(own('nothing'));
  view = await call('add', { credential });
  forget('credential');
  present();
  return own('added');
});

// inLines has groups of digits in lines of four, as on paper.
const inLines = (groups) => groups.replace(/((?:\S+ ){3}\S+) /g, '$1\n');
let source = null; // what the request that is shown was read from
async function read(input) {
  source = input;
  $('reading').hidden = true;
  $('sending').hidden = true; // it is of another consent, which the list has
  shown = await call('read', { ...input, from, dated: $('dated').value.trim() });
  view = shown.view;
  $('notice').replaceChildren(...(shown.notice.match(/[^\n]*\n/g) ?? []).map((line) => element('span', line))); // a line that is too long is seen to go on
  $('notice').lang = shown.language;
  $('digest').textContent = inLines(shown.groups);
  $('reading').hidden = false;
  $('sign').disabled = shown.problem !== null;
  $('word').value = '';
  present();
  say('said', shown.problem ? faultText(shown.problem) : '', shown.problem !== null);
}
action('read', 'said', async () => {
  const typed = $('pasted').value.trim(), [request] = await files('request');
  const input = typed ? { typed } : request ? { request } : !$('reading').hidden && source; // a link's request is shown with nothing in the fields
  if (!input) throw new Error(own('nothing'));
  await read(input);
  if (shown.problem) throw shown.problem;
  return '';
});
action('sign', 'signed', async () => {
  consent = await call('sign', { word: $('word').value.trim(), digest: shown.digest });
  $('reading').hidden = true;
  $('word').value = '';
  unsaved = await saveKit(); // before the consent can leave the page
  presentSending();
  return fill('signedas', consent.consent);
});
// presentSending shows where the consent goes that was signed or chosen last, once the
// person has confirmed that the kit which knows of it is saved: another signature under
// its number could otherwise be made with the old one.
function presentSending() {
  $('confirm').hidden = !unsaved;
  if (consent) {
    $('bankurl').value = view.members.find((m) => m.name === consent.bank)?.urls[0] ?? '';
    $('sendingid').textContent = consent.consent;
  }
  $('sending').hidden = unsaved !== '' || consent === null;
  present();
}
$('confirmed').addEventListener('click', () => {
  unsaved = '';
  say('signed', '');
  presentSending();
  $('save').focus();
});
action('saveagain', 'signed', async () => { unsaved = await saveKit(); presentSending(); return `${unsaved}: ${own('saved')}`; });
window.addEventListener('beforeunload', (e) => { if (unsaved) e.preventDefault(); });
action('save', 'signed', async () => { const name = `consent-${consent.consent.slice(0, 8)}.pem`; download(name, consent.paper); return `${name}: ${own('saved')}`; });
const titles = (names) => names.map(titleOf).join(zh ? '、' : ', ');
const outcome = (a, done = 'onlog') => (a.proved ? fill(done, a.entry, titles(a.cosigners)) : own('unproved') + (a.verdict && a.verdict !== 'accepted' ? `\n${fill('sayswhat', a.verdict)}` : ''));
const pause = (ms) => new Promise((ok) => { setTimeout(ok, ms); });

// proved sends a statement, and again until it is proved, nobody is left to prove it,
// or half a minute is over.
async function proved(name, input) {
  for (let end = Date.now() + 30000; ;) {
    const a = await call(name, input);
    if (a.proved || a.waiting === false || Date.now() > end) return a;
    await pause(2000);
  }
}
action('send', 'sent', async () => {
  const ready = await call('ready', { consent: consent.consent, members: chosen() });
  if (ready.again) {
    consent = ready.again;
    unsaved = await saveKit();
    presentSending();
    return fill('resigned', consent.consent);
  }
  const a = await proved('submit', { consent: consent.consent, via: $('bankurl').value.replace(/\/+$/, '') });
  view = (await call('kit')).view;
  present();
  return (ready.sent ? `${own('already')}\n` : '') + outcome(a);
});

// presentKept lists the consents that the kit keeps. Each can be sent, saved or taken
// back, in another session than it was signed in too, as far as its state permits.
function presentKept() {
  $('s-kept').hidden = view.signed.length === 0;
  const heads = ['id', 'bank', 'purpose', 'product', 'days', 'state'].map(own);
  $('keptlist').replaceChildren(row('th', heads), ...view.signed.map((c) => {
    const cell = element('span', `${c.consent}\n`), words = c.words[zh ? 'zh-CN' : 'en'];
    if (!['revoked', 'expired', 'used_up', 'void', 'another'].includes(c.state)) {
      const send = element('button', own('choose'));
      send.type = 'button';
      send.dataset.send = c.consent;
      action(send, 'signed', async () => {
        consent = await call('consent', { consent: c.consent });
        presentSending();
        if (unsaved) throw new Error(fill('confirmfirst', unsaved));
        $('bankurl').focus(); // where it goes is seen before it is sent
        return '';
      });
      cell.append(send, ' ');
    }
    if (!['revoked', 'expired', 'another'].includes(c.state)) cell.append(...takesBack('takenback', 'sent', c.consent));
    return row('td', [cell, titleOf(c.bank), flat(words.purpose), flat(c.product), fill('until', c.not_before, c.not_after), words.state], heads);
  }));
}
let found = null;
action('look', 'looked', async () => {
  found = await call('history', { members: chosen() });
  $('changed').hidden = false; // the kit remembers what it has seen
  view = (await call('kit')).view;
  present();
  const h = found.history.head;
  return fill('readfrom', h.size, h.size - 1, titles(h.cosigners), h.of, h.cosigners.length, inWords().signed) +
    (found.stale ? `\n${own(h.undated ? 'undated' : 'stale')}` : '') + (found.history.events.length ? '' : `\n${own('none')}`) + `\n${own('incomplete')}`;
});
const inWords = () => found.told[zh ? 'zh-CN' : 'en']; // the history in words
const flat = (text) => text.replaceAll('\n', '\ufffd'); // a stranger's text makes no lines

// row makes a row of a table. A narrow window has its cells below one another, each
// after the heading of its column.
function row(kind, cells, heads) {
  return element('tr', null, ...cells.map((c, i) => {
    const cell = c instanceof Node ? element(kind, null, c) : element(kind, String(c));
    if (heads) cell.dataset.head = heads[i];
    return cell;
  }));
}

function presentHistory() {
  if (!found) return;
  const { size } = found.history.head;
  $('agreed').replaceChildren(element('li', fill('source', named(found.from))), ...found.others.map((o) => {
    const li = element('li', o.fault ? `${named(o.url)}: ${faultText(o.fault)}` : fill(!o.same ? 'disagrees' : o.size > size ? 'newer' : 'agrees', named(o.url), o.size, o.size - size) + (o.indexed ? fill('indexed', o.indexed) : ''));
    li.className = o.fault || !o.same ? 'bad' : 'good';
    return li;
  }), ...found.wrong.map((w) => {
    const li = element('li', fill('wrong', named(w.url), w.entry, w.entries));
    li.className = 'bad';
    return li;
  }));
  const granted = ['id', 'bank', 'purpose', 'product', 'days', 'state', 'uses'].map(own);
  $('consents').replaceChildren(row('th', granted), ...inWords().consents.map((c, i) => {
    const buttons = found.history.consents[i].state === 'revoked' ? [] : takesBack('consent', 'revoked', c.consent);
    return row('td', [element('span', `${c.consent}\n`, ...buttons), ...[c.bank, c.purpose, c.product, c.days, c.state, c.uses].map(flat)], granted);
  }));
  const others = ['entry', 'under', 'who', 'what', 'result', 'details'].map(own), happened = [fill('clock', inWords().zone), ...others];
  $('events').replaceChildren(row('th', [fill('time', inWords().zone), ...others]), ...inWords().events.map((e) => {
    const details = e.details.flatMap((d) => [flat(d.text), ...(d.condition ? [`  ${flat(d.condition)}`] : [])]);
    const who = flat(e.by + (e.operator ? fill('operator', e.operator) : ''));
    return row('td', [e.time, e.entry, e.consent, who, e.what, flat(e.result) || own('accepted'), details.join('\n')], happened);
  }));
}
// takesBack returns a button that takes a consent back once it was pressed again, and one
// to cancel. There is no dialog: the page may be in a sandbox.
function takesBack(name, where, id) {
  const [button, cancel] = ['takenback', 'cancel'].map((key) => element('button', own(key)));
  button.type = cancel.type = 'button';
  button.dataset[name] = id;
  let asked = 0, over; // when the person was asked; 0: not
  const rest = () => {
    asked = 0;
    clearTimeout(over);
    button.textContent = own('takenback');
    cancel.hidden = true;
  };
  rest();
  action(button, where, () => {
    if (asked && performance.now() - asked > 1500) { // of a double click the second is not an answer
      rest();
      return takeBack(id, where);
    }
    if (!asked) {
      asked = performance.now();
      over = setTimeout(rest, 60000);
      button.textContent = own('surely');
      cancel.hidden = false;
    }
    return fill('sure', id);
  });
  cancel.addEventListener('click', () => {
    rest();
    say(where, '');
    button.focus();
  });
  return [button, ' ', cancel];
}
const hearing = new Map(); // who shows what members say to the revocation of a consent, by its id

// takeBack revokes through every chosen member, and is done once each has proved it.
// What one says is shown before the others have answered.
async function takeBack(id, where) {
  const text = (m) => `${titleOf(m.name)} ${m.url}: ${m.fault ? faultText(m.fault) : outcome(m.answer, 'backonlog')}`, said = new Map();
  hearing.set(id, (m) => {
    said.set(m.url, text(m));
    say(where, [own('working'), ...said.values()].join('\n'));
  });
  const a = await proved('revoke', { consent: id, members: chosen() }).finally(() => hearing.delete(id));
  const lines = a.members.map(text);
  if (a.state === 'revoked') await takenBack(id, a);
  if (a.proved) return lines.join('\n');
  const open = a.members.filter((m) => !m.answer?.proved).map((m) => titleOf(m.name));
  throw new Error([fill('notall', [...new Set(open)].join(zh ? '、' : ', ')), ...lines].join('\n'));
}

// takenBack shows everywhere that a consent is taken back.
async function takenBack(id, a) {
  view = (await call('kit')).view;
  if (consent?.consent === id) {
    consent = null;
    $('sending').hidden = true;
  }
  if (found && a.told) {
    found.told = a.told;
    for (const c of found.history.consents) if (c.consent === id) c.state = a.state;
  }
  present();
}

$('language').addEventListener('click', () => { zh = !zh; present(); });
// A link may hold the request itself behind the #, or the code by which its bank has it:
// no browser sends that to a server.
const linked = /^#[br]=./.test(location.hash) ? location.hash : '';
$('where').textContent = location.protocol === 'file:' ? '' : location.host;

// quiet is for how many milliseconds a member may be silent. On the whole it has to give a
// byte a millisecond: one that gives less would hold everything up for ever.
let quiet = 60000;

// What the program calls.
globalThis.atoll = {
  async fetch(url, body, most) {
    lock();
    const slow = new AbortController(), begun = performance.now();
    let size = 0;
    const wait = () => setTimeout(() => slow.abort(new Error('too slow')), Math.max(0, Math.min(quiet, begun + quiet + size - performance.now())));
    let timer = wait();
    const answer = await fetch(url, {
      method: body ? 'POST' : 'GET', body, headers: body ? { 'Content-Type': 'application/cbor' } : {},
      credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer', cache: 'no-store', signal: slow.signal,
    });
    const parts = [];
    for (const reader = answer.body.getReader(); ;) {
      clearTimeout(timer);
      timer = wait();
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > most) { await reader.cancel(); throw new Error(`more than ${most} bytes`); }
      parts.push(value);
    }
    clearTimeout(timer);
    const data = new Uint8Array(size);
    let at = 0;
    for (const p of parts) { data.set(p, at); at += p.length; }
    return { status: answer.status, data };
  },
  progress(entries, of) { say(busy, fill('looking', entries, of)); },
  heard(id, told) { hearing.get(id)?.(JSON.parse(told)); },
  ready() {
    $('loading').hidden = true;
    $('main').hidden = false;
  },
};
async function start() {
  const lacks = [['WebAssembly', typeof WebAssembly], ['DecompressionStream', typeof DecompressionStream], ['URL.canParse', typeof URL.canParse],
    ['Object.hasOwn', typeof Object.hasOwn], ['AbortController', typeof AbortController]].filter(([, kind]) => kind === 'undefined').map(([name]) => name);
  if (lacks.length > 0) throw new Error(words.unsupported[zh ? 0 : 1].replace('%1', lacks.join(', ')));
  present();
  const packed = new Blob([bytesOf($('wasm').textContent)]).stream().pipeThrough(new DecompressionStream('gzip'));
  const go = new Go(), program = await new Response(packed).arrayBuffer();
  $('wasm').remove();
  const { instance } = await WebAssembly.instantiate(program, go.importObject);
  go.run(instance);
}
start().catch((e) => say('loading', String(e.message ?? e), true));
