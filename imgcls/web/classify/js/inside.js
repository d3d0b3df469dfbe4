// Look inside: every map of the network as a picture, left to right, live; a pixel's sum and what of the drawing it saw.
import { make, say } from '../../shared/elements.js';
import { receptiveField } from './explain.js';
import { Picture, RAMP, signed } from './picture.js';
import { Sum } from './sum.js';

const GRID = { fc1: 10, fc2: 10 };   // columns of units

export class Inside {
  constructor(words, units = null) {
    Object.assign(this, { words, units, name: 'inside', title: words.inside, reader: null, at: null, chosen: null });
    this.flow = make('div', { class: 'flow', role: 'group', 'aria-label': words.inside });
    this.sum = new Sum(words);
    this.map = make('div', { class: 'chosen-map' });
    this.inView = make('div', { class: 'flow-scroll' }, this.flow);   // what comes into view when it is opened
    this.element = make('div', { class: 'inside' }, this.inView, this.sum.element, this.map);
    this.flow.addEventListener('pointermove', event => this.point(event));
    this.flow.addEventListener('pointerdown', event => this.point(event));
    this.flow.addEventListener('click', event => this.choose(event.target.closest('.map')));
    this.flow.addEventListener('focusin', event => this.focus(event.target.closest('.map')));
    this.flow.addEventListener('keydown', event => this.key(event));
  }

  fits(reader) { return Boolean(reader); }

  show(reading, reader) {
    this.reading = reading;
    const layers = reading?.layers;
    if (!layers) {
      if (this.reader?.meta !== reader.meta) { this.reader = null; this.flow.replaceChildren(); }
      this.flow.classList.add('waiting');
      if (!this.reader) this.sum.element.textContent = this.words.inside_nothing;
      return;
    }
    this.flow.classList.remove('waiting');
    if (this.reader?.meta !== reader.meta) { this.build(reader, layers); this.sum.hint(); this.learn(reader); }
    const other = this.reader !== reader;   // another epoch of the same network
    this.reader = reader;
    this.stages.forEach((stage, i) => this.paint(stage, layers[i]));
    if (this.at) this.explain();
    if (this.chosen) this.describe(other);
  }

  build(reader, layers) {
    Object.assign(this, { reader, at: null, chosen: null });
    this.map.replaceChildren();
    this.stages = layers.map((layer, index) => {
      const flat = layer.side === 1, last = index === layers.length - 1;
      const maps = flat && !last ? [this.whole(layer, index)] : Array.from({ length: layer.channels }, (_, c) => (
        last ? this.output(layer, index, c) : this.picture(layer, index, c)));
      const size = flat ? say(this.words.units, { count: layer.channels })
        : say(this.words.maps, { count: layer.channels, side: layer.side });
      const dead = make('small', { class: 'dead-count' });
      const element = make('div', { class: `stage ${layer.kind} ${layer.name}` },
        make('div', { class: 'stage-head' }, make('strong', {}, this.words[`layer_${layer.title ?? layer.name}`]), make('span', {}, size), dead),
        make('div', { class: 'maps' }, ...maps.map(map => map.element)));
      return { layer: index, maps, element, dead };
    });
    this.flow.replaceChildren(...this.stages.map(stage => stage.element));
    this.stages.forEach(stage => { stage.maps[0].element.tabIndex = 0; });
  }

  button(index, channel, label, ...content) {
    return make('button', {
      type: 'button', class: 'map', tabindex: -1, 'data-layer': index, 'data-channel': channel, 'aria-label': label,
    }, ...content);
  }

  picture(layer, index, channel) {
    const picture = new Picture(layer.side, layer.side), field = make('i', { class: 'field', hidden: true });
    const label = say(this.words.map_of, { layer: this.words[`layer_${layer.title ?? layer.name}`], map: channel + 1 });
    return { element: this.button(index, channel, label, picture.canvas, field), picture, field, width: layer.side };
  }

  // All units of a linear layer in one picture.
  whole(layer, index) {
    const columns = GRID[layer.name] ?? 6, rows = Math.ceil(layer.channels / columns);
    const picture = new Picture(columns, rows), field = make('i', { class: 'field', hidden: true });
    const element = this.button(index, 0, this.words[`layer_${layer.title ?? layer.name}`], picture.canvas, field);
    element.style.aspectRatio = `${columns} / ${rows}`;
    return { element, picture, field, width: columns };
  }

