// The drawing pad: strokes kept as points, so that undo is exact and a refresh brings the drawing back.
// Who reads the drawing in the page sets `pad.read`, which is then called in the frame of every pen move, and nothing
// is sent while drawing. Otherwise `drawn` is called, live while the pen moves, and again when the event 'answered' says
// that the one before has its answer. `props.value` is a small PNG of the
// drawing, 'none' when nothing is drawn; at pen-up it is always the present one.
const SIDE = 280;      // units a side of the pad, in which strokes are kept
const SENT = 196;      // pixels a side of what is read and sent: about 3 KB
const LARGEST = 2000;  // pixels a side of what is shown
const EVERY = 110;     // ms between two sendings while drawing
const KEPT = 'imgcls-drawing';
const MOST = 20000;    // points: a drawing beyond that is no digit
const PALM = 100;      // CSS pixels of contact: a finger has 20 to 60
const PEN_NEAR = 500;  // ms after a pen was last seen, in which a touch is the hand that holds it

const middle = (points, i) => [(points[i][0] + points[i + 1][0]) / 2, (points[i][1] + points[i + 1][1]) / 2];

// A stroke through the middles between its points, for a hand draws curves: from the middle before point `from` to the
// last point, or, `open`, to the middle before that.
function trace(target, { points, width }, from = 0, open = false) {
  const last = points.length - 1;
  target.lineCap = target.lineJoin = 'round';
  target.strokeStyle = target.fillStyle = '#000';
  target.lineWidth = width;
  target.beginPath();
  if (!last) { target.arc(...points[0], width / 2, 0, 7); target.fill(); return; }
  target.moveTo(...(from ? middle(points, from - 1) : points[0]));
  for (let i = Math.max(from, 1); i < last; i++) target.quadraticCurveTo(...points[i], ...middle(points, i));
  if (!open) target.lineTo(...points[last]);
  target.stroke();
}

// The drawing in pixels. Finished strokes are drawn once, and of the one in progress only what is new: a long stroke
// costs as many steps as it has points.
class Sheet {
  constructor(canvas, options) {
    this.canvas = canvas;
    this.target = canvas.getContext('2d', options);
    [this.finished, this.settled] = [0, 1].map(() => document.createElement('canvas').getContext('2d'));
    this.resize(canvas.width);
  }

  resize(pixels) {
    for (const { canvas } of [this.target, this.finished, this.settled]) canvas.width = canvas.height = pixels;
    this.repaint([]);
  }

  // From here on `draw` gives units, and pixels elsewhere.
  scale(target) { target.setTransform(this.canvas.width / SIDE, 0, 0, this.canvas.width / SIDE, 0, 0); return target; }

  copy(from, to) { to.setTransform(1, 0, 0, 1, 0, 0); to.drawImage(from.canvas, 0, 0); return this.scale(to); }

  repaint(strokes) {
    const target = this.scale(this.finished);
    target.fillStyle = '#fff';
    target.fillRect(0, 0, SIDE, SIDE);
    strokes.forEach(stroke => this.finish(stroke));
    this.restart();
  }

  finish(stroke) {
    if (!stroke.picture) trace(this.finished, stroke);
    else if (stroke.image?.naturalWidth) this.finished.drawImage(stroke.image, 0, 0, SIDE, SIDE);
    this.restart();
  }

  restart() { this.copy(this.finished, this.settled); this.upto = 0; }

  // Onto the canvas: what is finished, and the stroke in progress.
  draw(current) {
    if (!current) return this.copy(this.finished, this.target);
    const last = current.points.length - 1;
    if (last - this.upto > 1) {   // all but the end, which the next point bends
      trace(this.settled, current, this.upto, true);
      this.upto = last;
    }
    this.copy(this.settled, this.target);
    trace(this.target, current, this.upto);
    return this.target;
  }
}

