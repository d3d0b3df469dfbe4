// Pillow's resampling and Gaussian blur on 8-bit grey pictures, to the last bit: what the server does, the page does.
// A picture is { width, height, data }, row by row. Source: Pillow's Resample.c and BoxBlur.c.
export const FILTERS = {
  box: { support: 0.5, at: x => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, at: x => Math.max(0, 1 - Math.abs(x)) },
  bicubic: { support: 2, at: cubic },
  lanczos: { support: 3, at: x => (Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0) },
};
const BITS = 22;   // of Pillow's fixed-point weights

function cubic(x) {
  x = Math.abs(x);
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function sinc(x) { return x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI); }

// For each of `size` outputs: where its weights begin, and the weights, over `length` inputs of which [low, high) is read.
export function taps(length, low, high, size, filter) {
  const scale = Math.fround(high - low) / size, wide = Math.max(scale, 1), support = filter.support * wide;
  return Array.from({ length: size }, (_, i) => {
    const centre = low + (i + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(length, Math.trunc(centre + support + 0.5));
    const weights = new Float64Array(Math.max(0, to - from));
    let sum = 0;
    for (let j = from; j < to; j++) sum += weights[j - from] = filter.at((j - centre + 0.5) / wide);
    if (sum) for (let j = 0; j < weights.length; j++) weights[j] /= sum;
    return { from, weights };
  });
}

function fixed(line) {
  return line.map(({ from, weights }) => ({
    from, weights: Int32Array.from(weights, w => Math.trunc(w * (1 << BITS) + (w < 0 ? -0.5 : 0.5))),
  }));
}

// Image.resize((width, height), filter, box=[left, top, right, bottom]) of an "L" picture.
export function resize(picture, width, height, filter, box = [0, 0, picture.width, picture.height]) {
  const [left, top, right, bottom] = box.map(Math.fround);
  const across = left || right !== picture.width || width !== picture.width;
  const down = top || bottom !== picture.height || height !== picture.height;
  const columns = across && fixed(taps(picture.width, left, right, width, filter));
  const lines = down && fixed(taps(picture.height, top, bottom, height, filter));
  const begin = down ? lines[0].from : 0, last = down && lines[height - 1];
  const end = down ? last.from + last.weights.length : picture.height;   // only these rows are read
  const rows = across ? wider(picture.data, picture.width, begin, end, columns) : picture.data;
  return { width, height, data: down ? taller(rows, width, height, lines) : rows };
}

function wider(data, width, begin, end, columns) {
  const made = new Uint8ClampedArray(end * columns.length);
  for (let y = begin, out = begin * columns.length; y < end; y++) {
    for (const { from, weights } of columns) {
      let sum = 1 << (BITS - 1), at = y * width + from;
      for (let j = 0; j < weights.length; j++) sum += data[at++] * weights[j];
      made[out++] = sum >> BITS;
    }
  }
  return made;
}

function taller(data, width, height, lines) {
  const made = new Uint8ClampedArray(width * height), sums = new Int32Array(width);
  lines.forEach(({ from, weights }, y) => {
    sums.fill(1 << (BITS - 1));
    for (let j = 0, at = from * width; j < weights.length; j++) {
      const weight = weights[j];
      for (let x = 0; x < width; x++) sums[x] += data[at++] * weight;
    }
    for (let x = 0; x < width; x++) made[y * width + x] = sums[x] >> BITS;
  });
  return made;
}

// ImageFilter.GaussianBlur(sigma): three box blurs along the rows, three along the columns.
export function gaussianBlur({ width, height, data }, sigma, passes = 3) {
  const variance = sigma * sigma / passes;
  const whole = Math.floor((Math.sqrt(12 * variance + 1) - 1) / 2);
  const part = (2 * whole + 1) * (whole * (whole + 1) - 3 * variance) / (6 * (variance - (whole + 1) ** 2));
  const radius = Math.fround(whole + part);
  const turned = transposed(boxBlur(data, width, height, radius, passes), width, height);
  return { width, height, data: transposed(boxBlur(turned, height, width, radius, passes), height, width) };
}

function transposed(data, width, height) {
  const made = new Uint8Array(data.length);
  for (let y = 0, i = 0; y < height; y++) for (let x = 0; x < width; x++) made[x * height + y] = data[i++];
  return made;
}

function boxBlur(data, width, height, radius, passes) {
  const r = Math.trunc(radius), one = 1 << 24, room = r + 1;
  const inner = Math.trunc(one / Math.fround(radius * 2 + 1)), edge = Math.trunc((one - (2 * r + 1) * inner) / 2);
  const made = new Uint8Array(data.length), row = new Uint8Array(width + 2 * room);
  for (let y = 0; y < height; y++) {
    const start = y * width, given = data.subarray(start, start + width);
    if (!given.some(v => v)) continue;               // paper without ink, most of a drawing, stays as it is
    row.set(given, room);
    for (let n = 0; n < passes; n++) {
      row.fill(row[room], 0, room);                    // beyond its ends a row goes on as it ended
      row.fill(row[width + room - 1], width + room);
      let sum = 0;
      for (let i = 0; i < 2 * r + 1; i++) sum += row[i];
      for (let x = 0; x < width; x++) {
        sum += row[x + 2 * r + 1] - row[x];
        made[start + x] = (sum * inner + (row[x] + row[x + 2 * room]) * edge + 0x800000) >>> 24;
      }
      row.set(made.subarray(start, start + width), room);
    }
  }
  return made;
}