  output(layer, index, channel) {
    const fill = make('i', { class: 'fill' }), name = this.reader.meta.classes[channel];
    const element = this.button(index, channel, name, make('span', { class: 'fill-track' }, fill), make('b', {}, name));
    return { element, fill, field: null, width: 1 };
  }

  paint(stage, layer) {
    const { maps } = stage, { channels, side, data } = layer;
    if (maps[0].fill) {
      this.reading.probabilities.forEach((p, c) => {
        maps[c].fill.style.width = `${(p * 100).toFixed(1)}%`;
        maps[c].element.classList.toggle('best', p === Math.max(...this.reading.probabilities));
      });
      return;
    }
    let low = 0, high = 1e-6;
    for (const value of data) { if (value > high) high = value; if (value < low) low = value; }
    const colour = value => RAMP[Math.max(0, Math.min(255, Math.round((value - low) / (high - low) * 255)))];
    if (side === 1) { maps[0].picture.paint(data, colour); return; }
    for (let c = 0; c < channels; c++) maps[c].picture.paint(data.subarray(c * side * side, (c + 1) * side * side), colour);
  }

  // ---- one value
  point(event) {
    const map = event.target.closest('.map');
    if (!map || !this.reading) return;
    const layer = this.reading.layers[map.dataset.layer], found = this.found(map), canvas = map.querySelector('canvas');
    if (!canvas) { this.look({ layer: Number(map.dataset.layer), channel: Number(map.dataset.channel), y: 0, x: 0 }); return; }
    const box = canvas.getBoundingClientRect();
    const x = Math.floor((event.clientX - box.left) / box.width * canvas.width);
    const y = Math.floor((event.clientY - box.top) / box.height * canvas.height);
    if (x < 0 || y < 0 || x >= canvas.width || y >= canvas.height) return;
    if (layer.side > 1) this.look({ layer: Number(map.dataset.layer), channel: found.channel, y, x });
    else if (y * canvas.width + x < layer.channels) {
      this.look({ layer: Number(map.dataset.layer), channel: y * canvas.width + x, y: 0, x: 0 });
    }
  }

  found(map) {
    const stage = this.stages[map.dataset.layer];
    return { channel: Number(map.dataset.channel), map: stage.maps.find(m => m.element === map), stage };
  }

  focus(map) {
    if (!map || !this.reading) return;
    const layer = Number(map.dataset.layer);
    this.stages[layer].maps.forEach(m => { m.element.tabIndex = m.element === map ? 0 : -1; });
    if (this.at?.layer === layer && (this.reading.layers[layer].side === 1 || this.at.channel === Number(map.dataset.channel))) return;
    const side = this.reading.layers[layer].side;
    this.look({ layer, channel: Number(map.dataset.channel), y: side >> 1, x: side >> 1 });
  }

  // Arrows move the pixel, page keys the map; Tab goes on to the next layer, Enter chooses the map.
  key(event) {
    const map = event.target.closest('.map');
    if (!map || !this.at || !this.reading) return;
    const layer = this.reading.layers[this.at.layer], stage = this.stages[this.at.layer];
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    const turn = { PageUp: -1, PageDown: 1 }[event.key];
    if (step && layer.side > 1) {
      const inside = v => Math.max(0, Math.min(layer.side - 1, v));
      this.look({ ...this.at, y: inside(this.at.y + step[0]), x: inside(this.at.x + step[1]) });
    } else if (step || turn) {
      const many = stage.maps.length > 1 ? stage.maps.length : layer.channels, wide = stage.maps.length > 1 ? 1 : stage.maps[0].width;
      const by = turn ?? (stage.maps.length > 1 ? step[0] + step[1] : step[0] * wide + step[1]);
      const next = Math.max(0, Math.min(many - 1, this.at.channel + by));
      this.look({ ...this.at, channel: next });
      if (stage.maps.length > 1) stage.maps[next].element.focus();
    } else return;
    event.preventDefault();
  }

  look(at) {
    const same = this.at && ['layer', 'channel', 'y', 'x'].every(key => this.at[key] === at[key]);
    this.at = at;
    if (!same) { this.light(); this.explain(); }
  }

