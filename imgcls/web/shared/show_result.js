// What a button has made comes into view and gets the focus: `show('#card')`; see web/shared/results.py.
// The page moves no further than it must, and goes on while the result grows, until the person does something.
const MARGIN = 12;        // px, where the result's own scroll-margin-top says nothing
const SEEN_PART = 0.45;   // of the window's height: what begins above this line, within the window, is seen
const PATIENCE = 30000;   // ms that a result may take to be there
const GROWS = 3000;       // ms
let turn = 0;

function move(target) {
  const box = target.getBoundingClientRect(), margin = parseFloat(getComputedStyle(target).scrollMarginTop) || MARGIN;
  if (box.top >= 0 && (box.bottom <= innerHeight || box.top < innerHeight * SEEN_PART)) return;
  const toTop = box.top - margin, by = box.top < 0 ? toTop : Math.min(box.bottom - innerHeight + MARGIN, toTop);
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
  scrollTo({ top: scrollY + by, behavior: calm ? 'auto' : 'smooth' });
}

function reveal(target, mine) {
  if (!target.hasAttribute('tabindex')) target.tabIndex = -1;
  target.focus({ preventScroll: true });
  move(target);
  const growing = new ResizeObserver(() => { if (mine === turn) move(target); else growing.disconnect(); });
  growing.observe(target);
  setTimeout(() => growing.disconnect(), GROWS);
}

// `where`: an element, or selectors, of which the first that can be seen is meant.
export function show(where) {
  const mine = ++turn, until = performance.now() + PATIENCE;
  const seen = one => one?.getClientRects().length > 0;
  const look = () => {
    if (mine !== turn) return;
    const target = typeof where === 'string' ? [...document.querySelectorAll(where)].find(seen) : where;
    if (seen(target)) reveal(target, mine);
    else if (performance.now() < until) setTimeout(look, 50);
  };
  look();
}
for (const event of ['pointerdown', 'keydown', 'wheel', 'touchmove']) {
  addEventListener(event, at => { if (at.isTrusted) turn++; }, { capture: true, passive: true });
}
