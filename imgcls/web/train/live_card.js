// A card of something that goes on asks for itself, once a second and only while it can be seen (see web/train/live_cards.py).
// Where more than the card has changed, the page is told by the event `submit`: buttons come and go.
const AGAIN = 1000;   // ms

export function start({ element, trigger, props, watch }) {
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

  // A fold that is filled when it is opened: with what it was filled with last, until the answer is there.
  const filled = new Map();   // address without its question -> [whole address, html]
  async function fill(details) {
    const { from, failed } = details.dataset, page = from.split('?')[0], earlier = filled.get(page)?.[1] ?? '';
    const place = () => element.querySelector(`[data-from="${CSS.escape(from)}"] > div`);
    if (earlier) details.querySelector('div').innerHTML = earlier;   // made by the lab's own templates, escaped there
    if (filled.get(page)?.[0] === from) return;
    filled.set(page, [from, earlier]);
    try {
      const response = await fetch(new URL(from, document.baseURI));
      if (!response.ok) throw new Error(response.status);
      const html = await response.text();
      filled.set(page, [from, html]);
      if (place()) place().innerHTML = html;
    } catch {
      filled.set(page, ['', earlier]);   // asked again when it is opened or drawn anew
      if (place() && !earlier) {
        const hint = Object.assign(document.createElement('p'), { className: 'hint', textContent: failed });
        place().replaceChildren(hint);
      }
    }
  }

  // What somebody has opened in a card stays open when the card is drawn anew.
  const open = new Set();
  element.addEventListener('toggle', event => {
    const { key, from } = event.target.dataset;
    if (key) open[event.target.open ? 'add' : 'delete'](key);
    if (from && event.target.open) fill(event.target);
  }, true);
  new MutationObserver(() => element.querySelectorAll('details[data-key]:not([open])').forEach(details => {
    if (open.has(details.dataset.key)) details.open = true;
  })).observe(element, { childList: true, subtree: true });

  watch('value', () => { tag = ''; later(); });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) later(); });
  later();
}

// The log beside Train's card.
export function follow({ props }) {
  addEventListener('imgcls:log', event => { props.value = event.detail; });
}
