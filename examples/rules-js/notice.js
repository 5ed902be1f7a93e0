// The notice that an enterprise reads and signs for: SPEC.md section 13.
'use strict';
const { need, decode, uint, bytes, text, list, tuple, map } = require('./cbor.js');
const { labelled } = require('./keys.js');
const { name, item, day, people, shown, even } = require('./statement.js');
const { isSubject } = require('./subject.js');

const u32 = uint(0, 2 ** 32 - 1), lastDay = 2_932_896; // 9999-12-31
const wanted = tuple(item, item, uint(1, 5), uint(0, 120), bytes(16));
const draft = map({
  subject: [1, text(isSubject)], bank: [2, name], purpose: [3, item], product: [4, people(200)], notBefore: [5, day], notAfter: [6, day], maxUses: [7, u32],
  frequency: [8, tuple(u32, u32)], maxAlerts: [9, u32], dataLife: [10, u32], language: [11, text((s) => ['zh-CN', 'en'].includes(s))],
  offers: [12, list(tuple(name, list(wanted, 1, 200)), 1, 64)], name: [13, people(200)], date: [14, day],
});

const plural = (n, unit) => `${n} ${unit}${n === 1 ? '' : 's'}`;
const languages = {
  'zh-CN': {
    comma: '、', schemes: { uscc: '统一社会信用代码', lei: '法人机构识别编码' }, disclosures: ['', '原值', '区间', '是否', '条数', '明细'],
    head: (d, w) => ['企业数据授权书', '',
      `授权企业：${d.name}（${w.scheme} ${w.code}）`, `被授权银行：${w.bank}`, `用途：${w.purpose}`, `产品：${d.product}`,
      `出具日期：${w.date}`, `有效期：${w.notBefore} 至 ${w.notAfter}（含首尾两日）`],
    uses: (n) => `查询次数：最多 ${n} 次`, daily: (n) => `，每天最多 ${n} 次`, within: (n, days) => `，自首日起每 ${days} 天最多 ${n} 次`,
    alerts: (n) => `监测提醒：最多 ${n} 次`,
    kept: (n) => [`数据保存：银行取得数据后最多保存 ${n} 天，到期删除`, '评分：银行将用这些数据为贵企业生成风险画像和评分', '', '可以查询：'],
    agency: (title) => `· ${title}`, output: (dataset, output, detail) => `  – ${dataset}：${output}（${detail}）`, window: (n) => `，近 ${n} 个月`,
    promises: ['',
      '原值：登记的内容本身，或由登记内容算得的结果。区间：只给出数值所在的范围。条数：只给出有几条记录，不给出内容。是否：对银行所问的条件只回答是、否或无法确定。',
      '近 N 个月：查询时已经结束、数据应已齐备的最近 N 个月。未写期间的，为查询当日的情况。', '',
      '凭本授权书，任何机构都不会提供以上未列的数据。',
      '每次查询都记入全体成员共同保存的日志，对日志的任何改动都能被发现。日志不写明贵企业和数据；审计成员能看到谁问了什么，看不到数据。贵企业可随时查看谁问了什么、得到了什么。', '',
      '撤回：贵企业可随时撤回本授权，使用签署时的密钥，经任一成员办理。该成员即转告各机构并记入日志；机构获知后不再提供数据。已经提供的，银行可按上述期限保存。'],
    members: (network, titles) => `成员：本网络（${network}）中共同保存日志的机构，即：${titles}。`,
    addresses: '撤回或查看，可使用下列任一网址：', noAddress: '撤回或查看的网址，请向任一成员索取。', address: (title, url) => `· ${title}：${url}`,
    ops: { lt: '低于', le: '不高于', ge: '不低于', gt: '高于', eq: '等于' }, or: '或',
    points: (ops, points) => `；只问是否${ops}下列各值之一：${points}；任意 365 天内，最多答复同一银行 4 个不同的条件`, group: (n) => `；所涉人数不足 ${n} 人的，不提供`,
    table: (columns, order, rows, bytes) => `；逐条给出每条记录的下列各栏：${columns}；依次按${order}排列；最多 ${rows} 条、${bytes} 字节；日志可见数据量的大概`,
    lost: (titles) => `密钥遗失的，请向登记机关（${titles}）申请吊销主体凭证，本授权即不再有效。`,
  },
  en: {
    comma: ', ', schemes: { uscc: 'unified social credit code', lei: 'legal entity identifier' }, disclosures: ['', 'in full', 'band', 'yes or no', 'count', 'record by record'],
    head: (d, w) => ['Consent to share enterprise data', '',
      `Enterprise: ${d.name} (${w.scheme} ${w.code})`, `Bank: ${w.bank}`, `Purpose: ${w.purpose}`, `Product: ${d.product}`,
      `Drawn up: ${w.date}`, `Valid: ${w.notBefore} to ${w.notAfter}, both days included`],
    uses: (n) => `Queries: at most ${n}`, daily: (n) => `, and at most ${n} a day`, within: (n, days) => `, and at most ${n} in each ${days} days from the first day`,
    alerts: (n) => `Monitoring messages: at most ${n}`,
    kept: (n) => [`Kept: the bank may keep the data for ${plural(n, 'day')} and then deletes it`,
      'Score: the bank will make a risk profile with a score of your enterprise from this data', '', 'What may be asked:'],
    agency: (title) => `- ${title}`, output: (dataset, output, detail) => `  - ${dataset}: ${output} (${detail})`, window: (n) => `, last ${plural(n, 'month')}`,
    promises: ['',
      'In full: what is recorded, or what is worked out from it. Band: only the range that a number is in. Count: only how many records there are, and nothing of what they say. Yes or no: only whether a condition of the bank holds, or that this cannot be told.',
      'Last N months: the newest N months that are over, with their data due, on the day it is asked. Where no months are given: as of the day it is asked.', '',
      'Under this consent no agency gives anything that is not listed above.',
      'Every query enters a log that all members keep, in which any change is detected. The log names neither your enterprise nor the data; auditing members see who asked what, and not the data. You can see at any time who asked what, and what they got.', '',
      'Taking it back: you can take this consent back at any time, with the key that signed it, through any member. That member tells every agency and puts it on the log; an agency that has heard of it gives nothing more. What was given before, the bank may keep as said above.'],
    members: (network, titles) => `Members: the organisations of this network (${network}) that keep the log together: ${titles}.`,
    addresses: 'To take it back, or to see who asked, use any of these addresses:', noAddress: 'To take it back, or to see who asked, ask any member for its address.',
    address: (title, url) => `- ${title}: ${url}`,
    ops: { lt: 'below', le: 'at most', ge: 'at least', gt: 'above', eq: 'equal to' }, or: ' or ',
    points: (ops, points) => `; only whether it is ${ops} one of these: ${points}; in any 365 days one bank gets at most 4 different conditions answered`, group: (n) => `; nothing where fewer than ${n} persons are behind it`,
    table: (columns, order, rows, bytes) => `; of each record these columns: ${columns}; in the order of ${order}; at most ${rows} records and ${bytes} bytes; about how much it is can be seen on the log`,
    lost: (titles) => `If the key is lost, ask the registrar (${titles}) to revoke the enterprise's credential; this consent is then void.`,
  },
};

