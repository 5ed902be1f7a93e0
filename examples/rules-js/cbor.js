// Strict CBOR, according to SPEC.md section 1: each value has exactly one encoding.
// A schema is a function that reads one item from a Reader, or throws Malformed.
'use strict';

class Malformed extends Error {}
function need(ok, why) { if (!ok) throw new Malformed(why); }

class Reader {
  constructor(bytes) { this.bytes = bytes; this.at = 0; }

  // The number in the head of an item of one major type, as BigInt.
  head(major) {
    need(this.at < this.bytes.length, 'cut off');
    const first = this.bytes[this.at++];
    need(first >> 5 === major, `major type ${first >> 5} where ${major} belongs`);
    const info = first & 31;
    if (info < 24) return BigInt(info);
    need(info < 28, 'an indefinite length');
    const size = 1 << (info - 24), end = this.at + size;
    need(end <= this.bytes.length, 'cut off');
    const n = BigInt('0x' + this.bytes.toString('hex', this.at, end));
    this.at = end;
    need(n >= [24n, 1n << 8n, 1n << 16n, 1n << 32n][info - 24], 'a longer form');
    return n;
  }

  // The bytes of a string of one major type.
  string(major) {
    const n = this.head(major);
    need(n <= BigInt(this.bytes.length - this.at), 'cut off');
    const bytes = this.bytes.subarray(this.at, this.at + Number(n));
    this.at += Number(n);
    return bytes;
  }
}

// decode reads exactly one item.
function decode(bytes, schema) {
  const r = new Reader(bytes), value = schema(r);
  need(r.at === bytes.length, 'bytes behind the end');
  return value;
}

// Schemas. Numbers that may exceed 2^53 are BigInt, others are Number.
const u64 = (least = 0n, most = (1n << 64n) - 1n) => (r) => {
  const n = r.head(0);
  need(n >= least && n <= most, 'a number out of range');
  return n;
};
const uint = (least, most) => (r) => Number(u64(BigInt(least), BigInt(most))(r));
const int = (least, most) => (r) => {
  const n = r.bytes[r.at] >> 5 === 1 ? -1n - r.head(1) : r.head(0);
  need(n >= BigInt(least) && n <= BigInt(most), 'a number out of range');
  return Number(n);
};
const bytes = (least, most = least) => (r) => {
  const b = r.string(2);
  need(b.length >= least && b.length <= most, 'a string of another length');
  return b;
};
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const text = (valid, least = 0, most = Infinity) => (r) => {
  const b = r.string(3);
  need(b.length >= least && b.length <= most, 'a text of another length');
  let s;
  try { s = utf8.decode(b); } catch { need(false, 'not UTF-8'); }
  need(valid(s), 'a text that does not belong there');
  return s;
};
const list = (item, least, most = Infinity) => (r) => {
  const n = r.head(4);
  need(n >= least && n <= most && n <= r.bytes.length - r.at, 'a list of another length');
  return Array.from({ length: Number(n) }, () => item(r));
};
const tuple = (...items) => (r) => {
  need(Number(r.head(4)) === items.length, 'an array of another length');
  return items.map((item) => item(r));
};
// fields: name: [key, schema] or [key, schema, optional], ascending by key. An
// optional field is left out if it is 0 or empty, and then has the given value.
const map = (fields) => (r) => {
  let left = r.head(5);
  const value = {}, key = () => { const at = r.at, k = r.head(0); r.at = at; return k; };
  for (const [name, [number, schema, ...optional]] of Object.entries(fields)) {
    if (left > 0n && key() === BigInt(number)) {
      r.head(0);
      value[name] = schema(r);
      need(optional.length === 0 || !empty(value[name]), 'an empty value that is to be left out');
      left--;
    } else {
      need(optional.length > 0, `no field ${number}`);
      value[name] = optional[0];
    }
  }
  need(left === 0n, 'a field that nobody knows');
  return value;
};
const empty = (v) => v === 0 || v === 0n || v?.length === 0;

// ascending is a strictly ascending list, so that it has one order and no
// repetition. by returns the bytes to compare.
const ascending = (schema, by = (x) => x) => (r) => {
  const items = schema(r);
  for (let i = 1; i < items.length; i++) {
    need(Buffer.compare(Buffer.from(by(items[i - 1])), Buffer.from(by(items[i]))) < 0, 'a list that does not ascend');
  }
  return items;
};

// Encoding; only heads of items are needed.
function head(major, n) {
  n = BigInt(n);
  if (n < 24n) return Buffer.from([(major << 5) | Number(n)]);
  for (const [size, info] of [[1, 24], [2, 25], [4, 26], [8, 27]]) {
    if (n >> BigInt(8 * size) === 0n) return Buffer.from([(major << 5) | info, ...Buffer.from(n.toString(16).padStart(2 * size, '0'), 'hex')]);
  }
}
const bstr = (b) => Buffer.concat([head(2, b.length), b]);
const tstr = (s) => Buffer.concat([head(3, Buffer.byteLength(s)), Buffer.from(s)]);

module.exports = { Malformed, need, decode, u64, uint, int, bytes, text, list, tuple, map, ascending, head, bstr, tstr };
