// Networks side by side, on the lab's Init lab tab.
import { make } from '../shared/elements.js';
import { fromLab } from '../train/js/from_lab.js';
import { PageRun } from '../train/js/page_run.js';
import { PageInitLab } from './js/init_lab.js';

// On the Init lab's tab: built when it is opened.
export function start({ element, props }) {
  const fold = element.querySelector('.side-fold'), host = fold.querySelector('.side-host');
  let shown = null;
  const toggled = () => {
    if (!fold.open) { if (shown?.phase === 'playing') shown.press(); return; }
    if (!PageRun.works()) host.replaceChildren(make('p', {}, props.words.no_engine));
    else shown ??= new PageInitLab(host, { ...props, source: fromLab(props).source });
  };
  fold.addEventListener('toggle', toggled);
  if (fold.open) toggled();   // by somebody who was quicker than this script
}
