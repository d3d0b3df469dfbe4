// The drawing in pixels: strokes as curves on a canvas of any size.
export const SIDE = 280;   // units a side of the pad, in which strokes are kept

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

// Finished strokes are drawn once, and of the one in progress only what is new: a long stroke
// costs as many steps as it has points.
export class Sheet {
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
