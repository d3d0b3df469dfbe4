// One of the networks that learn side by side: its run in a worker of its own, and what each layer does, live.
import { LAYERS } from '../../engine/js/engine.js';
import { make, say } from '../../shared/elements.js';
import { PageRun } from '../../train/js/page_run.js';

const LOWEST = -8, HIGHEST = 4;      // powers of ten that a bar shows
const SOUND = [-1.5, 1];             // between which a signal neither dies out nor explodes
const NO_GRADIENT = 1e-9;            // below what any optimizer makes a step of
const NOWHERE = { keep: async () => true, kept: async () => null, forget: async () => true };

// Of ten; what is no number any more has grown beyond all of them.
const powerOf = value => (Number.isFinite(value) ? Math.log10(value || 1e-30) : Infinity);
const place = value => Math.min(1, Math.max(0, (powerOf(value) - LOWEST) / (HIGHEST - LOWEST)));
const short = value => (!Number.isFinite(value) ? '∞' : value === 0 ? '0' : value.toPrecision(2).replace(/e([+-])0?/, 'e$1'));

export class LabNetwork {
  // `init`: { name, label, rule, tone }; `changed()`: it has something new to show.
  constructor(words, init, source, changed) {
    Object.assign(this, { words, changed, ...init, failed: '' });
    this.run = new PageRun(source, '', NOWHERE, (what, said) => this.hear(what, said));
    this.accuracy = make('output', { 'data-testid': `side-accuracy-${init.name}` });
    this.said = make('p', { class: 'side-said' });
    this.rows = LAYERS.map(layer => this.row(layer));
    const heads = make('div', { class: 'side-row heads', role: 'row' },
      ...[words.layer, words.signal_head, words.gradient_head].map(text => make('span', { role: 'columnheader' }, text)));
    this.element = make('section', { class: `side-network ${init.tone}`, 'data-init': init.name, 'aria-label': init.label },
      make('h4', {}, make('i'), init.label, this.accuracy), make('p', { class: 'side-rule' }, init.rule), this.said,
      make('div', { class: 'side-rows', role: 'table', 'aria-label': init.label }, heads, ...this.rows.map(row => row.element)));
    this.show();
  }

  row(layer) {
    const bar = () => {
      const fill = make('i', { class: 'fill' }), text = make('b');
      return { fill, text, element: make('span', { class: 'side-bar', role: 'cell' }, make('i', { class: 'band' }), fill, text) };
    };
    const signal = bar(), gradient = bar();
    return { signal, gradient, element: make('div', { class: 'side-row', role: 'row' },
      make('span', { role: 'rowheader' }, this.words[`layer_${layer}`]), signal.element, gradient.element) };
  }

  // From the first weights on.
  async begin(wanted, settings, mode) {
    this.failed = '';
    try {
      await this.run.load(wanted);
      await this.run.open({ ...settings, init: this.name });
      if (mode) this.run.run(mode);
    } catch (error) {
      this.hear('failed', error.message);
    }
  }

  get now() { return this.run.now; }

  get over() { return Boolean(this.failed) || Boolean(this.now?.done); }

  hear(what, said) {
    if (what === 'failed') this.failed = say(this.words.failed, { reason: said });
    this.show();
    this.changed();
  }

  show() {
    const { now, run: { layers } } = this, last = now?.held_out.at(-1) ?? now?.curve.at(-1);
    this.accuracy.textContent = last ? `${(last.accuracy * 100).toFixed(1)}%` : '–';
    this.rows.forEach(({ signal, gradient }, i) => {
      const found = layers?.[i];
      this.paint(signal, found?.std, true);
      this.paint(gradient, found?.gradient, false);
    });
    this.said.textContent = this.failed || (now?.diverged ? this.words.side_diverged : layers ? this.words[`side_${verdict(layers)}`] : '');
  }

  paint({ fill, text }, value, judged) {
    const known = value !== undefined, power = powerOf(value);
    fill.style.width = known ? `${(place(value) * 100).toFixed(1)}%` : '0';
    fill.className = `fill${judged && known && power < SOUND[0] ? ' dies' : judged && known && !(power <= SOUND[1]) ? ' explodes' : ''}`;
    text.textContent = known ? short(value) : '';
  }

  end() { this.run.dismiss(); }
}

// What a person should see in the layers: the signal first, for a gradient follows from it.
function verdict(layers) {
  const powers = layers.map(({ std }) => powerOf(std));
  if (layers.every(({ gradient }) => gradient < NO_GRADIENT)) return 'still';
  if (powers.some(power => !(power <= SOUND[1]))) return 'explodes';
  if (powers.some(power => power < SOUND[0])) return 'dies';
  return 'sound';
}
