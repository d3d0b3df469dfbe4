// What this browser remembers between two visits. Where it may not (private mode, storage that is blocked or full), it is
// remembered as long as the page is open.
const here = new Map();   // key -> text, or null where it was taken away

// The text of `key`, or null.
export function remembered(key) {
  if (here.has(key)) return here.get(key);
  try { return localStorage.getItem(key); } catch { return null; }
}

// Remembers `text` from now on; null: nothing any more.
export function remember(key, text) {
  here.delete(key);
  try {
    if (text === null) localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch { here.set(key, text); }
}