// `element`: holds pad.html. Returns what is in it: the pad, with all that can be done to it.
export function drawingPad(element, props, drawn = () => {}) {
  const canvas = element.querySelector('canvas'), pad = element.querySelector('.pad');
  const shown = new Sheet(canvas), reduced = document.createElement('canvas');
  reduced.width = reduced.height = SENT;
  const small = new Sheet(reduced, { willReadFrequently: true });
  let asked = false, late = false;   // an answer is on its way; the drawing has changed since
  let strokes = [], current = null, width = 20, timer = null, frame = null, lastSent = 0, cursor = null, points = 0, marked = [];
  let pointer = null, penSeen = -Infinity;   // which one draws: { id, type }; when a pen was last over the pad

  function draw() {
    const target = shown.draw(current);
    target.strokeStyle = '#6366f1';
    target.lineWidth = 2;
    marked.forEach(([left, top, right, bottom]) => target.strokeRect(left - 4, top - 4, right - left + 8, bottom - top + 8));
    if (cursor) { target.fillStyle = '#f60'; target.beginPath(); target.arc(...cursor, 4, 0, 7); target.fill(); }
    pad.classList.toggle('empty', !strokes.length && !cursor);
  }

  // After anything but a stroke that went on or ended.
  function repaint() {
    const done = current ? strokes.slice(0, -1) : strokes;
    points = strokes.reduce((sum, stroke) => sum + (stroke.points?.length ?? 0), 0);
    [shown, small].forEach(sheet => sheet.repaint(done));
    draw();
  }

  // As many pixels as the screen has there, however the page is zoomed.
  function fit() {
    const pixels = Math.min(Math.round(canvas.getBoundingClientRect().width * devicePixelRatio), LARGEST);
    if (!pixels || pixels === canvas.width) return;
    shown.resize(pixels);
    repaint();
  }
  const sizes = new ResizeObserver(fit);
  try { sizes.observe(canvas, { box: 'device-pixel-content-box' }); } catch { sizes.observe(canvas); }   // Safari

  // The drawing as grey levels, { width, height, data }; null when nothing is drawn.
  pad.grey = () => {
    if (!strokes.length) return null;
    const colours = small.draw(current).getImageData(0, 0, SENT, SENT).data, data = new Uint8Array(SENT * SENT);
    for (let i = 0; i < data.length; i++) data[i] = colours[4 * i];
    return { width: SENT, height: SENT, data };
  };
  // The same as a PNG's data URL, 'none' when nothing is drawn.
  pad.png = () => {
    if (!strokes.length) return 'none';   // '' is what the page began with
    small.draw(current);
    return reduced.toDataURL('image/png');
  };
  pad.side = SIDE;
  // What is drawn, for another pad to `put`; null while a stroke is in progress.
  pad.strokes = () => (current ? null : strokes);
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
    drawn();
  }
  pad.addEventListener('answered', () => { asked = false; if (late) send(); });

  function soon() {
    if (!pad.read) {
      if (timer === null) timer = setTimeout(send, Math.max(0, EVERY - (performance.now() - lastSent)));
    } else if (frame === null) {
      frame = requestAnimationFrame(() => { frame = null; if (pad.read) pad.read(); });
    }
  }

  function keep() { try { sessionStorage.setItem(KEPT, JSON.stringify(strokes)); } catch { /* private mode */ } }

  function changed() { draw(); keep(); send(); }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }

  function begin(point) { end(); current = { width, points: [point] }; strokes.push(current); points++; draw(); soon(); }
  function extend(more) {
    if (!current) return;
    const taken = more.slice(0, Math.max(0, MOST - points));
    current.points.push(...taken);
    points += taken.length;
    draw(); soon();
  }
  function end() {
    pointer = null;
    if (!current) return;
    [shown, small].forEach(sheet => sheet.finish(current));
    current = null;
    changed();
  }
  // The stroke in progress was none: a palm, or a finger beside a pen.
  function drop() {
    pointer = null;
    if (!current) return;
    strokes.pop(); current = null; repaint(); changed();
  }

  // One pointer draws: who began, until it is lifted. A palm draws nothing, and no hand that rests while a pen writes.
  const seesPen = event => { if (event.pointerType === 'pen') penSeen = performance.now(); };
  const isPalm = event => event.pointerType === 'touch' && Math.max(event.width, event.height) > PALM;
  function mayDraw(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return false;
    if (event.pointerType === 'touch' && (isPalm(event) || performance.now() - penSeen < PEN_NEAR)) return false;
    if (pointer && event.pointerType === 'pen' && pointer.type === 'touch') drop();
    return !pointer;
  }

  canvas.addEventListener('pointerdown', event => {
    seesPen(event);
    if (event.pointerType !== 'mouse' || event.button === 0) { event.preventDefault(); canvas.focus({ preventScroll: true }); }
    if (!mayDraw(event)) return;
    canvas.setPointerCapture(event.pointerId);
    begin(at(event));
    pointer = { id: event.pointerId, type: event.pointerType };
  });
  canvas.addEventListener('pointermove', event => {
    seesPen(event);
    if (pointer?.id !== event.pointerId) return;
    if (isPalm(event)) { drop(); return; }   // it came down with its edge
    event.preventDefault();
    const many = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    extend((many.length ? many : [event]).map(at));
  });
  ['pointerup', 'lostpointercapture'].forEach(name => canvas.addEventListener(name, event => {
    seesPen(event);
    if (pointer?.id === event.pointerId) end();
  }));
  // The device itself took it back: its own way to tell a palm.
  canvas.addEventListener('pointercancel', event => { if (pointer?.id === event.pointerId) { if (pointer.type === 'touch') drop(); else end(); } });

  function undo() { pointer = null; strokes.pop(); current = null; repaint(); changed(); }
  function clear() { pointer = null; strokes = []; current = null; cursor = null; repaint(); changed(); }

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
      current ? extend([cursor]) : draw();
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
    strokes = drawing; pointer = current = cursor = null;
    const show = () => { repaint(); changed(); }, pictures = drawing.filter(stroke => stroke.picture);
    pictures.forEach(stroke => { stroke.image = Object.assign(new Image(), { onload: show, src: stroke.picture }); });
    if (!pictures.length) show();
  };

  let kept = [];
  try { kept = JSON.parse(sessionStorage.getItem(KEPT)) || []; } catch { /* private mode */ }
  if (kept.length) pad.put(kept); else draw();
  return pad;
}
