// A safetensors file as the lab sends it: { meta, tensors: { name: { shape, data } } }, every number a float.
// Source: the format's own page: 8 bytes of length, a JSON header, then the tensors one after another.
export function readTensors(buffer) {
  const length = Number(new DataView(buffer).getBigUint64(0, true));
  const { __metadata__: { page }, ...header } = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 8, length)));
  const tensors = {};
  for (const [name, { dtype, shape, data_offsets: [begin, end] }] of Object.entries(header)) {
    tensors[name] = { shape, data: READ[dtype](buffer.slice(8 + length + begin, 8 + length + end)) };
  }
  return { meta: JSON.parse(page), tensors };
}

const READ = {
  F32: bytes => new Float32Array(bytes),
  F16: bytes => Float32Array.from(new Uint16Array(bytes), half),
  I16: bytes => Float32Array.from(new Int16Array(bytes)),
  I8: bytes => Float32Array.from(new Int8Array(bytes)),
  U8: bytes => Float32Array.from(new Uint8Array(bytes)),
  I64: bytes => Float32Array.from(new BigInt64Array(bytes), Number),
};

function half(bits) {
  const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
}
