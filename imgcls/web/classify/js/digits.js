// A clean drawing -> the 28x28 that MNIST's authors would have made of it: imaging/ink.py and digits.py for even white paper.
// A picture is { width, height, data }; ink is a Float32Array of 0 to 1 in the same shape.
import { FILTERS, gaussianBlur, resize } from './resample.js';

export const SIDE = 28;
const BOX = 20, MIDDLE = 14.5, FINE = 6, NARROW = 1.9, WIDE = 4.2, LEAST_CONTRAST = 10;
const f = Math.fround;

// Uint8 (28 * 28), light ink on black; null where nothing is drawn.
export function mnistNormalize(grey) {
  const ink = inkOf(grey);
  return ink && normalizeInk(ink);
}

// The same from ink already found, or from a part of it.
export function normalizeInk(ink) {
  const box = cropped(ink);
  const whole = box && wholeStrokes(box);
  const drawn = whole && cropped(whole);
  return drawn && centred(penWidth(fine(drawn)));
}

// How much ink each pixel of white paper holds; null where there is none.
export function inkOf({ width, height, data }) {
  const count = width * height, levels = new Uint32Array(256);
  for (let i = 0; i < count; i++) levels[255 - data[i]]++;
  const full = strongest(levels, Math.max(4, Math.floor(count / 2000)));
  if (full < LEAST_CONTRAST) return null;
  const low = 0.06 * full, range = f(0.85 * full - low), made = new Float32Array(count);
  for (let i = 0; i < count; i++) made[i] = Math.min(1, Math.max(0, f(f(255 - data[i] - low) / range)));
  return { width, height, data: made };
}

// The mean of the `count` largest values, to a whole level.
function strongest(levels, count) {
  let left = count, sum = 0;
  for (let level = levels.length - 1; level > 0 && left; level--) {
    const taken = Math.min(left, levels[level]);
    sum += taken * level;
    left -= taken;
  }
  return sum / count;
}

// The smallest box [left, top, right, bottom) around what is above `least`; null where nothing is.
export function bounds({ width, height, data }, least) {
  let left = width, top = height, right = 0, bottom = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      if (data[i] <= least) continue;
      if (x < left) left = x;
      if (x >= right) right = x + 1;
      if (y < top) top = y;
      bottom = y + 1;
    }
  }
  return right ? [left, top, right, bottom] : null;
}

export function cut({ width, data }, [left, top, right, bottom]) {
  const made = new Float32Array((right - left) * (bottom - top));
  for (let y = top; y < bottom; y++) made.set(data.subarray(y * width + left, y * width + right), (y - top) * (right - left));
  return { width: right - left, height: bottom - top, data: made };
}

function cropped(ink) {
  const box = bounds(ink, 0.25);
  return box && cut(ink, box);
}

// The ink without specks: pieces that are tiny beside the largest one.
function wholeStrokes(ink) {
  const { labels, areas, step, width } = pieces(ink);
  if (!areas.length) return null;
  if (areas.length === 1) return ink;
  const least = Math.max(2, 0.04 * Math.max(...areas));
  const data = ink.data.slice();
  for (let y = 0, i = 0; y < ink.height; y++) {
    for (let x = 0; x < ink.width; x++, i++) {
      const label = labels[Math.floor(y / step) * width + Math.floor(x / step)];
      if (label && areas[label - 1] < least) data[i] = 0;
    }
  }
  return { ...ink, data };
}

// Connected pieces (8 neighbours) on a grid of at most 80 cells: labels from 1, areas in cells, boxes in cells.
export function pieces(ink) {
  const step = Math.max(1, Math.floor(Math.max(ink.width, ink.height) / 80));
  const width = Math.ceil(ink.width / step), height = Math.ceil(ink.height / step);
  const labels = new Int32Array(width * height).fill(-1), areas = [], boxes = [];
  for (let y = 0; y < ink.height; y++) {
    for (let x = 0; x < ink.width; x++) {
      if (ink.data[y * ink.width + x] > 0.3) labels[Math.floor(y / step) * width + Math.floor(x / step)] = 0;
    }
  }
  const stack = [];
  for (let start = 0; start < labels.length; start++) {
    if (labels[start] !== 0) continue;
    const name = areas.length + 1, box = [width, height, 0, 0];
    let area = 0;
    labels[start] = name; stack.push(start);
    while (stack.length) {
      const at = stack.pop(), x = at % width, y = (at - x) / width;
      area++;
      box[0] = Math.min(box[0], x); box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x + 1); box[3] = Math.max(box[3], y + 1);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          if (labels[v * width + u] === 0) { labels[v * width + u] = name; stack.push(v * width + u); }
        }
      }
    }
    areas.push(area); boxes.push(box);
  }
  for (let i = 0; i < labels.length; i++) if (labels[i] < 0) labels[i] = 0;
  return { labels, areas, boxes, step, width, height };
}

