// What Gradio's tabs and dropdowns do not do by themselves: arrow keys go from tab to tab, a dropdown's list closes
// when Tab leaves it, and opens again when its field is clicked after it was closed.
const field = target => target instanceof Element && target.matches('input[role=combobox], input[role=listbox]');
const isOpen = input => input.getAttribute('aria-expanded') === 'true';
const press = (input, key) => input.dispatchEvent(new KeyboardEvent('keydown', { key, code: key, bubbles: true }));

document.addEventListener('keydown', event => {
  if (!event.isTrusted || !(event.target instanceof Element)) return;
  const tab = event.target.closest('[role=tab]'), list = tab?.closest('[role=tablist]');
  if (!list || !['ArrowLeft', 'ArrowRight', 'Home', 'End'].includes(event.key)) return;
  const all = [...list.querySelectorAll('[role=tab]:not([disabled])')].filter(one => one.getClientRects().length), at = all.indexOf(tab);
  const next = { ArrowLeft: (at + all.length - 1) % all.length, ArrowRight: (at + 1) % all.length, Home: 0, End: all.length - 1 }[event.key];
  event.preventDefault();
  all[next].click();
  all[next].focus();
}, true);

document.addEventListener('focusout', event => {
  if (field(event.target)) setTimeout(() => { if (event.target !== document.activeElement && isOpen(event.target)) press(event.target, 'Escape'); }, 150);
});
document.addEventListener('click', event => {
  if (event.isTrusted && field(event.target) && !isOpen(event.target)) setTimeout(() => { if (!isOpen(event.target)) press(event.target, 'ArrowDown'); });
});
