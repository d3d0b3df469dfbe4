// The drawing pad: strokes kept as points, so that undo is exact and a refresh brings the drawing back.
// Who reads the drawing in the page sets `pad.read`, which is then called in the frame of every pen move, and nothing
// is sent while drawing. Otherwise 'drawn' is told, live while the pen moves, and again when the event 'answered' says
// that the one before has its answer. `props.value` is a small PNG of the
// drawing, 'none' when nothing is drawn; at pen-up it is always the present one.
const canvas = element.querySelector('canvas');
const context = canvas.getContext('2d');
const pad = element.querySelector('.pad');
const SIDE = canvas.width;
const SENT = 196;      // pixels a side of what is read and sent: about 3 KB
const EVERY = 110;     // ms between two sendings while drawing
const KEPT = 'imgcls-drawing';
const MOST = 20000;    // points: a drawing beyond that is no digit
const reduced = document.createElement('canvas');
reduced.width = reduced.height = SENT;
const small = reduced.getContext('2d', { willReadFrequently: true });
small.scale(SENT / SIDE, SENT / SIDE);
let asked = false, late = false;   // an answer is on its way; the drawing has changed since
let strokes = [], current = null, width = 20, timer = null, frame = null, lastSent = 0, cursor = null, points = 0, marked = [];

function line(target, stroke) {
  if (stroke.picture) { if (stroke.image?.naturalWidth) target.drawImage(stroke.image, 0, 0, SIDE, SIDE); return; }
  target.lineCap = target.lineJoin = 'round';
  target.strokeStyle = target.fillStyle = '#000';
  target.lineWidth = stroke.width;
  const p = stroke.points;
  target.beginPath();
  if (p.length === 1) { target.arc(p[0][0], p[0][1], stroke.width / 2, 0, 7); target.fill(); return; }
  target.moveTo(p[0][0], p[0][1]);
  for (let i = 1; i < p.length - 1; i++) {   // through the middles: a hand draws curves
    target.quadraticCurveTo(p[i][0], p[i][1], (p[i][0] + p[i + 1][0]) / 2, (p[i][1] + p[i + 1][1]) / 2);
  }
  target.lineTo(p[p.length - 1][0], p[p.length - 1][1]);
  target.stroke();
}

function paint(target) {
  target.fillStyle = '#fff';
  target.fillRect(0, 0, SIDE, SIDE);
  strokes.forEach(stroke => line(target, stroke));
}

function draw() {
  paint(context);
  context.strokeStyle = '#6366f1';
  context.lineWidth = 2;
  marked.forEach(([left, top, right, bottom]) => context.strokeRect(left - 4, top - 4, right - left + 8, bottom - top + 8));
  pad.classList.toggle('empty', !strokes.length && !cursor);
}

// The drawing as grey levels, { width, height, data }; null when nothing is drawn.
pad.grey = () => {
  if (!strokes.length) return null;
  paint(small);
  const colours = small.getImageData(0, 0, SENT, SENT).data, data = new Uint8Array(SENT * SENT);
  for (let i = 0; i < data.length; i++) data[i] = colours[4 * i];
  return { width: SENT, height: SENT, data };
};
// The same as a PNG's data URL, 'none' when nothing is drawn.
pad.png = () => {
  if (!strokes.length) return 'none';   // '' is what the page began with
  paint(small);
  return reduced.toDataURL('image/png');
};
// Boxes around what is read apart, in the pixels of `grey`.
pad.mark = boxes => {
  if (!boxes.length && !marked.length) return;
  marked = boxes.map(box => box.map(v => v * SIDE / SENT));
  draw();
};
pad.read = props.in_page ? () => {} : null;   // until the reader is here

function send() {
  clearTimeout(timer); timer = null; lastSent = performance.now();
  props.value = pad.png();
  if (pad.read) { pad.read(); return; }
  pad.dispatchEvent(new Event('drawn-on', { bubbles: true }));
  late = asked;
  if (asked) return;
  asked = true;
  trigger('drawn');
}
pad.addEventListener('answered', () => { asked = false; if (late) send(); });

function soon() {
  if (!pad.read) {
    if (timer === null) timer = setTimeout(send, Math.max(0, EVERY - (performance.now() - lastSent)));
  } else if (frame === null) {
    frame = requestAnimationFrame(() => { frame = null; if (pad.read) pad.read(); });
  }
}

function keep() { try { sessionStorage.setItem(KEPT, JSON.stringify(strokes)); } catch (e) { /* private mode */ } }

function changed() { draw(); keep(); send(); }

function at(event) {
  const box = canvas.getBoundingClientRect();
  return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
}

function begin(point) { current = { width, points: [point] }; strokes.push(current); points++; draw(); soon(); }
function extend(point) {
  if (!current || points > MOST) return;
  current.points.push(point); points++; draw(); soon();
}
function end() { if (current) { current = null; changed(); } }

canvas.addEventListener('pointerdown', event => {
  if (event.button !== 0 && event.pointerType === 'mouse') return;
  event.preventDefault(); canvas.focus({ preventScroll: true });
  canvas.setPointerCapture(event.pointerId); begin(at(event));
});
canvas.addEventListener('pointermove', event => {
  if (!current) return;
  event.preventDefault();
  const many = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
  (many.length ? many : [event]).forEach(one => extend(at(one)));
});
['pointerup', 'pointercancel', 'lostpointercapture'].forEach(name => canvas.addEventListener(name, end));

function undo() { strokes.pop(); current = null; changed(); }
function clear() { strokes = []; current = null; cursor = null; points = 0; changed(); }

canvas.addEventListener('keydown', event => {
  const moves = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -8], ArrowDown: [0, 8] };
  if ((event.ctrlKey || event.metaKey) && event.key === 'z') undo();
  else if (event.key === 'Backspace') undo();
  else if (event.key === 'Delete') clear();
  else if (event.key === ' ') { cursor = cursor || [SIDE / 2, SIDE / 2]; current ? end() : begin(cursor); }
  else if (moves[event.key]) {
    cursor = cursor || [SIDE / 2, SIDE / 2];
    const step = moves[event.key];
    cursor = [0, 1].map(i => Math.min(SIDE - 8, Math.max(8, cursor[i] + step[i])));
    current ? extend(cursor) : draw();
    context.fillStyle = '#f60'; context.beginPath(); context.arc(cursor[0], cursor[1], 4, 0, 7); context.fill();
  } else return;
  event.preventDefault();
});
canvas.addEventListener('blur', () => { cursor = null; draw(); });

element.querySelector('.pad-undo').addEventListener('click', undo);
element.querySelector('.pad-clear').addEventListener('click', clear);
element.querySelectorAll('[data-width]').forEach(button => button.addEventListener('click', () => {
  width = Number(button.dataset.width);
  element.querySelectorAll('[data-width]').forEach(b => b.setAttribute('aria-pressed', String(b === button)));
}));

// Another drawing in place of this one: [{ width, points: [[x, y], ...] }, ...] in the canvas's own pixels; or a picture
// that fills the pad, [{ picture: its data URL }].
pad.put = drawing => {
  strokes = drawing; current = cursor = null;
  const pictures = drawing.filter(stroke => stroke.picture);
  pictures.forEach(stroke => { stroke.image = Object.assign(new Image(), { onload: changed, src: stroke.picture }); });
  if (!pictures.length) changed();
};

let kept = [];
try { kept = JSON.parse(sessionStorage.getItem(KEPT)) || []; } catch (e) { /* private mode */ }
if (kept.length) pad.put(kept); else draw();
