// The Classify room: the answer in the page, and what opens on demand below it, some of it asked of the server.
import { make } from '../../shared/elements.js';
import { pagePad } from '../first_page.js';
import { Desk } from './desk.js';
import { Live, panels } from './live.js';
import { more } from './more.js';
import { Later } from './panels.js';

let started;
const reading = new Promise(resolve => { started = resolve; });

// The answer, where the value of a component of Gradio names the network's weights (see ../live.py).
export async function start({ element, props, watch }) {
  const live = new Live(element.querySelector('.live-answer'), await pagePad, props.words);
  const chosen = () => live.load(props.value && new URL(props.value, document.baseURI));
  watch('value', chosen);
  chosen();
  started(live);
}

// What the server computes, or keeps.
function ofServer(words, desk) {
  const later = (name, title, fits, load) => new Later(name, title, fits, load, words.no_script);
  const photo = (reader, subject) => !reader && Boolean(subject), any = (_, subject) => Boolean(subject);
  return [
    later('stages', words.inside, photo, async () => new (await import('./stages.js')).StageMaps(words, desk)),
    later('stage-why', words.why, photo, async () => new (await import('./stages.js')).StageWhy(words, desk)),
    later('compare', words.compare, any, async () => new (await import('./compare.js')).Compare(words, desk)),
    later('many', words.many, any, async () => new (await import('./many.js')).Many(words, desk)),
    later('wrong', words.wrong, any, async () => new (await import('./wrong.js')).Wrong(words, desk)),
  ];
}

// What opens on demand; the value says which checkpoint answers, and about which photo (see ../panels_view.py).
export async function onDemand({ element, props, watch, server, trigger }) {
  const live = await reading, { words } = live, desk = new Desk(words, server, live.pad, checkpoint => trigger('submit', { checkpoint }));
  const link = make('a', { class: 'take-home', download: '', title: words.handout_more }, words.handout);
  const made = panels(element.querySelector('.panels'), live, {
    units: more('units'), epochs: more('epochs'), link,
    more: ofServer(words, desk),
  });
  const chosen = () => made.about(desk.about(props.value));
  watch('value', chosen);
  document.addEventListener('drawn-on', () => made.update());
  chosen();
}
