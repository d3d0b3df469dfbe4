// One file to hand out: the same pad, answer and panels without a server. Everything lies in the document itself.
import { make } from '../../shared/elements.js';
import { drawingPad } from '../pad.js';
import { Live, panels, Reader } from './live.js';
import { readTensors } from './tensors.js';

// What lies in the document under this id, as bytes; null where nothing does.
export function bytes(id) {
  const written = document.getElementById(id)?.textContent.trim();
  return written ? Uint8Array.from(atob(written), c => c.charCodeAt(0)).buffer : null;
}

// Epochs come as bytes with a scale a row: see web/classify/handout.py.
function unpacked(buffer) {
  const { meta, tensors } = readTensors(buffer), made = {};
  for (const [name, { shape, data }] of Object.entries(tensors)) {
    if (name.startsWith('scale/')) continue;
    const scale = tensors[`scale/${name}`].data, row = data.length / scale.length;
    made[name] = { shape, data: data.map((v, i) => v * scale[Math.floor(i / row)]) };
  }
  return { meta, tensors: made };
}

// The page's own languages: `show(language)` fills it, now and whenever a person chooses another.
export function speak(texts, show) {
  const languages = Object.keys(texts), dark = matchMedia('(prefers-color-scheme: dark)');
  const shade = () => document.documentElement.classList.toggle('dark', dark.matches);
  dark.addEventListener('change', shade);
  shade();
  const choose = language => {
    const { page } = texts[language];
    document.documentElement.lang = page.code;
    document.title = page.title;
    document.querySelectorAll('[data-text]').forEach(element => { element.textContent = page[element.dataset.text]; });
    document.querySelector('.languages').replaceChildren(...languages.filter(other => other !== language).map(other => (
      make('button', { type: 'button', class: 'language', lang: texts[other].page.code, onclick: () => choose(other) },
        texts[other].page.name))));
    show(language);
  };
  choose(languages.find(name => navigator.language.startsWith(name)) ?? languages[0]);
}

export const padTemplate = () => document.getElementById('pad-template').innerHTML;

// A pad, and below it what the network makes of the drawing. `units`, `epochs`: as web/classify/handout.py writes them,
// or null.
export class Drawing {
  constructor(reader, units, epochs) {
    this.reader = reader;
    this.units = units && readTensors(units);
    this.epochs = epochs && unpacked(epochs);
    reader.meta.epochs_kept = Boolean(epochs);
  }

  show(pad, answer, below, { pad: padWords, live: words }) {
    pad.innerHTML = padTemplate().replace(/\$\{(\w+)\}/g, (_, name) => padWords[name].replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`));
    drawingPad(pad, { in_page: true });
    const live = new Live(answer, pad.querySelector('.pad'), words);
    panels(below, live, { units: async () => this.units, epochs: async () => this.epochs });
    live.use(this.reader);
  }
}

export function open() {
  const texts = JSON.parse(document.getElementById('texts').textContent);
  const drawing = new Drawing(new Reader(bytes('weights')), bytes('units'), bytes('epochs'));
  speak(texts, language => {
    const below = document.querySelector('.panels'), fresh = below.cloneNode(false);
    below.replaceWith(fresh);
    drawing.show(document.getElementById('pad'), document.querySelector('.live-answer'), fresh, texts[language]);
  });
}
