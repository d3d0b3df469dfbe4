// Training in the page, on the lab's Train tab.
import { put } from '../shared/address.js';
import { make } from '../shared/elements.js';
import { remember, remembered } from '../shared/storage.js';
import { fromLab } from './js/from_lab.js';
import { PageRun } from './js/page_run.js';

// Here, or where the lab runs: what was chosen last, or what the lab proposes.
function choosePlace(host, { words, elsewhere, browser_first }) {
  const KEPT = 'imgcls-train-place', kept = remembered(KEPT);
  const buttons = [['browser', words.in_browser], ['server', elsewhere]].map(([place, label]) => (
    make('button', { type: 'button', 'data-testid': `train-${place}`, onclick: () => picked(place) }, label)));
  const choose = place => {
    document.body.classList.toggle('train-in-browser', place === 'browser');
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String((i === 0) === (place === 'browser'))));
  };
  // A link to a run of the lab shows the run, whatever was chosen last; who turns to the browser leaves it.
  const picked = place => { remember(KEPT, place); if (place === 'browser') put('run', ''); choose(place); };
  host.setAttribute('aria-label', words.place);
  host.replaceChildren(...buttons);
  choose(new URLSearchParams(location.search).get('run') ? 'server' : kept ?? (browser_first ? 'browser' : 'server'));
}

// In the lab: everything comes from the server, what is learnt stays here until it is kept.
export function start({ element, props }) {
  const host = element.querySelector('.browser-training'), { source, lab, board } = fromLab(props);
  choosePlace(element.querySelector('.train-place'), props);
  if (!PageRun.works()) { host.replaceChildren(make('p', { class: 'card' }, props.words.no_engine)); return; }
  // Built when it is first looked at: whoever trains elsewhere has no second form.
  const seen = new IntersectionObserver(async entries => {
    if (!entries.some(entry => entry.isIntersecting)) return;
    seen.disconnect();
    const drawing = { words: props.pad_words, template: props.pad_template };
    try {
      const { PageTraining } = await import('./js/page_training.js');
      new PageTraining(host, { ...props, source, lab, board, pad: drawing }).restore();
    } catch { dispatchEvent(new CustomEvent('imgcls:no-script', { detail: host })); }
  });
  seen.observe(host);
}
