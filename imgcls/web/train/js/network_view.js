// The network while it learns: the kernels of both convolutions as pictures, and of every layer its signal, its
// gradient and how its outputs lie.
import { Picture, signed } from '../../classify/js/picture.js';
import { LAYERS } from '../../engine/js/engine.js';
import { make, say } from '../../shared/elements.js';

const SIDE = 5, GAP = 1;

export class NetworkView {
  constructor(words) {
    this.words = words;
    this.shown = null;
    this.element = make('div', { class: 'here-network', role: 'group', 'aria-label': words.network_now });
  }

  // `tensors`: the weights as they are now; `layers`: what the engine measured, or null.
  show(tensors, layers) {
    const key = Object.values(tensors).map(t => t.shape).join(' ');
    if (key !== this.shown) this.build(tensors, key);
    for (const { name, picture, columns } of this.kernels) paintKernels(picture, tensors[`${name}.weight`], columns);
    if (layers) layers.forEach((found, i) => this.measure(this.rows[i], found));
  }

  build(tensors, key) {
    this.shown = key;
    this.kernels = [];
    this.rows = LAYERS.map(name => {
      const shape = tensors[`${name}.weight`].shape, convolution = shape.length === 4;
      const histogram = make('div', { class: 'here-histogram', 'aria-hidden': 'true' }, ...Array.from({ length: 24 }, () => make('i')));
      const signal = make('span'), gradient = make('span');
      const size = convolution ? say(this.words.kernels_size, { count: shape[0], side: SIDE }) : say(this.words.units, { count: shape[0] });
      const parts = [make('div', { class: 'here-layer-head' }, make('strong', {}, this.words[`layer_${name}`]), make('small', {}, size))];
      if (convolution) parts.push(this.pictureOf(name, shape));
      parts.push(histogram, make('p', {}, signal, gradient));
      const element = make('div', { class: `here-layer ${name}` }, ...parts);
      return { element, signal, gradient, histogram: [...histogram.children] };
    });
    this.element.replaceChildren(...this.rows.map(row => row.element));
  }

  pictureOf(name, [outputs, inputs]) {
    const columns = inputs === 1 ? outputs > 8 ? 4 : 3 : outputs, rows = inputs === 1 ? Math.ceil(outputs / columns) : inputs;
    const picture = new Picture(columns * (SIDE + GAP) - GAP, rows * (SIDE + GAP) - GAP);
    this.kernels.push({ name, picture, columns });
    return picture.canvas;
  }

  measure({ signal, gradient, histogram }, found) {
    signal.textContent = say(this.words.signal, { value: short(found.std) });
    gradient.textContent = say(this.words.gradient, { value: short(found.gradient) });
    const most = Math.max(1, ...found.histogram);
    histogram.forEach((bar, i) => { bar.style.height = `${Math.max(2, found.histogram[i] / most * 100)}%`; });
  }
}

const short = value => (Number.isFinite(value) ? value.toPrecision(2).replace(/e-0?/, 'e-') : '–');

function paintKernels(picture, { shape: [outputs, inputs], data }, columns) {
  const { width, height } = picture.canvas, all = new Float32Array(width * height).fill(NaN);
  let most = 1e-6;
  for (const value of data) most = Math.max(most, Math.abs(value));
  for (let o = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      const left = (inputs === 1 ? o % columns : o) * (SIDE + GAP), top = (inputs === 1 ? Math.floor(o / columns) : i) * (SIDE + GAP);
      for (let k = 0; k < SIDE * SIDE; k++) {
        all[(top + Math.floor(k / SIDE)) * width + left + k % SIDE] = data[(o * inputs + i) * SIDE * SIDE + k] / most;
      }
    }
  }
  const { data: pixels } = picture.image;
  for (let i = 0; i < all.length; i++) {
    const empty = Number.isNaN(all[i]), [r, g, b] = empty ? [0, 0, 0] : signed(all[i]);
    pixels[4 * i] = r; pixels[4 * i + 1] = g; pixels[4 * i + 2] = b; pixels[4 * i + 3] = empty ? 0 : 255;
  }
  picture.context.putImageData(picture.image, 0, 0);
}
