// An element of a chart, as `make` of elements.js makes those of a page.
const SVG = 'http://www.w3.org/2000/svg';

export function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}