function bytes(data) {
  const made = new Uint8Array(data.length);
  for (let i = 0; i < data.length; i++) made[i] = f(data[i] * 255);
  return made;
}

// Python's round: halves to the even neighbour.
export function rounded(value) {
  const down = Math.floor(value), over = value - down;
  return over < 0.5 || (over === 0.5 && down % 2 === 0) ? down : down + 1;
}

// The crop with its longer side at BOX * FINE pixels, with room around for broader strokes; 8 bits.
function fine(crop) {
  const scale = BOX * FINE / Math.max(crop.width, crop.height), room = 2 * FINE;
  const width = Math.max(1, rounded(crop.width * scale)), height = Math.max(1, rounded(crop.height * scale));
  const filter = scale < 1 ? FILTERS.box : FILTERS.bicubic;
  const small = resize({ ...crop, data: bytes(crop.data) }, width, height, filter);
  return padded(small, room);
}

function padded({ width, height, data }, room) {
  const made = new data.constructor((width + 2 * room) * (height + 2 * room));
  for (let y = 0; y < height; y++) {
    made.set(data.subarray(y * width, (y + 1) * width), (y + room) * (width + 2 * room) + room);
  }
  return { width: width + 2 * room, height: height + 2 * room, data: made };
}

// Strokes between NARROW and WIDE: ink at FINE pixels a pixel.
function penWidth(fine) {
  const { width, height } = fine;
  const levels = new Uint32Array(256);
  for (let i = 0; i < fine.data.length; i++) levels[fine.data[i]]++;
  const peak = Math.max(strongest(levels, 20) / 255, 1e-3);
  let ink = { width, height, data: new Float32Array(fine.data.length) };
  for (let i = 0; i < ink.data.length; i++) ink.data[i] = Math.min(1, f(f(fine.data[i] / 255) / peak));
  let pen = strokeWidth(ink, 0.4);
  for (let i = 0; i < 4; i++) {
    const grow = (Math.min(Math.max(pen, NARROW * FINE), WIDE * FINE) - pen) / 2;
    if (Math.abs(grow) < 0.3) break;
    ink = movedEdge(ink, grow);
    const before = pen;
    pen = strokeWidth(ink, 0.5);
    if (pen === 0 || Math.abs(pen - before) < 0.1) break;
  }
  return ink;
}

// A stroke's area is length x width, its outline twice its length.
function strokeWidth({ width, height, data }, least) {
  let area = 0, outline = 0;
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const here = data[i] > least;
      if (here) area++;
      if (x && here !== data[i - 1] > least) outline++;
      if (y && here !== data[i - width] > least) outline++;
    }
  }
  return outline ? 2 * area / (outline * Math.PI / 4) : 0;
}

function movedEdge(ink, pixels) {
  const step = Math.min(2, Math.max(-2, pixels)), sigma = 2, softness = 0.12;
  const blurred = gaussianBlur({ ...ink, data: bytes(ink.data) }, sigma).data;
  let level = 0.5 * (1 - Math.tanh(0.8 * step / sigma)), top = 0;
  for (let i = 0; i < blurred.length; i++) if (blurred[i] > top) top = blurred[i];
  if (step > 0) level = Math.min(level, 0.5 * Math.max(top / 255, 1e-3));
  const range = f(2 * softness * Math.max(level, 0.2));
  const data = new Float32Array(ink.data.length);
  for (let i = 0; i < data.length; i++) {
    const moved = Math.min(1, Math.max(0, f(f(f(f(blurred[i] / 255) - level) / range) + 0.5)));
    data[i] = step > 0 ? Math.max(moved, ink.data[i]) : Math.min(moved, ink.data[i]);
  }
  return { ...ink, data };
}

// Uint8 (28 * 28): the longer side at 20 pixels, the centre of mass in the middle, one antialiased resize.
function centred(ink) {
  const solid = bounds(ink, 0.3);
  if (!solid) return null;
  const pixel = Math.max(solid[2] - solid[0], solid[3] - solid[1]) / BOX;
  let mass = 0, across = 0, down = 0;
  for (let y = 0, i = 0; y < ink.height; y++) {
    for (let x = 0; x < ink.width; x++, i++) {
      const here = ink.data[i];
      mass += here; across += here * (x + 0.5); down += here * (y + 0.5);
    }
  }
  const room = Math.ceil(SIDE * pixel);
  const left = across / mass + room - MIDDLE * pixel, top = down / mass + room - MIDDLE * pixel;
  const large = padded({ ...ink, data: bytes(ink.data) }, room);
  const box = [left, top, left + SIDE * pixel, top + SIDE * pixel];
  const small = resize(large, SIDE, SIDE, pixel >= 2 ? FILTERS.box : FILTERS.bilinear, box).data;
  const peak = Math.max(...small);
  return Uint8Array.from(small, v => (peak ? rounded(Math.min(255, f(v * f(255 / peak)))) : 0));
}
