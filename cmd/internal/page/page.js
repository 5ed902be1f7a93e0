'use strict';
// The page's interface. Everything that is decided, verified or signed is done by
// the program in the file, through atoll.call. Text gets into the page by
// textContent alone, and nothing is kept in the browser.
const $ = (id) => document.getElementById(id);
const words = {
  title: ['企业授权', 'An enterprise\'s consents'],
  lead: ['密钥只在本页使用，不离开浏览器，也不存入浏览器；按“发送”“查看”“撤回”，或以银行的请求编号“阅读”之前，本页不访问网络。请与登记机关纸面所载核对本文件的 SHA-256。', 'Keys are used in this page alone: they do not leave the browser and are not stored in it. Until you press Send, Look or Take back, or Read with the code of a bank\'s request, the page asks the network for nothing. Compare the SHA-256 of this file with the one that the registrar gave you on paper.'],
  loading: ['正在载入……', 'loading…'], working: ['请稍候……', 'please wait…'],
  keys: ['1. 密钥', '1. Keys'], have: ['已有钥匙包', 'I have a kit'], havenot: ['新建', 'I am new'],
  files: ['钥匙包文件（或 seed.age、genesis.pem、enrolment.pem 等）', 'The kit (or seed.age, genesis.pem, enrolment.pem and so on)'],
  passphrase: ['口令', 'Passphrase'], again: ['再次输入', 'The same again'], open: ['打开', 'Open'],
  others: ['成员的其他地址（通常留空）', 'Further addresses of members (usually none)'],
  genesis: ['网络的 genesis.pem', 'The network\'s genesis.pem'], code: ['统一社会信用代码（或 lei:…）', 'Unified social credit code (or lei:…)'], create: ['新建密钥', 'Make keys'],
  savekit: ['保存钥匙包', 'Save the kit'], saveenrolment: ['保存登记申请', 'Save the enrolment'], saveseed: ['保存 seed.age', 'Save seed.age'], shut: ['关闭', 'Close'],
  credential: ['加入登记机关交回的主体凭证', 'Add the credential that the registrar gave back'],
  consent: ['2. 授权', '2. Consent'], request: ['银行的请求（文件）', 'The bank\'s request (file)'], pasted: ['或粘贴请求或链接，或输入纸面所载的请求编号', 'Or paste it or its link, or type the code that is on paper'],
  dated: ['请求的日期（仅在确认日期较远时填写）', 'Its day (only to confirm one that is far away)'], read: ['阅读', 'Read'], digest: ['告知书摘要（与银行的纸面逐组核对，不同则不要签署）', 'Digest of the notice (compare each group with the bank\'s paper; where they differ do not sign)'],
  sign: ['签署', 'Sign'], save: ['保存授权书', 'Save the consent'], bankurl: ['银行的地址', 'The bank\'s address'], send: ['发送', 'Send'],
  history: ['3. 谁查询过', '3. Who looked'], members: ['向这些成员索取（至少两个，自第一个读取日志）', 'Ask these members (two at least; the log is read from the first)'], look: ['查看', 'Look'],
  type: ['输入“%1”即签署', 'Type “%1” to sign'],
  subject: ['企业', 'Enterprise'], network: ['网络', 'Network'], zone: ['日期和时间均按', 'Days and times are those of'], fingerprint: ['密钥指纹（与登记机关电话核对）', 'Key fingerprint (compare by telephone with the registrar)'],
  credentialof: ['主体凭证', 'Credential'], nocredential: ['尚无：请将登记申请交给登记机关', 'none yet: give the enrolment to the registrar'], until: ['%1 至 %2', '%1 to %2'],
  next: ['下一份授权的编号', 'Number of the next consent'], unmarked: ['未知：请先查看记录', 'not known: look at the history first'], seen: ['已见日志条目', 'Entries of the log seen'],
  differ: ['两次输入的口令不同', 'The two passphrases differ'], made: ['已新建，钥匙包已交由浏览器存为文件。请确认文件已保存（两份），并将登记申请交给登记机关。没有口令，任何人都无法使用。', 'Made, and the kit is handed to the browser as a file. See that it is there, keep it twice, and give the enrolment to the registrar. Nobody can use it without the passphrase.'],
  unsaved: ['钥匙包已变更：请保存', 'The kit has changed: save it'], saved: ['已交由浏览器存为文件：请确认文件已保存', 'handed to the browser as a file: see that it is there'], added: ['主体凭证已加入。请保存钥匙包。', 'The credential is added. Save the kit.'],
  signedas: ['授权 %1 已签署。确认新的钥匙包已保存之后，再保存授权书交给银行，或直接发送。', 'Consent %1 is signed. Confirm that the new kit is saved. Then save the consent and give it to the bank, or send it.'],
  confirmsaved: ['新的钥匙包已交由浏览器存为 %1。旧的钥匙包不知道这份授权：请先在下载文件夹中找到该文件，存好两份，再继续。', 'The new kit is handed to the browser as the file %1. The old one does not know of this consent: find the file among the downloads and keep it twice before you go on.'],
  confirmed: ['已找到并保存', 'It is there, go on'], saveagain: ['再次保存钥匙包', 'Save the kit again'],
  fetch: ['按“阅读”即向银行取得编号为 %1 的请求', 'Read asks the bank for the request %1'],
  stranger: ['（签发它的登记机关不在本钥匙包已知的成员之列，由银行按日志核对）', ' (its registrar is not among the members that this kit knows: the bank compares with the log)'],
  unreachable: ['（本页无法访问此种地址）', '(this page cannot ask such an address)'],
  sayswhat: ['该成员称：%1', 'The member says: %1'],
  resigned: ['此编号在日志中已被另一份授权占用（另有设备使用同一密钥）。已用新编号重新签署为授权 %1，尚未发送任何内容：请确认新的钥匙包已保存，再按一次“发送”。', 'The log has another consent under this number: another device uses the same keys. It is signed again as consent %1. Nothing was sent yet: confirm that the new kit is saved, and press Send again.'],
  onlog: ['已记入日志，条目 %1：由网络裁定，%2 共签', 'On the log, entry %1: decided by the network, cosigned by %2'],
  already: ['日志中已有这份授权', 'The log has this consent already'],
  unproved: ['已收到，未获证明：仅为该成员所称。请稍后再按一次。', 'Received, not proved: it is this member\'s word. Press again later.'],
  keptconsents: ['本钥匙包保存的授权', 'Consents that this kit keeps'],
  notall: ['以下成员未证明撤回：%1。请再按一次，或改选其他成员。', 'Not proved by: %1. Press again, or choose other members.'],
  takenback: ['撤回', 'Take back'], sure: ['撤回授权 %1？撤回后无法恢复。过两秒再按一次即撤回，一分钟内有效。', 'Take consent %1 back, for good? Press again after two seconds to do it, within a minute.'],
  readfrom: ['至条目 %1；由网络裁定，%2 共签（%3 位中的 %4 位）；最新共签 %5', 'Up to entry %1; decided by the network, cosigned by %2 (%4 of %3); newest cosignature %5'],
  stale: ['最新共签距今已逾一天：其后进入日志的内容未出示', 'The newest cosignature is older than a day: what came to the log since is not shown'], undated: ['没有一个共签的时间合乎本机时钟：请核对本机时钟', 'No cosignature has a time that fits this machine\'s clock: check the clock'],
  source: ['%1：本页从此读取日志；所列条目均在共签的日志之中', '%1: the log was read here; each entry below is in the cosigned log'],
  indexed: ['；前 %1 个条目的索引与之比较过', '; its index was compared for the first %1 entries'],
  wrong: ['%1：其索引对条目 %2 的说法与条目本身不符（此类条目共 %3 个）！请告知监管机构', '%1: its index says of entry %2 what the entry is NOT (entries like that: %3)! Tell the supervisor'],
  looking: ['请稍候…… 已查 %1 / %2 个条目', 'please wait… %1 of %2 entries'],
  agrees: ['%1：出示 %2 个条目，与之一致', '%1: shows %2 entries, and agrees'], newer: ['%1：出示 %2 个条目，与之一致；其中最新的 %3 个不在下列记录中，请再看一次', '%1: shows %2 entries, and agrees; the newest %3 of them are not in the list below, look again'],
  disagrees: ['%1：所示日志与之不一致！请告知监管机构', '%1: shows ANOTHER log! Tell the supervisor'],
  incomplete: ['只有以上成员出示的内容在此：尚未记入日志的，或各成员的索引都遗漏的，不在其中。逐条核对请用 atoll subject history。', 'This is what the members above show: what is not on the log yet, or what the indexes of all of them leave out, is not in it. To have every entry checked, use atoll subject history.'],
  none: ['日志中没有关于本企业授权的记录', 'The log has nothing about this enterprise\'s consents'],
  id: ['编号', 'Id'], bank: ['银行', 'Bank'], purpose: ['用途', 'Purpose'], product: ['产品', 'Product'], days: ['期限', 'Days'], uses: ['次数', 'Uses'], state: ['状态', 'State'],
  time: ['网络时间（%1；可能比实际略早）', 'Network time (%1; it may be a little behind)'], clock: ['时间（%1）', 'Time (%1)'], entry: ['条目', 'Entry'], under: ['授权', 'Consent'], what: ['事项', 'What'], who: ['谁', 'By'], result: ['结果', 'Result'], details: ['内容', 'Details'],
  accepted: ['接受', 'accepted'], operator: ['（经办人 %1）', ' (%1)'],
  unsupported: ['本浏览器过旧，缺少：%1。请用较新的 Chromium 或 Firefox。', 'This browser is too old, it lacks: %1. Use a newer Chromium or Firefox.'],
};
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
const file = async (id) => (await files(id))[0] ?? '';
async function saveKit() {
  const t = await call('kit');
  view = t.view;
  const name = `atoll-kit-${view.next}.pem`; // a newer kit is told from an older one
  download(name, t.kit);
  present();
  return name;
}

