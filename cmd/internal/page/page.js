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
const sayings = new Map(); // by where it is said: what, and whether it is bad. A function says it in the language of the page
function say(where, text, bad) {
  sayings.set(where, [text, bad]);
  $(where).textContent = clean(typeof text === 'function' ? text() : text);
  $(where).className = bad ? 'bad' : 'good';
}
// faultText says a fault in the page's language. Details are in English: a Chinese page
// has those alone that its own sentence does not say, what a member answers and what
// nobody foresaw.
const told = new Set(['unavailable', 'not_proved', 'consent.declined', 'log.refused', 'internal']);
const faultText = (f) => `${zh ? f.zh : f.en} [${f.code}]${f.detail && (!zh || told.has(f.code)) ? `\n${f.detail}` : ''}`;

// unable is an error that says in the page's language why something is not done.
const unable = (tell) => Object.assign(new Error(tell()), { tell });
const why = (e) => e.tell ?? (e.code ? () => faultText(e) : String(e.message ?? e));

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
    say(where, () => own('working'));
    await new Promise((ok) => { setTimeout(ok, 20); }); // painted before the program works
    try {
      say(where, await work());
    } catch (e) {
      say(where, why(e), true);
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
const stored = (name) => () => `${name}: ${own('saved')}`;
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
const memberAt = (url) => { const m = view?.members.find((x) => x.urls.includes(url)); return m ? (zh ? m.zh : m.en) : url; };
const named = (url) => (memberAt(url) === url ? url : `${memberAt(url)} ${url}`);
const chosen = () => [...document.querySelectorAll('#members input:checked')].map((e) => e.value);
// ticked returns the addresses that are ticked, two at least.
function ticked() {
  if (chosen().length < 2) throw unable(() => own('tick'));
  return chosen();
}
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
  presentOnPaper();
  presentMembers();
  presentKept();
  if (unsaved) $('unsaved').textContent = fill('confirmsaved', unsaved);
  if (shown) $('asked').textContent = fill('type', shown.language === 'zh-CN' ? '同意' : 'agree');
  presentHistory();
}
// presentOnPaper heads what is printed. The day is the network's.
function presentOnPaper() {
  if (view === null) return;
  const [, sign, hours, minutes] = view.zone.match(/([+-])(\d\d):(\d\d)/) ?? ['', '+', '0', '0'];
  const today = new Date(Date.now() + Number(`${sign}60000`) * (60 * Number(hours) + Number(minutes))).toISOString().slice(0, 10);
  $('onpaper').textContent = [own('title'), `${own('subject')}: ${view.subject}`, `${own('network')}: ${view.network_name} (${view.network_fingerprint})`, fill('printed', today, view.zone)].map(clean).join('\n');
}
window.addEventListener('beforeprint', presentOnPaper);
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
    say('said', () => fill('fetch', linked.slice(3))); // the bank is asked once the person wants it
    return;
  }
  try {
    await read({ typed: linked });
    $('pasted').value = '';
  } catch (e) { say('said', why(e), true); } // the kit is open all the same
}
action('open', 'opened', async () => {
  await opened(await call('open', { files: await given('files'), passphrase: $('passphrase').value }));
  return '';
});
action('fetchgenesis', 'fetched', async () => {
  fetched = null;
  fetched = await call('genesis', { url: new URL('enterprise/genesis.pem', location.href).href }); // relative: a proxy may have put the address under a path
  present();
  const { network_name, fingerprint } = fetched;
  return () => fill('compare', from, network_name, inLines(fingerprint));
});
action('samegenesis', 'fetched', async () => {
  fetched.same = true;
  forget('genesis');
  present();
  const { fingerprint } = fetched;
  return () => fill('usegenesis', fingerprint);
});
action('othergenesis', 'fetched', async () => {
  fetched = null;
  present();
  return '';
});
action('create', 'created', async () => {
  if ($('new1').value !== $('new2').value) throw unable(() => own('differ'));
  const genesis = (await given('genesis'))[0];
  if (!genesis && fetched && !fetched.same) throw unable(() => own('uncompared'));
  await opened(await call('new', { genesis: genesis ?? fetched?.genesis ?? '', code: $('code').value.trim(), passphrase: $('new1').value }));
  await saveKit();
  say('kept', () => own('made'));
  return '';
});
action('savekit', 'kept', async () => stored(await saveKit()));
action('savechanged', 'kept', async () => stored(await saveKit()));
action('saveenrolment', 'kept', async () => { download('enrolment.pem', (await call('kit')).enrolment); return stored('enrolment.pem'); });
action('saveseed', 'kept', async () => { download('seed.age', bytesOf((await call('kit')).seed)); return stored('seed.age'); });
$('shut').addEventListener('click', () => location.reload()); // nothing is left of the keys
action('add', 'kept', async () => {
  const [credential] = await given('credential');
  if (!credential && view.not_before) return () => own('kept'); // as after a success
  if (!credential) throw unable(() => own('nothing'));
  view = await call('add', { credential });
  forget('credential');
  present();
  return () => own('added');
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
  say('said', shown.problem ? why(shown.problem) : '', shown.problem !== null);
}
action('read', 'said', async () => {
  const typed = $('pasted').value.trim(), [request] = await files('request');
  const input = typed ? { typed } : request ? { request } : !$('reading').hidden && source; // a link's request is shown with nothing in the fields
  if (!input) throw unable(() => own('nothing'));
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
  const id = consent.consent;
  return () => fill('signedas', id);
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
action('saveagain', 'signed', async () => { unsaved = await saveKit(); presentSending(); return stored(unsaved); });
window.addEventListener('beforeunload', (e) => { if (unsaved) e.preventDefault(); });
action('save', 'signed', async () => { const name = `consent-${consent.consent.slice(0, 8)}.pem`; download(name, consent.paper); return stored(name); });
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
  const ready = await call('ready', { consent: consent.consent, members: ticked() });
  if (ready.again) {
    consent = ready.again;
    unsaved = await saveKit();
    presentSending();
    const id = consent.consent;
    return () => fill('resigned', id);
  }
  const a = await proved('submit', { consent: consent.consent, via: $('bankurl').value.replace(/\/+$/, '') });
  view = (await call('kit')).view;
  present();
  return () => (ready.sent ? `${own('already')}\n` : '') + outcome(a);
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
        if (unsaved) throw unable(() => fill('confirmfirst', unsaved));
        $('bankurl').focus(); // where it goes is seen before it is sent
        return '';
      });
      cell.append(send, ' ');
    }
    if (!['revoked', 'expired', 'another'].includes(c.state)) cell.append(...takesBack('takenback', 'sent', { consent: c.consent, bank: titleOf(c.bank), product: c.product }));
    return row('td', [cell, titleOf(c.bank), flat(words.purpose), flat(c.product), fill('until', c.not_before, c.not_after), words.state], heads);
  }));
}
$('language').addEventListener('click', () => {
  zh = !zh;
  present();
  for (const [where, [text, bad]] of sayings) say(where, text, bad);
});
// A link may hold the request itself behind the #, or the code by which its bank has it:
// no browser sends that to a server.
const linked = /^#[br]=./.test(location.hash) ? location.hash : '';
$('where').textContent = location.protocol === 'file:' ? '' : location.host;
