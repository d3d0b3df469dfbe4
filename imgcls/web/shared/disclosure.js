// A fold whose content stays in the page; open is what its button says (aria-expanded), see rooms.css.

export function start({ element, props, watch }) {
  let open = false;
  const button = () => element.querySelector('button');
  const folded = () => element.closest('.block')?.nextElementSibling;

  function paint() {
    if (!button()) return;
    button().setAttribute('aria-expanded', String(open));
    button().querySelector('span').textContent = typeof props.value === 'string' ? props.value : '';
  }

  element.addEventListener('click', event => {
    if (!event.target.closest('button')) return;
    open = !open;
    paint();
  });
  watch('value', paint);

  // What is called wrong is never folded away.
  const wrong = new MutationObserver(() => {
    if (open || !folded()?.querySelector('.block.wrong')) return;
    open = true;
    paint();
  });
  if (folded()) wrong.observe(folded(), { subtree: true, attributes: true, attributeFilter: ['class'] });
  element.addEventListener('imgcls:unfold', () => { open = true; paint(); });
  paint();
}
