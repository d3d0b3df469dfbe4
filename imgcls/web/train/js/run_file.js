// A network as a safetensors file that the lab's terminal opens. Source: the format's own page.
export function writeTensors(tensors, metadata = null) {
  const header = metadata ? { __metadata__: metadata } : {};
  let at = 0;
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    header[name] = { dtype: 'F32', shape, data_offsets: [at, at += 4 * data.length] };
  }
  const said = new TextEncoder().encode(JSON.stringify(header)), room = Math.ceil(said.length / 8) * 8;
  const file = new Uint8Array(8 + room + at).fill(0x20, 8, 8 + room);
  new DataView(file.buffer).setBigUint64(0, BigInt(room), true);
  file.set(said, 8);
  at = 8 + room;
  for (const { data } of Object.values(tensors)) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}

// A description and a file in one body: the description's length, itself, the file.
export function described(said, file) {
  const text = new TextEncoder().encode(JSON.stringify(said)), body = new Uint8Array(4 + text.length + file.length);
  new DataView(body.buffer).setUint32(0, text.length, true);
  body.set(text, 4);
  body.set(file, 4 + text.length);
  return body;
}
