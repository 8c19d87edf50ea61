import { pathToFileURL } from "node:url";

// Milliseconds that `import` of the SDK takes in a fresh process, without and with the modules of Node that it needs: `node import-javascript.ts SDK NAME…`.
const [file = "", ...names] = process.argv.slice(2);
const began = performance.now();
for (const name of names) await import(name);
const started = performance.now();
await import(pathToFileURL(file).href);
const ended = performance.now();
console.log(JSON.stringify([ended - started, ended - began]));
process.exit(0);
