// The page's side of the program, and its start.

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
  progress(entries, of) { say(busy, () => fill('looking', entries, of)); },
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
