// One value of a layer written out: what it saw, times its weights, summed.
import { make, say } from '../../shared/elements.js';
import { explain } from './explain.js';
import { Picture, signed } from './picture.js';

const NAMES = { relu: 'ReLU', tanh: 'tanh', sigmoid: 'sigmoid' };
const WEIGHTIEST = 8;   // products of a linear unit that are written out

function number(value) {
  const size = Math.abs(value);
  return size < 0.0005 ? '0' : value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.995 ? 2 : 3).replace('-', '−');
}

export class Sum {
  constructor(words) {
    this.words = words;
    this.element = make('div', { class: 'sum', 'aria-live': 'polite' });
  }

  show(reader, layers, at) {
    const layer = layers[at.layer], made = explain(reader.tensors, layers, at);
    const name = this.words[`layer_${layer.title ?? layer.name}`], words = this.words;
    this.activation = NAMES[reader.net.activation];
    const where = layer.side > 1
      ? say(words.pixel_of, { layer: name, map: at.channel + 1, row: at.y + 1, column: at.x + 1 })
      : say(words.unit_of, { layer: name, unit: layer.name === 'fc3' ? reader.meta.classes[at.channel] : at.channel + 1 });
    const parts = {
      input: () => [],
      convolution: () => [
        make('div', { class: 'patches' }, ...made.patches.map((patch, i) => this.patch(patch, made, i))), this.total(made)],
      pool: () => [this.line(`${layer.how === 'avg' ? 'mean' : 'max'}(${made.values.map(number).join(', ')})`, made.value)],
      average: () => [this.line(`mean(${made.values.map(number).join(', ')})`, made.value)],
      linear: () => this.products(made, layers[at.layer - 1], at.layer < layers.length - 1),
    }[made.kind]();
    const value = make('output', { 'data-value': made.value, 'data-sum': made.sum ?? made.value }, number(made.value));
    this.element.replaceChildren(make('p', { class: 'sum-head' }, make('strong', {}, where), ' ', value), ...parts);
  }

  patch({ values, weights, sum }, { size, patches }, channel) {
    const biggest = Math.max(...patches.flatMap(p => p.weights.map(Math.abs)), 1e-9);
    const most = Math.max(...patches.flatMap(p => p.values.map(Math.abs)), 1e-9);
    const seen = new Picture(size, size, { role: 'img', 'aria-label': values.map(number).join(' ') });
    const kernel = new Picture(size, size, { role: 'img', 'aria-label': weights.map(number).join(' ') });
    seen.paint(values, v => signed(v / most));
    kernel.paint(weights, w => signed(w / biggest));
    const table = (picture, numbers) => (patches.length > 1 ? picture.canvas : make('span', { class: 'numbers' },
      picture.canvas, make('span', { class: 'grid', 'aria-hidden': 'true', style: `--n: ${size}` },
        ...numbers.map(v => make('i', {}, Math.abs(v) < 0.005 ? '0' : v.toFixed(2).replace('-', '−'))))));
    return make('span', { class: 'patch', title: say(this.words.channel, { channel: channel + 1 }) },
      table(seen, values), make('b', {}, '×'), table(kernel, weights), make('b', {}, `= ${number(sum)}`));
  }

  total({ patches, bias, sum, value }) {
    const parts = patches.map(p => p.sum);
    const terms = (parts.length > 1 ? parts : [parts[0]]).map(number).join(' + ').replaceAll('+ −', '− ');
    return this.line(`${terms} + ${this.words.bias} ${number(bias)} = ${number(sum)}`, value, true);
  }

  products({ products, bias, sum, value }, from, active) {
    const shown = products.slice(0, WEIGHTIEST), rest = products.slice(WEIGHTIEST).reduce((s, p) => s + p.product, 0);
    const area = from.side ** 2, layer = this.words[`layer_${from.title ?? from.name}`];
    const rows = shown.map(p => make('li', {}, make('span', {}, from.side > 1
      ? say(this.words.pixel_short, { layer, map: Math.floor(p.from / area) + 1 })
      : say(this.words.unit_of, { layer, unit: p.from + 1 })),
    `${number(p.value)} × ${number(p.weight)} = ${number(p.product)}`));
    const more = say(this.words.rest, { count: products.length - shown.length });
    rows.push(make('li', {}, make('span', {}, more), number(rest)), make('li', {}, make('span', {}, this.words.bias), number(bias)));
    return [make('ol', { class: 'products' }, ...rows), this.line(`${this.words.sum} = ${number(sum)}`, value, active)];
  }

  line(text, value, active = false) {
    return make('p', { class: 'sum-line' }, text, active ? make('b', {}, `   ${this.activation} → ${number(value)}`) : '');
  }

  hint() { this.element.replaceChildren(make('p', { class: 'hint' }, this.words.inside_hint)); }
}
