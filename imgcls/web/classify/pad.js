// The drawing pad: strokes kept as points, so that undo is exact and a refresh brings the drawing back.
// Who reads the drawing in the page sets `pad.read`, which is then called in the frame of every pen move, and nothing
// is sent while drawing. Otherwise `drawn` is called, live while the pen moves, and again when the event 'answered' says
// that the one before has its answer. `props.value` is a small PNG of the
// drawing, 'none' when nothing is drawn; at pen-up it is always the present one.
import { Pointers } from './pointers.js';
import { Sheet, SIDE } from './sheet.js';
import { Strokes } from './strokes.js';

const SENT_PX = 196;       // a side of what is read and sent: about 3 KB
const MAX_SHOWN_PX = 2000; // a side of what is shown
const SEND_EVERY_MS = 110; // while drawing
const STEP = 8;            // units that an arrow key moves the cursor
const MOVES = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] };

// Tells whoever reads the drawing that it has changed: `element.read` where there is one, else the server.
class Sender {
  constructor(element, props, drawn) {
    Object.assign(this, { element, props, drawn, timer: null, frame: null, lastSent: 0 });
    this.asked = this.late = false;   // an answer is on its way; the drawing has changed since
    element.addEventListener('answered', () => { this.asked = false; if (this.late) this.send(); });
  }

  send() {
    clearTimeout(this.timer); this.timer = null; this.lastSent = performance.now();
    this.props.value = this.element.png();
    if (this.element.read) { this.element.read(); return; }
    this.element.dispatchEvent(new Event('drawn-on', { bubbles: true }));
    this.late = this.asked;
    if (this.asked) return;
    this.asked = true;
    this.drawn();
  }

  soon() {
    if (!this.element.read) {
      const wait = Math.max(0, SEND_EVERY_MS - (performance.now() - this.lastSent));
      if (this.timer === null) this.timer = setTimeout(() => this.send(), wait);
    } else if (this.frame === null) {
      this.frame = requestAnimationFrame(() => { this.frame = null; this.element.read?.(); });
    }
  }
}

class Pad {
  constructor(element, canvas, sender) {
    const reduced = Object.assign(document.createElement('canvas'), { width: SENT_PX, height: SENT_PX });
    Object.assign(this, { element, canvas, sender, width: 20, cursor: null, marked: [] });
    this.strokes = new Strokes();
    this.shown = new Sheet(canvas);
    this.small = new Sheet(reduced, { willReadFrequently: true });
    this.pointers = new Pointers(canvas, this);
  }

  draw() {
    const target = this.shown.draw(this.strokes.current);
    target.strokeStyle = '#6366f1';
    target.lineWidth = 2;
    this.marked.forEach(([left, top, right, bottom]) => target.strokeRect(left - 4, top - 4, right - left + 8, bottom - top + 8));
    if (this.cursor) { target.fillStyle = '#f60'; target.beginPath(); target.arc(...this.cursor, 4, 0, 7); target.fill(); }
    this.element.classList.toggle('empty', !this.strokes.all.length && !this.cursor);
  }

  // After anything but a stroke that went on or ended.
  repaint() {
    [this.shown, this.small].forEach(sheet => sheet.repaint(this.strokes.finished));
    this.draw();
  }

  // As many pixels as the screen has there, however the page is zoomed.
  fit() {
    const pixels = Math.min(Math.round(this.canvas.getBoundingClientRect().width * devicePixelRatio), MAX_SHOWN_PX);
    if (!pixels || pixels === this.canvas.width) return;
    this.shown.resize(pixels);
    this.repaint();
  }

  changed() { this.draw(); this.strokes.save(); this.sender.send(); }

  begin(point) {
    this.end();
    this.strokes.begin(point, this.width);
    this.draw(); this.sender.soon();
  }

  extend(points) {
    if (!this.strokes.current) return;
    this.strokes.extend(points);
    this.draw(); this.sender.soon();
  }

  end() {
    const { current } = this.strokes;
    this.pointers.release();
    if (!current) return;
    [this.shown, this.small].forEach(sheet => sheet.finish(current));
    this.strokes.current = null;
    this.changed();
  }

