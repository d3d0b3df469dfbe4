// Accuracy over the epochs of several networks at once, each in its own tone.
import { drawn } from '../../shared/svg.js';
import { make } from '../../shared/elements.js';

const NARROWEST = 280, HIGH = 260, LEFT = 46, TOP = 12, BOTTOM = 226;

export class LabCurves {
  constructor(words) {
    this.svg = drawn('svg', { role: 'img', 'aria-label': words.curve, class: 'side-curves' });
    this.words = words;
    this.shown = null;
    new ResizeObserver(() => { if (this.shown) this.show(...this.shown); }).observe(this.svg);
    this.element = make('figure', { class: 'side-chart' }, this.svg);
  }

  // `networks`: [{ tone, now }], `now` as a worker reports it, or null.
  show(networks, epochs) {
    this.shown = [networks, epochs];
    const wide = Math.max(NARROWEST, this.svg.clientWidth), right = wide - 10;   // a pixel is a pixel, on a phone, too
    this.svg.setAttribute('viewBox', `0 0 ${wide} ${HIGH}`);
    const x = epoch => LEFT + epoch / epochs * (right - LEFT), y = share => BOTTOM - share * (BOTTOM - TOP), parts = [];
    for (let i = 0; i <= 4; i++) {
      parts.push(drawn('line', { class: 'grid', x1: LEFT, x2: right, y1: y(i / 4), y2: y(i / 4) }));
      parts.push(drawn('text', { x: LEFT - 7, y: y(i / 4) + 4, 'text-anchor': 'end' }, `${25 * i}%`));
    }
    for (let epoch = 0; epoch <= epochs; epoch++) {
      parts.push(drawn('text', { x: x(epoch), y: BOTTOM + 18, 'text-anchor': epoch === epochs ? 'end' : 'middle' },
        epoch === epochs ? `${epoch} ${this.words.epochs_axis}` : String(epoch)));
    }
    for (const { tone, now } of networks) {
      if (!now) continue;
      const line = now.curve.map(p => `${x(p.epoch).toFixed(1)},${y(p.accuracy).toFixed(1)}`).join(' ');
      parts.push(drawn('polyline', { class: `${tone} learnt`, points: line }));
      for (const p of now.held_out) parts.push(drawn('circle', { class: tone, cx: x(p.epoch), cy: y(p.accuracy), r: 4 }));
    }
    this.svg.replaceChildren(...parts);
  }
}