  // The receptive field in this layer and every one before it.
  light() {
    const { layers } = this.reading, windows = receptiveField(layers, this.at);
    this.stages.forEach((stage, index) => {
      const window = windows.find(w => w.layer === index), layer = layers[index];
      stage.maps.forEach((map, channel) => {
        const one = index === this.at.layer;
        if (!map.field) { map.element.classList.toggle('looked', one && this.at.channel === channel); return; }
        map.field.hidden = !window || (layer.side > 1 && window.channel !== null && window.channel !== channel);
        if (map.field.hidden) return;
        let [left, top, right, bottom] = [window.left, window.top, window.right, window.bottom];
        let [wide, high] = [layer.side, layer.side];
        if (layer.side === 1) {
          wide = map.picture.canvas.width; high = map.picture.canvas.height;
          [left, top] = one ? [this.at.channel % wide, Math.floor(this.at.channel / wide)] : [0, 0];
          [right, bottom] = one ? [left + 1, top + 1] : [wide, high];
        }
        map.field.classList.toggle('whole', right - left === wide && bottom - top === high);
        Object.assign(map.field.style, {
          left: `${left / wide * 100}%`, top: `${top / high * 100}%`,
          width: `${(right - left) / wide * 100}%`, height: `${(bottom - top) / high * 100}%`,
        });
      });
    });
  }

  explain() { this.sum.show(this.reader, this.reading.layers, this.at); }

  // ---- one map
  choose(map) {
    if (!map || !this.reading) return;
    const layer = Number(map.dataset.layer), kind = this.reading.layers[layer].kind;
    this.chosen = kind === 'convolution' ? { layer, channel: Number(map.dataset.channel) } : null;
    this.stages.forEach(stage => stage.maps.forEach(m => {
      m.element.setAttribute('aria-pressed', String(Boolean(this.chosen) && m.element === map));
    }));
    this.map.replaceChildren();
    if (this.chosen) this.describe();
  }

  describe(anew = false) {
    const { layer: index, channel } = this.chosen, layer = this.reading.layers[index], key = `${layer.name}/${channel}`;
    if (!anew && this.map.dataset.key === key && this.map.children.length) return;
    this.map.dataset.key = key;
    const { shape: [, inputs, size], data } = this.reader.tensors[`${layer.name}.weight`], area = size * size;
    const all = data.subarray(channel * inputs * area, (channel + 1) * inputs * area);
    const biggest = Math.max(...Array.from(all, Math.abs), 1e-9);
    const kernels = Array.from({ length: inputs }, (_, i) => new Picture(size, size, { role: 'img', class: 'kernel' })
      .paint(all.subarray(i * area, (i + 1) * area), w => signed(w / biggest)));
    const title = say(this.words.map_of, { layer: this.words[`layer_${layer.title ?? layer.name}`], map: channel + 1 });
    this.map.replaceChildren(make('div', {}, make('strong', {}, title), make('p', {}, this.words.kernel),
      make('div', { class: 'kernels' }, ...kernels)));
    this.exciting(layer.name, channel);
  }

  // ---- what all validation images say of a map; `units` fetches it once
  async learn(reader) {
    if (!this.units) return;
    const known = await this.units(reader).catch(() => null);
    if (!known || this.reader?.meta !== reader.meta) return;
    this.known = known;
    this.stages.forEach(stage => {
      const layer = this.reading?.layers[stage.layer], dead = layer && known.tensors[`dead.${layer.name}`];
      if (!dead) return;
      const count = dead.data.reduce((sum, v) => sum + v, 0);
      stage.dead.textContent = count ? say(this.words.dead, { count, all: dead.data.length }) : '';
      if (stage.maps.length > 1) stage.maps.forEach((map, c) => map.element.classList.toggle('dead', dead.data[c] > 0));
    });
    this.map.replaceChildren();
    if (this.chosen) this.describe();
  }

  exciting(name, channel) {
    const indices = this.known?.tensors[`top.${name}`];
    if (!indices?.shape[1]) return; // a file to hand out may have had no room for images
    const { shape: [, side], data } = this.known.tensors.images, each = indices.shape[1];
    const pictures = Array.from(indices.data.subarray(channel * each, (channel + 1) * each)).filter(i => i >= 0)
      .map(i => new Picture(side, side, { role: 'img' }).paint(data.subarray(i * side * side, (i + 1) * side * side), v => [v, v, v]));
    this.map.append(make('div', {}, make('p', {}, this.words[pictures.length ? 'exciting' : 'never']),
      make('div', { class: 'exciting' }, ...pictures)));
  }
}
