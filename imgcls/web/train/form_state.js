// Tells once that the Train form has changed, when all of the change is there: an answer writes many fields after each
// other. Its value is what the recipe was last asked about. A start that is pressed meanwhile waits for the answer: what
// is sent is what is shown.
const REST = 60;   // ms without another change

export function start({ element, trigger }) {
  let timer = null, asking = false, waiting = null;

  addEventListener('imgcls:form', () => {
    if (!element.isConnected) return;
    clearTimeout(timer);
    timer = setTimeout(() => { timer = null; asking = true; trigger('submit'); }, REST);
  });

  addEventListener('imgcls:form-answered', () => {
    asking = false;
    if (timer !== null || !waiting) return;
    const button = waiting;
    waiting = null;
    button.click();
  });

  document.addEventListener('click', event => {
    const button = event.target instanceof Element && event.target.closest('#start');
    if (!button || (timer === null && !asking)) return;
    event.stopImmediatePropagation();
    event.preventDefault();
    waiting = button;
  }, true);

  dispatchEvent(new Event('imgcls:form'));   // what has changed before it was there
}
