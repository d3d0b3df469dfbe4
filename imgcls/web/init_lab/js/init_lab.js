// The Init lab in the page: up to four initialisations learn side by side, each in a worker, from the moment of the press.
import { make, say } from '../../shared/elements.js';
import { LabCurves } from './lab_curves.js';
import { LabNetwork } from './lab_network.js';

const MOST = 4;
const EPOCHS = 10;   // long enough to change the learning rate on the way
const RATES = [0.003, 0.01, 0.03, 0.1, 0.3];
const AT_FIRST = ['kaiming-uniform', 'all-zeros', 'too-small', 'too-large'];

export class PageInitLab {
  // `options`: { words, inits: [[name, label, rule]], activations: [[name, label]], source, dataset, images, defaults }.
  // `before`: such a lab in another language, whose networks begin again here.
  constructor(element, options, before = null) {
    Object.assign(this, { element, ...options, phase: 'empty', there: new Map(), images: options.images });
    const { source } = options;
    this.source = { ...source, data: wanted => (this.data ??= source.data(wanted).catch(error => { this.data = null; throw error; })) };
    this.chosen = before?.chosen ?? AT_FIRST.filter(name => this.inits.some(([known]) => known === name));
    this.values = before?.values ?? { lr: 0.03, activation: 'relu' };
    before?.leave();
    this.build();
    this.paint();
  }

  build() {
    const { words } = this;
    this.start = make('button', { type: 'button', class: 'here-start', 'data-testid': 'side-start', onclick: () => this.press() });
    this.fresh = make('button', { type: 'button', 'data-testid': 'side-new', onclick: () => this.restart(null) }, words.side_again);
    this.buttons = this.inits.map(([name, label]) => make('button', {
      type: 'button', class: `c${this.inits.findIndex(([known]) => known === name) + 1}`, 'data-init': name, onclick: () => this.choose(name),
    }, make('i'), label));
    this.said = make('p', { class: 'here-said', role: 'status' });
    this.lr = this.select('side-lr', words.set_lr, RATES.map(rate => [rate, String(rate)]), 'lr', Number);
    this.activation = this.select('side-activation', words.set_activation, this.activations, 'activation', String);
    this.curves = new LabCurves(words);
    this.row = make('div', { class: 'side-networks' });
    this.element.replaceChildren(make('div', { class: 'side card' },
      make('div', { class: 'side-top' }, this.start,
        make('div', { class: 'side-inits', role: 'group', 'aria-label': words.side_inits }, ...this.buttons)),
      make('div', { class: 'side-fields' }, this.lr, this.activation, this.fresh),
      this.said, this.curves.element, this.row));
  }

  select(id, label, options, name, read) {
    const made = make('select', { id, onchange: () => this.change({ [name]: read(made.value) }) },
      ...options.map(([value, text]) => make('option', { value, selected: value === this.values[name] }, text)));
    return make('div', { class: 'here-field' }, make('label', { for: id }, label), made);
  }

  // What all networks have in common: they differ by their first weights alone.
  get settings() { return { ...this.defaults, ...this.values, epochs: this.epochs, schedule: 'constant' }; }

  get epochs() { return EPOCHS; }

  // ---- what a person does
  choose(name) {
    const on = this.chosen.includes(name);
    if (!on && this.chosen.length === MOST) { this.tell(say(this.words.side_most, { most: MOST })); return; }
    if (on && this.chosen.length === 1) return;
    this.chosen = on ? this.chosen.filter(other => other !== name) : this.inits.map(([known]) => known).filter(known => known === name || this.chosen.includes(known));
    this.tell('');
    if (this.phase !== 'empty') this.gather(this.phase === 'playing' ? 'play' : 'step');
    this.paint();
  }

  // A learning rate changes on the way; another activation is another network.
  change(values) {
    const { activation } = values;
    Object.assign(this.values, values);
    if (this.phase === 'empty') return;
    if (activation) this.restart(this.phase === 'playing' ? 'play' : 'step');
    else for (const network of this.there.values()) network.run.change(values);
  }

  press() {
    if (this.phase === 'playing') { this.all('pause'); this.phase = 'paused'; }
    else if (this.phase === 'paused') { this.all('play'); this.phase = 'playing'; }
    else { this.phase = 'playing'; this.restart('play'); }
    this.paint();
  }

  all(mode) { for (const network of this.there.values()) if (!network.over) network.run.run(mode); }

  restart(mode) {
    this.leave();
    if (!mode) this.phase = 'empty';
    if (mode) this.gather(mode);
    this.paint();
  }

  // Those that are chosen and not here yet begin; those that are not chosen any more end.
  gather(mode) {
    for (const [name, network] of this.there) {
      if (this.chosen.includes(name)) continue;
      network.end();
      this.there.delete(name);
    }
    for (const name of this.chosen) {
      if (this.there.has(name)) continue;
      const [, label, rule] = this.inits.find(([known]) => known === name), tone = `c${this.inits.findIndex(([known]) => known === name) + 1}`;
      const network = new LabNetwork(this.words, { name, label, rule, tone }, this.source, () => this.heard());
      this.there.set(name, network);
      network.begin({ dataset: this.dataset, images: this.images }, this.settings, mode);
    }
  }

  leave() {
    for (const network of this.there.values()) network.end();
    this.there.clear();
  }

  // ---- what the networks say
  heard() {
    if (this.phase === 'playing' && [...this.there.values()].every(network => network.over)) this.phase = 'done';
    this.soon ??= requestAnimationFrame(() => { this.soon = null; this.paint(); });
  }

  tell(text) { if (this.said.textContent !== text) this.said.textContent = text; }

  paint() {
    const { words, phase } = this, label = { empty: 'start', playing: 'pause', paused: 'go_on', done: 'again' }[phase];
    this.start.textContent = words[label];
    this.start.classList.toggle('playing', phase === 'playing');
    this.fresh.hidden = phase === 'empty';
    this.element.dataset.phase = phase;
    this.buttons.forEach(button => button.setAttribute('aria-pressed', String(this.chosen.includes(button.dataset.init))));
    const networks = this.chosen.map(name => this.there.get(name)).filter(Boolean);
    if (networks.length !== this.row.children.length || networks.some((network, i) => this.row.children[i] !== network.element)) {
      this.row.replaceChildren(...networks.map(network => network.element));
    }
    this.curves.show(networks, this.epochs);
  }
}
