// The lab without a server: rooms side by side, all in this browser. What they need lies in the document itself, or in
// files beside it.
import { nothing } from '../../classify/js/answer.js';
import { bytes, Drawing, padTemplate, speak } from '../../classify/js/handout.js';
import { Reader } from '../../classify/js/live.js';
import { PageInitLab } from '../../init_lab/js/init_lab.js';
import { make } from '../../shared/elements.js';
import { PageRun } from '../../train/js/page_run.js';
import { PageTraining } from '../../train/js/page_training.js';

// Everything in the document: `part(id)` and `worker()` as promises.
const inDocument = {
  part: async id => bytes(id),
  worker: async () => {
    const script = new Blob([document.getElementById('worker').textContent], { type: 'text/javascript' });
    return new Worker(URL.createObjectURL(script));
  },
};

// `files`: { id: its address, from here }.
const beside = files => ({
  part: async id => {
    if (!files[id]) return null;
    const answer = await fetch(files[id]);
    if (!answer.ok) throw new Error(`${files[id]}: ${answer.status}`);
    return answer.arrayBuffer();
  },
  worker: async () => new Worker(files.worker),
});

class Rooms {
  // `rooms`: [[name, open(host, before) -> what it shows]]; the first is open where the address names none.
  constructor(element, rooms) {
    Object.assign(this, { element, rooms: new Map(rooms), there: new Map(), open: null });
    addEventListener('hashchange', () => this.go());
  }

  // In another language: what was opened before goes on there.
  show({ page, ...texts }) {
    this.texts = texts;
    this.buttons = [...this.rooms.keys()].map(name => make('button', {
      type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `room-${name}`, 'data-testid': `room-${name}`, onclick: () => this.choose(name),
    }, page[`room_${name}`]));
    this.hosts = [...this.rooms.keys()].map(name => make('section', {
      role: 'tabpanel', id: `room-${name}`, class: `alone-${name}`, 'aria-labelledby': `tab-${name}`, hidden: true,
    }));
    const bar = make('div', { class: 'alone-tabs', role: 'tablist', 'aria-label': page.rooms }, ...this.buttons);
    bar.addEventListener('keydown', event => this.key(event));
    this.element.replaceChildren(...(this.rooms.size > 1 ? [bar] : []), ...this.hosts);
    const before = this.there;
    this.there = new Map();
    for (const [name, shown] of before) this.fill(name, shown);
    this.go();
  }

  go() {
    const named = location.hash.slice(1);
    this.choose(this.rooms.has(named) ? named : [...this.rooms.keys()][0], false);
  }

  choose(name, said = true) {
    if (!this.there.has(name)) this.fill(name);
    [...this.rooms.keys()].forEach((other, i) => {
      this.hosts[i].hidden = other !== name;
      this.buttons[i].setAttribute('aria-selected', String(other === name));
      this.buttons[i].tabIndex = other === name ? 0 : -1;
    });
    if (said) history.replaceState(null, '', `#${name}`);
  }

  fill(name, before = null) {
    const host = this.hosts[[...this.rooms.keys()].indexOf(name)];
    this.there.set(name, this.rooms.get(name)(host, this.texts, before));
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key], names = [...this.rooms.keys()];
    if (!step) return;
    const at = (this.buttons.indexOf(document.activeElement) + step + names.length) % names.length;
    this.choose(names[at]);
    this.buttons[at].focus();
  }
}

export async function open() {
  const said = id => JSON.parse(document.getElementById(id).textContent), texts = said('texts');
  const { files, rooms, defaults, start, kept_as } = said('options'), parts = files ? beside(files) : inDocument;
  const source = {
    worker: parts.worker, engine: build => parts.part(build), data: ({ images }) => parts.part(`data-${images}`),
  };
  const lab = start && { checkpoints: async () => [start], weights: () => parts.part('weights') };
  const draw = (host, { words, pad_words }, before) => {
    const panel = before ?? {}, pad = make('div'), answer = make('div', { class: 'live-answer' }), below = make('div', { class: 'panels card', hidden: true });
    host.replaceChildren(
      make('div', { class: 'room' }, make('div', { class: 'card give' }, pad), make('div', { class: 'card get' }, answer)), below);
    panel.drawing ??= Promise.all(['weights', 'units'].map(id => parts.part(id)))
      .then(([weights, units]) => new Drawing(new Reader(weights), units, null));
    panel.drawing.then(
      drawing => { if (answer.isConnected) drawing.show(pad, answer, below, { pad: pad_words, live: words }); },
      () => { delete panel.drawing; answer.replaceChildren(nothing(words.no_network)); });
    return panel;
  };
  const train = (host, { words, choices, datasets, sizes, pad_words }, before) => {
    if (!PageRun.works()) { host.replaceChildren(make('p', { class: 'card' }, words.no_engine)); return null; }
    const pad = { words: pad_words, template: padTemplate() };
    const panel = make('div', { class: 'browser-training' });
    host.replaceChildren(panel);
    const shown = new PageTraining(panel, { words, choices, datasets, sizes, defaults, pad, source, lab, kept_as }, before);
    if (!before) shown.restore();
    return shown;
  };
  const init = (host, { words, side }, before) => {
    if (!PageRun.works()) { host.replaceChildren(make('p', { class: 'card' }, words.no_engine)); return null; }
    return new PageInitLab(host, { ...side, source }, before);
  };
  const shown = new Rooms(document.querySelector('.rooms'), rooms.map(name => [name, { draw, train, init }[name]]));
  speak(texts, language => shown.show(texts[language]));
}