// lock lets the page talk to the addresses of the network's members, where it came from
// included, and to no others: a second policy can only take away. It is called before the
// first request, when the members are known by the newest request that was read.
function lock() {
  if (locked) return;
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
  for (const id of ['passphrase', 'new1', 'new2']) $(id).value = '';
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
  await opened(await call('open', { files: await files('files'), passphrase: $('passphrase').value }));
  return '';
});
action('create', 'created', async () => {
  if ($('new1').value !== $('new2').value) throw new Error(own('differ'));
  await opened(await call('new', { genesis: await file('genesis'), code: $('code').value.trim(), passphrase: $('new1').value }));
  await saveKit();
  say('kept', own('made'));
  return '';
});
action('savekit', 'kept', async () => `${await saveKit()}: ${own('saved')}`);
action('saveenrolment', 'kept', async () => { download('enrolment.pem', (await call('kit')).enrolment); return `enrolment.pem: ${own('saved')}`; });
action('saveseed', 'kept', async () => { download('seed.age', bytesOf((await call('kit')).seed)); return `seed.age: ${own('saved')}`; });
$('shut').addEventListener('click', () => location.reload()); // nothing is left of the keys
$('credential').addEventListener('change', async () => {
  try {
    view = await call('add', { credential: await file('credential') });
    present();
    say('kept', own('added'));
  } catch (e) { say('kept', faultText(e), true); }
});

