// Elements and sentences, as every script of the page makes them.

// A sentence of the catalog with its {values}.
export function say(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

// `attributes`: as in HTML; a function for each event, by "onclick".
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}
