// A card of something that goes on asks for itself, once a second and only while it can be seen (see web/train/live_cards.py).
// Where more than the card has changed, the page is told by the event `submit`: buttons come and go.
const AGAIN = 1000;   // ms
let timer = null, tag = '';
const at = () => element.querySelector('[data-look]');

function later() {
  clearTimeout(timer);
  if (at() && element.isConnected) timer = setTimeout(ask, AGAIN);
}

async function ask() {
  clearTimeout(timer);
  const card = at();
  if (!card || !element.isConnected) return;
  if (document.hidden || !card.offsetParent) { later(); return; }
  const where = card.dataset.look, url = new URL(where, document.baseURI);
  url.searchParams.set('known', tag);
  try {
    const answer = await fetch(url, { cache: 'no-store' });
    const said = answer.status === 200 ? await answer.json() : null;
    if (said && at()?.dataset.look === where) {   // and not another run's by now
      const changed = card.dataset.rest !== said.rest;
      tag = said.tag;
      props.value = said.html;
      if (element.closest('#card')) dispatchEvent(new CustomEvent('imgcls:log', { detail: said.log }));   // the log beside Train's
      if (changed) trigger('submit');
    }
  } catch { /* the server is away for a moment: it is asked again */ }
  later();
}

// What somebody has opened in a card stays open when the card is drawn anew.
const open = new Set();
element.addEventListener('toggle', event => {
  const { key } = event.target.dataset;
  if (key) open[event.target.open ? 'add' : 'delete'](key);
}, true);
new MutationObserver(() => element.querySelectorAll('details[data-key]:not([open])').forEach(details => {
  if (open.has(details.dataset.key)) details.open = true;
})).observe(element, { childList: true, subtree: true });

watch('value', () => { tag = ''; later(); });
document.addEventListener('visibilitychange', () => { if (!document.hidden) later(); });
later();
