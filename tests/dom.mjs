// Just enough of a page for its modules under Node: elements with attributes, children, properties and events.
class Element extends EventTarget {
  constructor(tag) {
    super();
    Object.assign(this, { tagName: tag.toUpperCase(), childNodes: [], dataset: {}, style: {}, attributes: {}, hidden: false, isConnected: true });
    const names = new Set();
    this.classList = { add: name => names.add(name), toggle: (name, on) => names[on ? 'add' : 'delete'](name), contains: name => names.has(name) };
  }

  append(...children) { this.childNodes.push(...children.map(child => (child instanceof Element ? Object.assign(child, { parentNode: this }) : String(child)))); }

  replaceChildren(...children) { this.childNodes = []; this.append(...children); }

  setAttribute(name, value) { this.attributes[name] = String(value); if (name in this || name === 'value' || name === 'type') this[name] = value === '' ? true : value; }

  get all() { return this.childNodes.flatMap(child => (child instanceof Element ? [child, ...child.all] : [])); }

  get textContent() { return this.childNodes.map(child => child.textContent ?? child).join(''); }

  set textContent(text) { this.replaceChildren(text); }

  querySelector(tag) { return this.all.find(one => one.tagName === tag.toUpperCase()) ?? null; }

  focus() { document.activeElement = this; }

  says(name) { this.dispatchEvent(new Event(name)); }
}

globalThis.document = Object.assign(new EventTarget(), { baseURI: 'http://lab/en/', createElement: tag => new Element(tag), activeElement: null });
globalThis.addEventListener ??= () => {};
export const element = (tag = 'div') => new Element(tag);
