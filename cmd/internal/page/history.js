// What the log has about the enterprise, and taking consents back.
let found = null;
action('look', 'looked', async () => {
  found = await call('history', { members: ticked() });
  $('changed').hidden = false; // the kit remembers what it has seen
  view = (await call('kit')).view;
  present();
  return summary;
});
// summary says how far the history goes, and what it rests on.
function summary() {
  const h = found.history.head;
  return fill('readfrom', h.size, h.size - 1, titles(h.cosigners), h.of, h.cosigners.length, inWords().signed) +
    (found.stale ? `\n${own(h.undated ? 'undated' : 'stale')}` : '') + (found.history.events.length ? '' : `\n${own('none')}`) + `\n${own('incomplete')}`;
}
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
    const buttons = found.history.consents[i].state === 'revoked' ? [] : takesBack('consent', 'revoked', c);
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
function takesBack(name, where, { consent: id, bank, product }) {
  const [button, cancel] = ['takenback', 'cancel'].map((key) => element('button', own(key)));
  button.type = cancel.type = 'button';
  button.dataset[name] = id;
  let asked = 0, over, through; // when the person was asked, 0: not; and through which members
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
      return takeBack(id, where, through);
    }
    if (!asked) {
      through = ticked();
      asked = performance.now();
      over = setTimeout(rest, 60000);
      button.textContent = own('surely');
      cancel.hidden = false;
    }
    const members = [...new Set(through.map(memberAt))];
    return () => (button.isConnected ? fill('sure', bank, [flat(product), id].filter(Boolean).join(zh ? '，' : ', '), members.join(zh ? '、' : ', ')) : ''); // a button that was drawn anew has forgotten it
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
async function takeBack(id, where, members) {
  const text = (m) => `${titleOf(m.name)} ${m.url}: ${m.fault ? faultText(m.fault) : outcome(m.answer, 'backonlog')}`, answers = new Map();
  hearing.set(id, (m) => {
    answers.set(m.url, m);
    say(where, () => [own('working'), ...[...answers.values()].map(text)].join('\n'));
  });
  const a = await proved('revoke', { consent: id, members }).finally(() => hearing.delete(id));
  const lines = () => a.members.map(text).join('\n');
  if (a.state === 'revoked') await takenBack(id, a);
  if (a.proved) return lines;
  const open = [...new Set(a.members.filter((m) => !m.answer?.proved).map((m) => m.name))];
  throw unable(() => `${fill('notall', titles(open))}\n${lines()}`);
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
