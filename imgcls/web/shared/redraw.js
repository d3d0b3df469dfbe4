// Draws what goes on anew, several times a second: what is like it was stays in its place, so that a click that has begun
// arrives and the focus stays. All that is drawn is escaped by the lab's own templates.
export const AWAY_MS = 3000;   // between two questions to a lab that does not answer

const alike = (old, now) => old.nodeType === now.nodeType && old.nodeName === now.nodeName
  && (old.nodeName !== 'BUTTON' || old.className === now.className);

function become(old, now) {
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  for (const { name } of [...old.attributes]) if (!now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  childrenBecome(old, now);
}

function childrenBecome(old, now) {
  const before = [...old.childNodes], after = [...now.childNodes];
  after.forEach((node, i) => {
    if (!before[i]) old.append(node);
    else if (alike(before[i], node)) become(before[i], node);
    else before[i].replaceWith(node);
  });
  before.slice(after.length).forEach(node => node.remove());
}

// What an element is known by when it is drawn anew.
const sign = element => [element.nodeName, element.className, ...Object.values(element.dataset)].join(' ');

const left = new WeakMap();   // view -> the sign of a button that had the focus until it had to wait

// A button that was pressed takes no second click until `view` is drawn anew.
export function wait(view, button) {
  if (button === document.activeElement) left.set(view, sign(button));
  button.disabled = true;
}

// Whoever had the focus in `view` has it after `draw`, too: on what is like it, or on the first button.
export function keepingFocus(view, draw) {
  const at = document.activeElement, known = view.contains(at) ? sign(at) : at === document.body ? left.get(view) : null;
  left.delete(view);
  draw();
  if (!known || view.contains(document.activeElement)) return;
  const like = [...view.querySelectorAll('*')].find(element => sign(element) === known && !element.disabled);
  (like || view.querySelector('button:enabled'))?.focus({ preventScroll: true });
}

export function redraw(view, html) {
  const drawn = document.createElement('template');
  drawn.innerHTML = html;
  keepingFocus(view, () => childrenBecome(view, drawn.content));
}
