// Where it lies: a map of validation images, each class a colour, on which the drawing is a dot that moves.
import { make } from '../../shared/elements.js';

const SIDE = 420, EDGE = 14, DOT = 2.6;
const hue = (c, count) => `hsl(${Math.round(c * 360 / count)} 70% ${c % 2 ? 45 : 58}%)`;

export class Where {
  constructor(words) {
    this.words = words;
    this.canvas = make('canvas', { width: SIDE, height: SIDE, role: 'img', 'aria-label': words.where });
    this.ground = document.createElement('canvas');
    this.ground.width = this.ground.height = SIDE;
    this.legend = make('ul', { class: 'where-classes' });
    this.element = make('div', { class: 'where' }, this.canvas,
      make('div', {}, make('p', {}, words.where_more), this.legend));
  }

  show(reading, reader) {
    if (this.reader !== reader) this.learn(reader);
    const context = this.canvas.getContext('2d');
    context.clearRect(0, 0, SIDE, SIDE);
    context.drawImage(this.ground, 0, 0);
    if (!reading) return;
    const [x, y] = this.at(reading.place);
    context.beginPath();
    context.arc(x, y, 7, 0, 7);
    context.fillStyle = '#111827'; context.strokeStyle = '#fff'; context.lineWidth = 3;
    context.stroke(); context.fill();
    this.canvas.dataset.place = reading.place.map(v => v.toFixed(3)).join(' ');
  }

  // Points lie within -1..1; a drawing beyond them stays on the edge.
  at([x, y]) {
    const scaled = v => EDGE + (Math.max(-1.05, Math.min(1.05, v)) + 1.05) / 2.1 * (SIDE - 2 * EDGE);
    return [scaled(x), SIDE - scaled(y)];
  }

  learn(reader) {
    this.reader = reader;
    const points = reader.tensors['calibration/points'].data, labels = reader.tensors['calibration/labels'].data;
    const { classes } = reader.meta, context = this.ground.getContext('2d');
    context.clearRect(0, 0, SIDE, SIDE);
    context.globalAlpha = 0.75;
    labels.forEach((label, i) => {
      const [x, y] = this.at([points[2 * i], points[2 * i + 1]]);
      context.fillStyle = hue(label, classes.length);
      context.beginPath(); context.arc(x, y, DOT, 0, 7); context.fill();
    });
    context.globalAlpha = 1;
    context.font = '700 15px sans-serif'; context.textAlign = 'center'; context.textBaseline = 'middle';
    context.lineWidth = 4; context.strokeStyle = '#fff';
    const middles = classes.map((name, c) => {
      const own = [...labels.keys()].filter(i => labels[i] === c), middle = v => v.sort((a, b) => a - b)[v.length >> 1];
      return own.length ? [name, this.at([middle(own.map(i => points[2 * i])), middle(own.map(i => points[2 * i + 1]))])] : null;
    });
    for (const found of middles) {
      if (!found || classes.length > 20) continue;
      const [name, [x, y]] = found;
      context.strokeText(name.slice(0, 12), x, y); context.fillStyle = '#111827'; context.fillText(name.slice(0, 12), x, y);
    }
    this.legend.replaceChildren(...classes.slice(0, 40).map((name, c) => make('li', {},
      make('i', { style: `background: ${hue(c, classes.length)}` }), name)));
  }
}
