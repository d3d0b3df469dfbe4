// The field's words explain themselves: a sentence under the pointer, at a tap, or while one has the focus. The table
// stands in the page's head (web/i18n/glossary.py); a word is one of it that stands as a label by itself.
const LABELS = 'dl.figures dt, figure.chart figcaption strong, figure.chart .legend > span, .layer-head strong, .evaluation h4, .here-figures dt, [data-testid=block-info]';
const GAP = 6;   // px
let terms = null;
const table = () => terms ??= JSON.parse(document.querySelector('[data-glossary]')?.dataset.glossary ?? 'null');
const tip = Object.assign(document.createElement('div'), { className: 'glossary-tip', id: 'glossary-tip', hidden: true });
tip.setAttribute('role', 'tooltip');
// Outside Gradio's container, where none of the page's sheets reaches.
tip.style.cssText = 'position: fixed; z-index: 1000; max-width: min(320px, calc(100vw - 16px)); padding: 8px 12px; border-radius: 9px; '
  + 'background: #111827; color: #fff; font: 14px/1.45 ui-sans-serif, system-ui, sans-serif; border: 1px solid #3b4358; pointer-events: none';
let shown = null, dismissed = null;   // a term; the words of the one that Escape put away
let pointer = [-1, -1];   // px, in the window

function mark() {
  const known = table();
  if (!known) return;
  for (const label of document.querySelectorAll(LABELS)) {
    const text = [...label.childNodes].find(node => node.nodeType === 3 && node.data.trim());
    if (!text || !(text.data.trim() in known)) continue;
    const term = Object.assign(document.createElement('span'), { className: 'term', textContent: text.data.trim() });
    if (!label.closest('label, fieldset')) term.tabIndex = 0;   // a field's name leads to its field
    text.replaceWith(term);
    if (term === underPointer()) reveal(term);   // drawn anew where the pointer rests: no event comes
  }
  if (shown && !shown.isConnected) follow();
}

function show(term) {
  if (!tip.isConnected) document.body.append(tip);
  shown = term;
  tip.textContent = table()[term.textContent];
  tip.hidden = false;
  term.setAttribute('aria-describedby', tip.id);
  const zoom = Number(getComputedStyle(document.body).zoom) || 1, at = term.getBoundingClientRect(), size = tip.getBoundingClientRect();
  const below = at.bottom + GAP + size.height <= innerHeight;
  tip.style.left = `${Math.max(8, Math.min(at.left, innerWidth - size.width - 8)) / zoom}px`;
  tip.style.top = `${(below ? at.bottom + GAP : at.top - GAP - size.height) / zoom}px`;
}

function hide() {
  shown?.removeAttribute('aria-describedby');
  shown = null;
  tip.hidden = true;
}

const termOf = target => target instanceof Element ? target.closest('.term') : null;
const underPointer = () => termOf(document.elementFromPoint(...pointer));

function reveal(term) {
  if (term.textContent !== dismissed) show(term);
}

// What is explained follows the page where it scrolls or is drawn anew: a run's card is, every two seconds.
function follow() {
  const here = [underPointer(), termOf(document.activeElement)].filter(Boolean);
  const term = here.find(one => one === shown) ?? here[0];
  if (term) reveal(term); else hide();
}

function attend({ target, type }) {
  const term = termOf(target);
  if (type !== 'pointerover') dismissed = null;   // somebody has come to it again
  if (term) reveal(term); else if (shown) follow();
}

document.addEventListener('pointermove', event => {
  if (event.clientX === pointer[0] && event.clientY === pointer[1]) return;   // the page moved, not the pointer
  pointer = [event.clientX, event.clientY];
  if (termOf(event.target)?.textContent !== dismissed) dismissed = null;
}, { passive: true, capture: true });
for (const name of ['pointerover', 'focusin', 'click']) document.addEventListener(name, attend);
document.addEventListener('keydown', event => {
  if (event.key !== 'Escape' || !shown) return;
  dismissed = shown.textContent;
  hide();
});
addEventListener('scroll', () => { if (shown) follow(); }, { passive: true });
let waiting = false;
const soon = () => { if (waiting) return; waiting = true; requestAnimationFrame(() => { waiting = false; mark(); }); };
new MutationObserver(soon).observe(document.body, { subtree: true, childList: true });
soon();
