// The pad that stands in the page's first bytes: one draws on it before Gradio has built the page, and what is drawn goes
// to Gradio's own pad, which comes to stand beneath it (first_page.py).
(() => {
  const page = document.getElementById('first'), said = new URLSearchParams(location.search), get = name => said.get(name);
  window.imgclsTakeOver = () => {};
  // A link to anything else than the pad waits for what it names; a projector's page is larger.
  if ((get('tab') ?? 'classify') !== 'classify' || (get('source') ?? 'draw') !== 'draw' || get('projector') === '1') {
    page.remove();
    return;
  }
  const shade = get('__theme') ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light');
  page.classList.toggle('dark', shade === 'dark');
  page.querySelector('.language').search = location.search;
  page.hidden = false;
  const place = page.querySelector('.first-pad'), first = place.querySelector('.pad');
  window.imgclsPad(place, () => {}, { in_page: true });

  // `pad`: the one that stays. It is given the drawing once a pen would meet it where this one is, which takes Gradio some
  // frames more, and no pen is down; then it is all there is.
  window.imgclsTakeOver = pad => {
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
      window.imgclsTakeOver = () => {};
      first.read = () => {};
      const brush = first.querySelector('[aria-pressed=true]').dataset.width, active = document.activeElement;
      pad.querySelector(`[data-width="${brush}"]`).click();
      if (strokes.length) pad.put(strokes);
      page.remove();
      if (first.contains(active)) canvas.focus({ preventScroll: true });
    }
    seen.observe(canvas);
    first.read = take;   // at the end of every stroke
  };
})();