async function read(input) {
  $('reading').hidden = true;
  $('sending').hidden = true; // it is of another consent, which the list has
  shown = await call('read', { ...input, from, dated: $('dated').value.trim() });
  view = shown.view;
  $('notice').replaceChildren(...(shown.notice.match(/[^\n]*\n/g) ?? []).map((line) => element('span', line))); // a line that is too long is seen to go on
  $('notice').lang = shown.language;
  $('digest').textContent = shown.groups;
  $('reading').hidden = false;
  $('sign').disabled = shown.problem !== null;
  $('word').value = '';
  present();
  say('said', shown.problem ? faultText(shown.problem) : '', shown.problem !== null);
}
action('read', 'said', async () => {
  const typed = $('pasted').value.trim();
  await read(typed ? { typed } : { request: await file('request') });
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
  $('bankurl').value = view.members.find((m) => m.name === consent.bank)?.urls[0] ?? '';
  $('sendingid').textContent = consent.consent;
  $('sending').hidden = unsaved !== '';
  present();
}
$('confirmed').addEventListener('click', () => {
  unsaved = '';
  presentSending();
  $('save').focus();
});
action('saveagain', 'signed', async () => { unsaved = await saveKit(); presentSending(); return `${unsaved}: ${own('saved')}`; });
window.addEventListener('beforeunload', (e) => { if (unsaved) e.preventDefault(); });
action('save', 'signed', async () => { const name = `consent-${consent.consent.slice(0, 8)}.pem`; download(name, consent.paper); return `${name}: ${own('saved')}`; });
const titles = (names) => names.map(titleOf).join(zh ? '、' : ', ');
const outcome = (a) => (a.proved ? fill('onlog', a.entry, titles(a.cosigners)) : own('unproved') + (a.verdict && a.verdict !== 'accepted' ? `\n${fill('sayswhat', a.verdict)}` : ''));
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
// back, in another session than it was signed in too.
function presentKept() {
  $('s-kept').hidden = view.signed.length === 0;
  const heads = ['id', 'bank', 'days'].map(own);
  $('keptlist').replaceChildren(row('th', heads), ...view.signed.map((c) => {
    const [send, save, back] = ['send', 'save', 'takenback'].map((key) => {
      const b = element('button', own(key));
      b.type = 'button';
      b.dataset[key] = c.consent;
      return b;
    });
    for (const [b, then] of [[send, 'bankurl'], [save, 'save']]) {
      action(b, 'signed', async () => {
        consent = await call('consent', { consent: c.consent });
        presentSending();
        $(then).focus(); // where it goes is seen before it is sent
        return '';
      });
    }
    asksTwice(back, 'sent', c.consent);
    return row('td', [element('span', `${c.consent}\n`, send, ' ', save, ' ', back), titleOf(c.bank), fill('until', c.not_before, c.not_after)], heads);
  }));
}
let found = null;
action('look', 'looked', async () => {
  found = await call('history', { members: chosen() });
  view = (await call('kit')).view;
  present();
  const h = found.history.head;
  return fill('readfrom', h.size - 1, titles(h.cosigners), h.of, h.cosigners.length, inWords().signed) +
    (found.stale ? `\n${own(h.undated ? 'undated' : 'stale')}` : '') + (found.history.events.length ? '' : `\n${own('none')}`) + `\n${own('incomplete')}\n${own('unsaved')}`;
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
  $('agreed').replaceChildren(element('li', fill('source', found.from)), ...found.others.map((o) => {
    const li = element('li', o.fault ? `${o.url}: ${faultText(o.fault)}` : fill(!o.same ? 'disagrees' : o.size > size ? 'newer' : 'agrees', o.url, o.size, o.size - size) + (o.indexed ? fill('indexed', o.indexed) : ''));
    li.className = o.fault || !o.same ? 'bad' : 'good';
    return li;
  }), ...found.wrong.map((w) => {
    const li = element('li', fill('wrong', w.url, w.entry, w.entries));
    li.className = 'bad';
    return li;
  }));
  const granted = ['id', 'bank', 'purpose', 'product', 'days', 'state', 'uses'].map(own);
  $('consents').replaceChildren(row('th', granted), ...inWords().consents.map((c, i) => {
    const b = element('button', own('takenback'));
    b.type = 'button';
    b.dataset.consent = c.consent;
    b.disabled = found.history.consents[i].state === 'revoked';
    asksTwice(b, 'revoked', c.consent);
    return row('td', [element('span', `${c.consent}\n`, b), ...[c.bank, c.purpose, c.product, c.days, c.state, c.uses].map(flat)], granted);
  }));
  const others = ['entry', 'under', 'who', 'what', 'result', 'details'].map(own), happened = [fill('clock', inWords().zone), ...others];
  $('events').replaceChildren(row('th', [fill('time', inWords().zone), ...others]), ...inWords().events.map((e) => {
    const details = e.details.flatMap((d) => [flat(d.text), ...(d.condition ? [`  ${flat(d.condition)}`] : [])]);
    const who = flat(e.by + (e.operator ? fill('operator', e.operator) : ''));
    return row('td', [e.time, e.entry, e.consent, who, e.what, flat(e.result) || own('accepted'), details.join('\n')], happened);
  }));
}
// asksTwice has a button take a consent back once it was pressed again. There is no
// dialog: the page may be in a sandbox.
function asksTwice(button, where, id) {
  let asked = -Infinity; // when the person was asked
  action(button, where, () => {
    const past = performance.now() - asked; // of a double click the second is not an answer
    asked = past > 1500 && past < 60000 ? -Infinity : performance.now();
    return asked === -Infinity ? takeBack(id, where) : fill('sure', id);
  });
}
const hearing = new Map(); // who shows what members say to the revocation of a consent, by its id

// takeBack revokes through every chosen member, and is done once each has proved it.
// What one says is shown before the others have answered.
async function takeBack(id, where) {
  const text = (m) => `${titleOf(m.name)} ${m.url}: ${m.fault ? faultText(m.fault) : outcome(m.answer)}`, said = new Map();
  hearing.set(id, (m) => {
    said.set(m.url, text(m));
    say(where, [own('working'), ...said.values()].join('\n'));
  });
  const a = await proved('revoke', { consent: id, members: chosen() }).finally(() => hearing.delete(id));
  const lines = a.members.map(text);
  if (a.proved) return lines.join('\n');
  const open = a.members.filter((m) => !m.answer?.proved).map((m) => titleOf(m.name));
  throw new Error([fill('notall', [...new Set(open)].join(zh ? '、' : ', ')), ...lines].join('\n'));
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
