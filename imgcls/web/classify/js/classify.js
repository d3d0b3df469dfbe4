// The Classify room: the answer in the page, and what opens on demand below it, some of it asked of the server.
import { make } from './answer.js';
import { Compare } from './compare.js';
import { Desk } from './desk.js';
import { Live, panels } from './live.js';
import { Many } from './many.js';
import { StageMaps, StageWhy } from './stages.js';
import { readTensors } from './tensors.js';
import { Wrong } from './wrong.js';
export { Reader } from './live.js';

let started;
const reading = new Promise(resolve => { started = resolve; });

// `what` of a network ("units", "epochs"), asked for once; null where there is none.
function more(what) {
  const known = new WeakMap();
  return reader => {
    if (!known.has(reader.meta)) {
      known.set(reader.meta, fetch(`${reader.url}/${what}`).then(async answer => (
        answer.ok ? readTensors(await answer.arrayBuffer()) : null)));
    }
    return known.get(reader.meta);
  };
}

// The answer, where the value of a component of Gradio names the network's weights (see ../live.py).
export function start({ element, props, watch }) {
  const live = new Live(element.querySelector('.live-answer'), document.querySelector('#pad .pad'), props.words);
  const chosen = () => live.load(props.value && new URL(props.value, document.baseURI));
  watch('value', chosen);
  chosen();
  started(live);
}

// What opens on demand; the value says which checkpoint answers, and about which photo (see ../panels_view.py).
export async function onDemand({ element, props, watch, server, trigger }) {
  const live = await reading, { words } = live, desk = new Desk(words, server, live.pad, checkpoint => trigger('submit', { checkpoint }));
  const link = make('a', { class: 'take-home', download: '', title: words.handout_more }, words.handout);
  const made = panels(element.querySelector('.panels'), live, {
    units: more('units'), epochs: more('epochs'), link,
    more: [new StageMaps(words, desk), new StageWhy(words, desk), new Compare(words, desk), new Many(words, desk), new Wrong(words, desk)],
  });
  const chosen = () => made.about(desk.about(props.value));
  watch('value', chosen);
  document.addEventListener('drawn-on', () => made.update());
  chosen();
}
