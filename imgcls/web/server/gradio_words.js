// Gradio's components say a few words in English whatever the language: they are replaced as they appear.
const PREFIXES = ['processing |', 'queue:'];

// `said`: { a word: what is said instead }.
export function replace(said) {
  const mend = node => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.trim();
      const known = said[text] ? text : PREFIXES.find(prefix => text.startsWith(prefix));
      if (known) node.data = node.data.replace(known, said[known]);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    for (const name of ['aria-label', 'title']) {
      const text = node.getAttribute(name);
      if (said[text]) node.setAttribute(name, said[text]);
    }
    node.childNodes.forEach(mend);
  };
  new MutationObserver(changes => {
    for (const change of changes) {
      if (change.type === 'childList') change.addedNodes.forEach(mend);
      else mend(change.target);
    }
  }).observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: ['aria-label', 'title'],
  });
}
