// What is seldom done with a set lies behind ⋯ (rooms.css): it is open until something else is clicked, or Escape.
export function toggle() {
  const button = document.querySelector('#set-menu'), row = button.parentElement;
  const open = row.classList.toggle('menu-open');
  button.setAttribute('aria-expanded', String(open));
  if (!open) return;
  const closed = new AbortController(), { signal } = closed;
  const close = event => {
    if (event.type === 'keydown' ? event.key !== 'Escape' : button.contains(event.target)) return;
    row.classList.remove('menu-open');
    button.setAttribute('aria-expanded', 'false');
    closed.abort();
  };
  for (const name of ['click', 'keydown']) document.addEventListener(name, close, { signal });
}