const less = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0;
const ascends = (items, before) => items.every((x, i) => i === 0 || before(items[i - 1], x));
const itemBefore = ([d, o, x], [e, p, y]) => (d !== e ? less(d, e) : o !== p ? less(o, p) : x < y);
const dated = (n) => new Date(n * 86_400_000).toISOString().slice(0, 10);

function check(d) {
  need(d.notBefore <= d.notAfter && Math.max(d.date, d.notAfter) <= lastDay, 'days');
  need((d.frequency[0] === 0) === (d.frequency[1] === 0), 'half a frequency');
  need(ascends(d.offers, ([a], [b]) => less(a, b)) && d.offers.every(([, items]) => ascends(items, itemBefore)), 'agencies or items do not ascend');
}

// render returns the notice of a draft. words are the network's name, its members
// ({ name, title, registrar, urls }), titles by name, and by name what can be asked
// of some outputs ({ unit, ops, points, min_group, table: { columns: [{ name, unit, zh, en }], order, most_rows, most_bytes } }).
function render(raw, { network, members, titles, senses = {} }) {
  const d = decode(raw, draft);
  check(d);
  const p = languages[d.language];
  const word = (s) => { need(s !== '' && Buffer.byteLength(s) <= 200 && shown(s), 'a word that cannot be shown'); return s; };
  const title = (key, code) => word((Object.hasOwn(titles, key) && titles[key]) || code);
  const member = (n) => word(members.find((m) => m.name === n)?.title ?? n);
  const [scheme, code] = d.subject.split(':'), [days, uses] = d.frequency;
  const told = (key, disclosure) => {
    if (!Object.hasOwn(senses, key)) return '';
    const { unit, min_group: few } = senses[key], ops = senses[key].ops ?? [], points = (senses[key].points ?? []).map(word);
    if (unit) word(unit);
    const rows = () => {
      const { columns, order, most_rows: most, most_bytes: size } = senses[key].table, titled = (c) => word(d.language === 'en' ? c.en : c.zh) + (c.unit ? ` (${word(c.unit)})` : '');
      const all = columns.map(titled), sorted = order.map((name) => { const i = columns.findIndex((c) => c.name === name); need(i >= 0, 'an order by no column'); return all[i]; });
      return p.table(all.join(p.comma), sorted.join(p.comma), most, size);
    };
    return (disclosure === 5 && senses[key].table ? rows() : '') + (disclosure === 3 && ops.length > 0 ? p.points(ops.map((o) => p.ops[o]).join(p.or), points.join(p.comma) + (unit ? ` ${unit}` : '')) : '') + (few > 0 ? p.group(few) : '');
  };
  const urls = members.flatMap((m) => (m.urls ?? []).map((u) => p.address(word(m.title), word(u))));
  const registrars = members.filter((m) => m.registrar).map((m) => m.title);
  const lines = [
    ...p.head(d, { scheme: p.schemes[scheme], code, bank: member(d.bank), purpose: title(d.purpose, d.purpose), date: dated(d.date), notBefore: dated(d.notBefore), notAfter: dated(d.notAfter) }),
    p.uses(d.maxUses) + (days === 0 ? '' : days === 1 ? p.daily(uses) : p.within(uses, days)),
    ...(d.maxAlerts > 0 ? [p.alerts(d.maxAlerts)] : []),
    ...p.kept(d.dataLife),
    ...d.offers.flatMap(([agency, items]) => [p.agency(member(agency)), ...items.map(([dataset, output, disclosure, months]) => p.output(
      title(`${agency}/${dataset}`, dataset), title(`${agency}/${dataset}.${output}`, output), p.disclosures[disclosure] + (months > 0 ? p.window(months) : '') + told(`${agency}/${dataset}.${output}`, disclosure)))]),
    ...p.promises,
    p.members(word(network), members.map((m) => word(m.title)).join(p.comma)),
    urls.length > 0 ? p.addresses : p.noAddress, ...urls,
    ...(registrars.length > 0 ? [p.lost(registrars.join(p.comma))] : []),
  ];
  need(lines.every(even), 'a line with blanks in a row, at its end, or unusual ones');
  return lines.join('\n') + '\n';
}

const digest = (notice) => labelled('atoll/v1/consent/notice', Buffer.from(notice)).toString('hex');

module.exports = { render, digest };
