// What is said in place of a part of the page whose script cannot be had: the lab is gone, or has been updated.
addEventListener('imgcls:no-script', ({ detail: element }) => {
  const sentence = document.querySelector('[data-no-script]')?.dataset.noScript;
  if (!sentence || !element.getClientRects().length) return;
  const told = Object.assign(document.createElement('p'), { className: 'hint', textContent: sentence });
  told.setAttribute('role', 'alert');
  element.before(told);
});
