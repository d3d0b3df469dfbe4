// What a button has made comes into view and gets the focus: `imgclsShow('#card')`. A button says what it makes in
// `data-makes` or hands it over; see web/shared/results.py. What can be seen already is not moved.
(() => {
  if (window.imgclsShow) return;
  const MARGIN = 12;        // px above what is shown
  const SEEN_PART = 0.45;   // of the window's height: a result that begins further down is moved up
  const PATIENCE = 4000;    // ms that a result may take to be there

  function show(target) {
    const box = target.getBoundingClientRect();
    const whole = box.top >= 0 && box.bottom <= innerHeight;
    if (!whole && (box.top < 0 || box.top > innerHeight * SEEN_PART)) {
      const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
      scrollTo({ top: scrollY + box.top - MARGIN, behavior: calm ? 'auto' : 'smooth' });
    }
    if (!target.hasAttribute('tabindex')) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  }

  window.imgclsShow = selector => {
    const until = performance.now() + PATIENCE;
    const look = () => {
      const target = typeof selector === 'string' ? document.querySelector(selector) : selector;
      if (target?.getClientRects().length) show(target);
      else if (performance.now() < until) setTimeout(look, 50);
    };
    look();
  };
})();
