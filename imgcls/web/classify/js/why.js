// Why: which parts of the drawing an answer hangs on. A dark patch goes over the picture, the network is asked again.
// Source: Zeiler and Fergus 2014, section 4.2.
import { make, say } from '../../shared/elements.js';
import { toInput } from './preprocess.js';

const PATCH = 5;
const SLICE = 12;      // ms of computing between two frames
const QUIET = 160;     // ms without a stroke before it begins
const alike = (one, other) => Boolean(one && other) && one.length === other.length && one.every((v, i) => v === other[i]);

// How much a class's log-odds fall where the patch lies, averaged over the patches that cover a pixel:
// Float32 (stored * stored) a class. A generator: it hands back the control after each patch, and the map at its end.
function* occlusion(reader, stored) {
  const { preprocess } = reader.meta, side = preprocess.stored, reach = side - PATCH + 1, step = side > 32 ? 2 : 1;
  const odds = logits => Array.from(logits, (v, c) => {
    const rest = Array.from(logits).filter((_, i) => i !== c), top = Math.max(...rest);
    return v - top - Math.log(rest.reduce((sum, r) => sum + Math.exp(r - top), 0));
  });
  const ask = picture => odds(reader.net.logits(toInput(picture, preprocess))), whole = ask(stored);
  const heat = whole.map(() => new Float32Array(side * side)), count = new Float32Array(side * side);
  for (let y = 0; y < reach; y += step) {
    for (let x = 0; x < reach; x += step) {
      const covered = stored.slice();
      let inked = false;
      for (let v = y; v < y + PATCH; v++) {
        for (let u = x; u < x + PATCH; u++) {
          inked ||= covered[v * side + u] > 0;
          covered[v * side + u] = 0;
          count[v * side + u]++;
        }
      }
      if (!inked) continue;   // nothing was covered, nothing changes
      const fall = ask(covered).map((o, c) => whole[c] - o);
      for (let v = y; v < y + PATCH; v++) {
        for (let u = x; u < x + PATCH; u++) fall.forEach((f, c) => { heat[c][v * side + u] += f; });
      }
      yield;
    }
  }
  return heat.map(plane => plane.map((v, i) => (count[i] ? v / count[i] : 0)));
}

export class Why {
  constructor(words) {
    Object.assign(this, { words, name: 'why', title: words.why, timer: null, work: 0, about: null });
    this.canvas = make('canvas', { role: 'img', 'aria-label': words.why });
    this.classes = make('div', { class: 'why-classes', role: 'group', 'aria-label': words.why_about });
    this.text = make('p', { class: 'why-text' });
    this.element = make('div', { class: 'why' }, this.canvas,
      make('div', {}, make('p', {}, words.why_more), this.classes, this.text));
  }

  fits(reader) { return reader?.meta.classes.length > 1; }

  show(reading, reader) {
    if (this.meta !== reader.meta) {   // another network, and not other weights of it
      this.meta = reader.meta;
      this.reading = this.about = null;
      this.buttons = reader.meta.classes.slice(0, 40).map((name, c) => make('button', {
        type: 'button', 'aria-pressed': 'false', onclick: () => { this.about = c; this.paint(); },
      }, name));
      this.classes.replaceChildren(...this.buttons);
    }
    if (reading && this.reading === reading) return;
    const isSame = alike(this.reading?.stored, reading?.stored);
    Object.assign(this, { reading, reader });
    if (isSame) this.follow(); else this.begin();
    this.paint();
  }

  // Another drawing: what is being computed for the last one is dropped.
  begin() {
    clearTimeout(this.timer);
    Object.assign(this, { heat: null, about: null, timer: null });
    this.isStale = false;
    this.work++;
    if (this.reading) this.later();
  }

  // The same drawing by a network that has learnt on: the map that is being made is finished, and then one more is.
  follow() {
    this.isStale = true;
    if (!this.timer) this.later();
  }

  later() { this.timer = setTimeout(() => { this.isStale = false; this.compute(this.work); }, QUIET); }

  compute(work, steps = occlusion(this.reader, this.reading.stored)) {
    if (work !== this.work) return;   // another drawing by now
    const until = performance.now() + SLICE;
    for (;;) {
      const { done, value } = steps.next();
      if (done) {
        Object.assign(this, { heat: value, timer: null });
        if (this.isStale) this.later();
        this.paint();
        return;
      }
      if (performance.now() > until) break;
    }
    requestAnimationFrame(() => this.compute(work, steps));
  }

  paint() {
    const side = this.reader.meta.preprocess.stored, { canvas } = this;
    canvas.width = canvas.height = side;
    if (!this.reading) { this.text.textContent = this.words.inside_nothing; return; }
    const best = this.reading.probabilities.indexOf(Math.max(...this.reading.probabilities)), about = this.about ?? best;
    this.buttons.forEach((button, c) => button.setAttribute('aria-pressed', String(c === about)));
    const heat = this.heat?.[about], most = heat ? Math.max(...heat.map(Math.abs), 1e-6) : 1;
    const image = new ImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      const grey = this.reading.stored[i], t = heat ? heat[i] / most : 0, share = Math.min(1, Math.abs(t)) * 0.8;
      const colour = t > 0 ? [255, 140, 40] : [70, 110, 255];
      for (let k = 0; k < 3; k++) image.data[4 * i + k] = grey * (1 - share) + colour[k] * share;
      image.data[4 * i + 3] = 255;
    }
    canvas.getContext('2d').putImageData(image, 0, 0);
    canvas.dataset.state = heat ? 'done' : 'working';
    this.text.textContent = heat ? say(this.words.why_text, { name: this.reader.meta.classes[about] }) : this.words.why_wait;
  }
}
