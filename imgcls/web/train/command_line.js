// The run's command line, to be copied.
export function start({ element }) {
  element.addEventListener('click', event => {
    const button = event.target.closest('button'), code = element.querySelector('code');
    if (!button) return;
    // plain http from another computer: the person presses Ctrl-C
    if (!navigator.clipboard) { getSelection().selectAllChildren(code); return; }
    navigator.clipboard.writeText(code.textContent).then(() => {
      button.classList.add('copied');
      setTimeout(() => button.classList.remove('copied'), 2000);
    }, () => getSelection().selectAllChildren(code));
  });
}
