// Under which name a tab keeps its run: each has one of its own, or two of them would write over each other's.
const MOST = 20;           // tabs of one browser
const RELEASE_MS = 1000;   // within which the page of before a refresh lets go

// The lock `name` until the page is gone; false where another tab has it.
function held(name, options) {
  return new Promise(resolve => {
    navigator.locks.request(name, options, lock => {
      resolve(Boolean(lock));
      return lock && new Promise(() => {});
    }).catch(() => resolve(false));
  });
}

// The one that this tab had before a refresh, or the first that no other tab has. Without locks (a page over plain HTTP)
// all tabs have the same.
export async function ownKey(key) {
  if (!navigator.locks) return key;
  const remembered = `${key}-tab`;
  let before = null;
  try { before = sessionStorage.getItem(remembered); } catch { /* private mode */ }
  if (before && await held(before, { signal: AbortSignal.timeout(RELEASE_MS) })) return before;
  for (let i = 1; i <= MOST; i++) {
    const name = i === 1 ? key : `${key}-${i}`;
    if (!await held(name, { ifAvailable: true })) continue;
    try { sessionStorage.setItem(remembered, name); } catch { /* private mode */ }
    return name;
  }
  return key;
}
