// What happens to a drawing before the network, as the checkpoint says it: imaging/preprocess.py for a square grey canvas.
import { mnistNormalize, normalizeInk, rounded, SIDE } from './digits.js';
import { FILTERS, resize, taps } from './resample.js';

const CROP_MARGIN = 256 / 224;

// Uint8 (stored * stored), one channel; null where nothing is drawn. `ink`: a part of the drawing, as digits.js finds it.
export function toStored(picture, { fit, stored }, ink = null) {
  if (fit === 'digit') {
    const grey = ink ? normalizeInk(ink) : mnistNormalize(picture);
    return grey && (stored === SIDE ? grey : scaled({ width: SIDE, height: SIDE, data: grey }, stored, FILTERS.bilinear));
  }
  if (fit === 'garment') return scaled({ ...picture, data: picture.data.map(v => 255 - v) }, stored, FILTERS.lanczos);
  if (fit !== 'crop') return scaled(picture, stored, FILTERS.bilinear);
  const side = rounded(stored * CROP_MARGIN);
  return cropped(scaled(picture, side, FILTERS.bilinear), side, stored, rounded((side - stored) / 2));
}

function scaled(picture, side, filter) { return resize(picture, side, side, filter).data; }

function cropped(data, side, size, start) {
  const made = new data.constructor(size * size);
  for (let y = 0; y < size; y++) {
    made.set(data.subarray((y + start) * side + start, (y + start) * side + start + size), y * size);
  }
  return made;
}

// Float32 (channels * size * size), normalised.
export function toInput(grey, { stored, size, enlarge, channels, mean, std }) {
  let plane = Float32Array.from(grey);
  if (stored !== size) {
    const side = enlarge === 'crop' ? rounded(size * CROP_MARGIN) : size;
    plane = cropped(enlarged(plane, stored, side), side, size, Math.floor((side - size) / 2));
  }
  const made = new Float32Array(channels * size * size);
  for (let c = 0; c < channels; c++) {
    const scale = 1 / (255 * std[c]), shift = mean[c] / std[c];
    for (let i = 0; i < plane.length; i++) made[c * plane.length + i] = plane[i] * scale - shift;
  }
  return made;
}

// torch's interpolate(mode="bilinear", antialias=True).
function enlarged(plane, from, side) {
  const lines = taps(from, 0, from, side, FILTERS.bilinear);
  const rows = new Float32Array(from * side), made = new Float32Array(side * side);
  for (let y = 0; y < from; y++) {
    lines.forEach((line, x) => { rows[y * side + x] = sum(line, j => plane[y * from + j]); });
  }
  lines.forEach((line, y) => { for (let x = 0; x < side; x++) made[y * side + x] = sum(line, j => rows[j * side + x]); });
  return made;
}

function sum({ from, weights }, at) {
  let made = 0;
  for (let j = 0; j < weights.length; j++) made += weights[j] * at(from + j);
  return made;
}

// The first channel of what the network was given, as grey levels.
export function asGrey(input, { size, mean, std }) {
  return Uint8ClampedArray.from(input.subarray(0, size * size), v => (v * std[0] + mean[0]) * 255);
}
