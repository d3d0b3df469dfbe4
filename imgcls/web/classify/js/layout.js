// How ink lies on the paper, before any network is asked: imaging/layout.py.
import { bounds, cut, pieces } from './digits.js';

const DOT = { full: 0.7, long: 1.4 }, TOUCH = 0.25, SCRIBBLE = { share: 0.42, reach: 0.8 }, SPECK = 0.04;
const APART = 0.1, LOWEST = 0.6, MOST = 8;

// { kind: 'digit', 'several', 'dot' or 'scribble'; boxes: [[left, top, right, bottom], ...], one unless several }
export function layoutOf(ink) {
  const found = pieces(ink), largest = Math.max(...found.areas), least = Math.min(largest, Math.max(2, SPECK * largest));
  const boxes = found.boxes.filter((_, i) => found.areas[i] >= least).map(box => box.map(v => v * found.step))
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const whole = around(boxes), tight = bounds(cut(ink, clipped(whole, ink)), 0.3);   // to the pixel
  const width = tight[2] - tight[0], height = tight[3] - tight[1];
  const inked = part => part.data.reduce((sum, v) => sum + (v > 0.3), 0), all = inked(ink);
  const full = inked(cut(ink, clipped(whole, ink))) / (width * height);
  if (full >= DOT.full && Math.max(width, height) <= DOT.long * Math.min(width, height)) {
    const touched = Math.max(width, height) <= TOUCH * Math.max(ink.width, ink.height);
    return { kind: touched ? 'dot' : 'scribble', boxes: [whole] };
  }
  const reach = Math.min(width / ink.width, height / ink.height);
  if (all / ink.data.length >= SCRIBBLE.share && reach >= SCRIBBLE.reach) return { kind: 'scribble', boxes: [whole] };
  const groups = grouped(boxes);
  if (groups.length > 1 && groups.length <= MOST && inARow(groups)) return { kind: 'several', boxes: groups };
  return { kind: 'digit', boxes: [whole] };
}

function grouped(boxes) {
  const made = [];
  for (const box of boxes) {
    if (made.length && box[0] < made.at(-1)[2]) made.push(around([made.pop(), box]));
    else made.push(box);
  }
  return made;
}

function inARow(groups) {
  const highest = Math.max(...groups.map(([, top, , bottom]) => bottom - top));
  return groups.every(([left, top, , bottom], i) => (
    bottom - top >= LOWEST * highest && (i === 0 || left - groups[i - 1][2] >= APART * highest)));
}

// Cells at the edge reach beyond the paper.
export const clipped = ([left, top, right, bottom], { width, height }) => [left, top, Math.min(right, width), Math.min(bottom, height)];

const around = boxes => [0, 1, 2, 3].map(k => (k < 2 ? Math.min : Math.max)(...boxes.map(box => box[k])));
