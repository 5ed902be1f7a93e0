// Runs the page's program as a browser does, and answers calls: a line of JSON
// [name, input] each, at a time in Unix milliseconds.
// node call.js RUNTIME PROGRAM TIME
'use strict';
const fs = require('fs');
const [runtime, program, at] = process.argv.slice(2);
globalThis.Date = class extends Date {
  constructor(...args) { super(...(args.length ? args : [Number(at)])); }
};
globalThis.atoll = {
  fetch: async () => { throw new Error('there is no network here'); },
  ready: async () => {
    for (const line of fs.readFileSync(0, 'utf8').split('\n')) {
      if (line === '') continue;
      const [name, input] = JSON.parse(line);
      fs.writeSync(1, await globalThis.atoll.call(name, JSON.stringify(input)) + '\n');
    }
    process.exit(0);
  },
};
const real = globalThis.fs;
require(runtime);
if (real) globalThis.fs = real;
const go = new Go();
WebAssembly.instantiate(fs.readFileSync(program), go.importObject).then(({ instance }) => go.run(instance));
