// One file to hand out: the same pad, answer and panels without a server. Everything lies in the document itself.
import { make } from './answer.js';
import { Live, panels, Reader } from './live.js';
import { readTensors } from './tensors.js';

function bytes(id) {
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

// `padScript`: ../pad.js as a function of (element, trigger, props).
export function open(padScript) {
  const texts = JSON.parse(document.getElementById('texts').textContent), languages = Object.keys(texts);
  const reader = new Reader(bytes('weights')), units = bytes('units'), epochs = bytes('epochs');
  const kept = { units: units && readTensors(units), epochs: epochs && unpacked(epochs) };
  reader.meta.epochs_kept = Boolean(epochs);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const shade = () => document.documentElement.classList.toggle('dark', dark.matches);
  dark.addEventListener('change', shade);
  shade();

  const show = language => {
    const { pad: padWords, live: words, page } = texts[language];
    document.documentElement.lang = page.code;
    document.title = page.title;
    document.querySelectorAll('[data-text]').forEach(element => { element.textContent = page[element.dataset.text]; });
    const host = document.getElementById('pad');
    host.innerHTML = document.getElementById('pad-template').innerHTML
      .replace(/\$\{(\w+)\}/g, (_, name) => padWords[name].replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`));
    padScript(host, () => {}, { in_page: true });
    const live = new Live(document.querySelector('.live-answer'), host.querySelector('.pad'), words);
    const below = document.querySelector('.panels'), fresh = below.cloneNode(false);
    below.replaceWith(fresh);
    panels(fresh, live, { units: async () => kept.units, epochs: async () => kept.epochs });
    live.use(reader);
    document.querySelector('.languages').replaceChildren(...languages.filter(other => other !== language).map(other => (
      make('button', { type: 'button', class: 'language', lang: texts[other].page.code, onclick: () => show(other) },
        texts[other].page.name))));
  };
  show(languages.find(name => navigator.language.startsWith(name)) ?? languages[0]);
}