  // The stroke in progress was none: a palm, or a finger beside a pen.
  drop() {
    this.pointers.release();
    if (this.strokes.current) this.undo();
  }

  undo() {
    this.pointers.release();
    this.strokes.removeLast();
    this.repaint(); this.changed();
  }

  clear() { this.put([]); }

  // Another drawing in place of this one.
  put(strokes) {
    this.pointers.release();
    this.cursor = null;
    this.strokes.replace(strokes);
    const show = () => { this.repaint(); this.changed(); }, pictures = strokes.filter(stroke => stroke.picture);
    pictures.forEach(stroke => { stroke.image = Object.assign(new Image(), { onload: show, src: stroke.picture }); });
    if (!pictures.length) show();
  }

  grey() {
    if (!this.strokes.all.length) return null;
    const colours = this.small.draw(this.strokes.current).getImageData(0, 0, SENT_PX, SENT_PX).data;
    const data = new Uint8Array(SENT_PX * SENT_PX);
    for (let i = 0; i < data.length; i++) data[i] = colours[4 * i];
    return { width: SENT_PX, height: SENT_PX, data };
  }

  png() {
    if (!this.strokes.all.length) return 'none';   // '' is what the page began with
    return this.small.draw(this.strokes.current).canvas.toDataURL('image/png');
  }

  mark(boxes) {
    if (!boxes.length && !this.marked.length) return;
    this.marked = boxes.map(box => box.map(v => v * SIDE / SENT_PX));
    this.draw();
  }

  onKey(event) {
    if ((event.ctrlKey || event.metaKey) && event.key === 'z') this.undo();
    else if (event.key === 'Backspace') this.undo();
    else if (event.key === 'Delete') this.clear();
    else if (event.key === ' ') { this.cursor ??= [SIDE / 2, SIDE / 2]; if (this.strokes.current) this.end(); else this.begin(this.cursor); }
    else if (MOVES[event.key]) this.moveCursor(MOVES[event.key]);
    else return;
    event.preventDefault();
  }

  moveCursor(move) {
    const from = this.cursor ?? [SIDE / 2, SIDE / 2];
    this.cursor = move.map((by, i) => Math.min(SIDE - STEP, Math.max(STEP, from[i] + by)));
    if (this.strokes.current) this.extend([this.cursor]); else this.draw();
  }
}

function watchSize(canvas, resized) {
  const sizes = new ResizeObserver(resized);
  try { sizes.observe(canvas, { box: 'device-pixel-content-box' }); } catch { sizes.observe(canvas); }   // Safari
}

function wire(element, canvas, pad) {
  watchSize(canvas, () => pad.fit());
  canvas.addEventListener('keydown', event => pad.onKey(event));
  canvas.addEventListener('blur', () => { pad.cursor = null; pad.draw(); });
  element.querySelector('.pad-undo').addEventListener('click', () => pad.undo());
  element.querySelector('.pad-clear').addEventListener('click', () => pad.clear());
  const brushes = element.querySelectorAll('[data-width]');
  brushes.forEach(button => button.addEventListener('click', () => {
    pad.width = Number(button.dataset.width);
    brushes.forEach(brush => brush.setAttribute('aria-pressed', String(brush === button)));
  }));
}

// `element`: holds pad.html. Returns what is in it: the pad, with all that can be done to it.
export function drawingPad(element, props, drawn = () => {}) {
  const canvas = element.querySelector('canvas'), padElement = element.querySelector('.pad');
  const pad = new Pad(padElement, canvas, new Sender(padElement, props, drawn));
  Object.assign(padElement, {
    side: SIDE,
    grey: () => pad.grey(),   // the drawing as grey levels, { width, height, data }; null when nothing is drawn
    png: () => pad.png(),     // the same as a PNG's data URL, 'none' when nothing is drawn
    strokes: () => (pad.strokes.current ? null : pad.strokes.all),   // for another pad to `put`; null while one is drawn
    put: strokes => pad.put(strokes),
    mark: boxes => pad.mark(boxes),   // boxes around what is read apart, in the pixels of `grey`
    read: props.in_page ? () => {} : null,   // until the reader is here
  });
  wire(element, canvas, pad);
  const saved = Strokes.saved();
  if (saved.length) pad.put(saved); else pad.draw();
  return padElement;
}
