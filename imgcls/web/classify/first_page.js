// The pad that stands in the page's first bytes: one draws on it before Gradio has built the page, and what is drawn goes
// to Gradio's own pad, which comes to stand beneath it (first_page.py).
import { drawingPad } from './pad.js';

let page = null, stands;
export const pagePad = new Promise(resolve => { stands = resolve; });   // Gradio's own
let stood = false;

// As soon as these bytes are there.
export function begin() {
  const said = new URLSearchParams(location.search), get = name => said.get(name);
  page = document.getElementById('first');
  // A link to anything else than the pad waits for what it names; a projector's page is larger.
  const elsewhere = (get('tab') ?? 'classify') !== 'classify' || (get('source') ?? 'draw') !== 'draw' || get('projector') === '1';
  if (elsewhere || stood) { page.remove(); return; }
  const shade = get('__theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  page.classList.toggle('dark', shade === 'dark');
  page.querySelector('.language').search = location.search;
  page.hidden = false;
  drawingPad(page.querySelector('.first-pad'), { in_page: true });
}

// Gradio's own.
export function start({ element, props, trigger }) {
  const pad = drawingPad(element, props, () => trigger('drawn'));
  if (!stood && page?.isConnected) takeOver(page.querySelector('.pad'), pad);
  stood = true;
  stands(pad);
}

// `pad`: the one that stays. It is given the drawing once a pen would meet it where the `first` is, which takes Gradio some
// frames more, and no pen is down; then it is all there is.
function takeOver(first, pad) {
  const canvas = pad.querySelector('canvas'), seen = new ResizeObserver(take);
  let before = '';
  function isThere() {
    const { left, top, width, height } = canvas.getBoundingClientRect(), same = `${left} ${top} ${width}` === before;
    before = `${left} ${top} ${width}`;
    if (!width || !same) return false;
    page.style.pointerEvents = 'none';
    const met = document.elementFromPoint(left + width / 2, top + height / 2);
    page.style.pointerEvents = '';
    return met === canvas || met === null;   // null: it is scrolled away
  }
  function take() {
    const strokes = first.strokes();
    if (!page.isConnected || !strokes || !canvas.isConnected) return;
    if (!isThere()) { requestAnimationFrame(take); return; }
    seen.disconnect();
    first.read = () => {};
    const brush = first.querySelector('[aria-pressed=true]').dataset.width, active = document.activeElement;
    pad.querySelector(`[data-width="${brush}"]`).click();
    if (strokes.length) pad.put(strokes);
    page.remove();
    if (first.contains(active)) canvas.focus({ preventScroll: true });
  }
  seen.observe(canvas);
  first.read = take;   // at the end of every stroke
}
