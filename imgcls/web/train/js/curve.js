// The curve of a run: accuracy over epochs, on what is learnt (a line) and on what was held out (points), and where
// something was changed on the way.
import { drawn } from '../../shared/svg.js';

const NARROWEST = 280, HIGH = 300, LEFT = 52, TOP = 14, BOTTOM = 262;
const FLOORS = [0, 0.5, 0.8, 0.9, 0.95];   // of the scale: once all points of the last half lie above

export class Curve {
  constructor(words) {
    this.words = words;
    this.svg = drawn('svg', { role: 'img', 'aria-label': words.curve, class: 'here-curve' });
    this.element = this.svg;
    this.shown = null;
    new ResizeObserver(() => { if (this.shown) this.show(...this.shown); }).observe(this.svg);
  }

  // `looked`: the epoch that is looked at, null for now. `sentence(mark)`: what a mark says.
  show(run, looked, sentence) {
    const { curve, held_out, marks, settings } = run;
    this.shown = [run, looked, sentence];
    const wide = Math.max(NARROWEST, this.svg.clientWidth), right = wide - 14;   // a pixel is a pixel, on a phone, too
    this.svg.setAttribute('viewBox', `0 0 ${wide} ${HIGH}`);
    const epochs = Math.max(1, settings.epochs), x = epoch => LEFT + epoch / epochs * (right - LEFT);
    const late = curve.slice(Math.floor(curve.length / 2)), lowest = Math.min(...late.map(p => p.accuracy), ...held_out.map(p => p.accuracy));
    const floor = curve.length > 8 ? [...FLOORS].reverse().find(f => f < lowest - 0.01) ?? 0 : 0;
    const y = share => BOTTOM - (share - floor) / (1 - floor) * (BOTTOM - TOP);
    const parts = [drawn('clipPath', { id: 'here-clip' }, drawn('rect', { x: LEFT, y: 0, width: wide - LEFT, height: BOTTOM }))];
    for (let i = 0; i <= 4; i++) {
      const share = floor + (1 - floor) * i / 4, text = `${(share * 100).toFixed(floor >= 0.9 ? 1 : 0)}%`;
      parts.push(drawn('line', { class: 'grid', x1: LEFT, x2: right, y1: y(share), y2: y(share) }));
      parts.push(drawn('text', { class: 'axis', x: LEFT - 7, y: y(share) + 4, 'text-anchor': 'end' }, text));
    }
    const every = Math.ceil(epochs / 10);
    for (let epoch = 0; epoch <= epochs; epoch += every) {
      parts.push(drawn('text', { class: 'axis', x: x(epoch), y: BOTTOM + 20, 'text-anchor': 'middle' }, String(epoch)));
    }
    parts.push(drawn('text', { class: 'axis', x: right, y: HIGH - 3, 'text-anchor': 'end' }, this.words.epochs_axis));
    marks.forEach((mark, i) => {
      const at = x(mark.epoch), end = at > (LEFT + right) / 2;
      parts.push(drawn('line', { class: 'mark', x1: at, x2: at, y1: TOP, y2: BOTTOM }));
      parts.push(drawn('text', { class: 'mark', x: at + (end ? -5 : 5), y: BOTTOM - 8 - (i % 4) * 15, 'text-anchor': end ? 'end' : 'start' }, sentence(mark)));
    });
    if (looked !== null) parts.push(drawn('line', { class: 'looked', x1: x(looked), x2: x(looked), y1: TOP, y2: BOTTOM }));
    const line = smoothed(curve).map(([epoch, share]) => `${x(epoch).toFixed(1)},${y(share).toFixed(1)}`).join(' ');
    parts.push(drawn('polyline', { class: 'learnt', points: line, 'clip-path': 'url(#here-clip)' }));
    const points = held_out.map(p => [x(p.epoch), y(p.accuracy)]);
    if (points.length > 1) parts.push(drawn('polyline', { class: 'held', points: points.map(p => p.join(',')).join(' '), 'clip-path': 'url(#here-clip)' }));
    points.filter(([, cy]) => cy <= BOTTOM).forEach(([cx, cy]) => parts.push(drawn('circle', { class: 'held', cx, cy, r: 4 })));
    this.svg.replaceChildren(...parts);
  }
}

// A batch's accuracy jumps: each point is drawn as a running mean.
function smoothed(curve) {
  let mean = null;
  return curve.map(({ epoch, accuracy }) => [epoch, mean = mean === null ? accuracy : mean * 0.7 + accuracy * 0.3]);
}
