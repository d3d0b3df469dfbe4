// How ink lies on the paper, before any network is asked: imaging/layout.py.
import { bounds, cut, pieces } from './digits.js';

const DOT = { full: 0.7, long: 1.4 }, TOUCH = 0.25, SCRIBBLE = { share: 0.42, reach: 0.8 }, SPECK = 0.04;
const HOLE = 0.005, HOLES = 2;
const APART = 0.1, LOWEST = 0.6, MOST = 8;

// { kind: 'digit', 'several', 'dot' or 'scribble'; boxes: [[left, top, right, bottom], ...], one unless several }
export function layoutOf(ink) {
  const found = pieces(ink), largest = Math.max(...found.areas), least = Math.min(largest, Math.max(2, SPECK * largest));
  const boxes = found.boxes.filter((_, i) => found.areas[i] >= least).map(box => box.map(v => v * found.step))
    .sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const whole = around(boxes), tight = bounds(cut(ink, clipped(whole, ink)), 0.3);   // to the pixel
  const width = tight[2] - tight[0], height = tight[3] - tight[1];
  const inked = part => part.data.reduce((sum, v) => sum + (v > 0.3), 0), all = inked(ink);
  const box = cut(ink, clipped(whole, ink)), full = inked(box) / (width * height);
  if (full >= DOT.full && Math.max(width, height) <= DOT.long * Math.min(width, height)) {
    const touched = Math.max(width, height) <= TOUCH * Math.max(ink.width, ink.height);
    if (!ring(box, HOLE * width * height)) return { kind: touched ? 'dot' : 'scribble', boxes: [whole] };
  }
  const reach = Math.min(width / ink.width, height / ink.height);
  if (all / ink.data.length >= SCRIBBLE.share && reach >= SCRIBBLE.reach) return { kind: 'scribble', boxes: [whole] };
  const groups = grouped(boxes);
  if (groups.length > 1 && groups.length <= MOST && inARow(groups)) return { kind: 'several', boxes: groups };
  return { kind: 'digit', boxes: [whole] };
}

// Whether ink goes around one hole or two of together at least so many pixels, as in 0, 6, 8 and 9.
function ring(box, least) {
  const width = box.width + 2, height = box.height + 2, paper = new Uint8Array(width * height).fill(1);
  for (let y = 0; y < box.height; y++) {
    for (let x = 0; x < box.width; x++) if (box.data[y * box.width + x] > 0.3) paper[(y + 1) * width + x + 1] = 0;
  }
  let holes = -1, enclosed = 0;   // the first piece of paper is what lies around
  for (let start = 0; start < paper.length; start++) {
    if (!paper[start]) continue;
    const area = taken(paper, width, height, start);
    if (holes >= 0) enclosed += area;
    holes++;
  }
  return holes >= 1 && holes <= HOLES && enclosed >= least;
}

// The area of the piece around `start`, which is taken out of `mask`.
function taken(mask, width, height, start) {
  const stack = [start];
  let area = 0;
  mask[start] = 0;
  while (stack.length) {
    const at = stack.pop(), x = at % width, y = (at - x) / width;
    area++;
    for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
      for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
        if (mask[v * width + u]) { mask[v * width + u] = 0; stack.push(v * width + u); }
      }
    }
  }
  return area;
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
