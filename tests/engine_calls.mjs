// Calls methods of the page's Engine under Node: a JSON request on stdin, one JSON answer a call on stdout.
// Arrays travel as { f32 | u8 | u32: base64 }.
import fs from 'node:fs';

const [folder, wasm] = process.argv.slice(2);
const { Engine, hasRelaxed } = await import(`${folder}/engine.js`);
const KINDS = { f32: Float32Array, u8: Uint8Array, u32: Uint32Array };

const unpacked = value => {
  const [kind, text] = Object.entries(value ?? {})[0] ?? [];
  if (!KINDS[kind] || typeof text !== 'string') return value;
  const bytes = Uint8Array.from(Buffer.from(text, 'base64'));
  return new KINDS[kind](bytes.buffer);
};
const packed = value => {
  const kind = Object.keys(KINDS).find(name => value instanceof KINDS[name]);
  return kind ? { [kind]: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') } : value;
};

const { shape, calls } = JSON.parse(fs.readFileSync(0, 'utf8'));
const engine = new Engine(await WebAssembly.compile(fs.readFileSync(wasm)), shape);
const answers = calls.map(([name, ...args]) => packed(engine[name](...args.map(unpacked))) ?? null);
console.log(JSON.stringify({ relaxed: hasRelaxed(), answers }));
