// Asks whether runs, comparisons or checkpoints have come, gone or changed: often while somebody uses the page, seldom
// while it only stands there, never while it is out of sight. A hundred idle pages are three requests a second.
const SOON = 5000, SELDOM = 30000, AT_REST = 60000; // ms
let known = null, used = Date.now(), timer = null, noticed = null;   // noticed: the component that tells Gradio's events

async function ask() {
  clearTimeout(timer);
  if (!noticed?.element.isConnected || document.hidden) return;
  try {
    const answer = await fetch(new URL('../changes', document.baseURI), { cache: 'no-store' });
    const now = answer.ok ? await answer.text() : known;
    if (known !== null && now !== known) { noticed.props.value = now; dispatchEvent(new Event('imgcls:changed')); }
    known = now;
  } catch { /* the server is away for a moment: it is asked again */ }
  clearTimeout(timer);
  timer = setTimeout(ask, Date.now() - used < AT_REST ? SOON : SELDOM);
}

// Whether somebody uses the page: others ask again by themselves only then.
export const inUse = () => !document.hidden && Date.now() - used < AT_REST;

function isUsed() {
  const rested = Date.now() - used > AT_REST;
  used = Date.now();
  if (rested) ask();
}

for (const event of ['pointerdown', 'pointermove', 'keydown', 'wheel']) {
  document.addEventListener(event, isUsed, { capture: true, passive: true });
}
document.addEventListener('visibilitychange', ask);

export function start({ element, props }) {
  noticed = { element, props };
  ask();
}
