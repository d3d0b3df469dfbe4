// The run of this browser, kept across a refresh: IndexedDB, or nowhere where the browser has none for this page.
const NAME = 'imgcls-training', STORE = 'runs';

function opened() {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(STORE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
  });
}

async function within(mode, act) {
  const base = await opened();
  try {
    return await new Promise((resolve, reject) => {
      const done = base.transaction(STORE, mode), asked = act(done.objectStore(STORE));
      done.oncomplete = () => resolve(asked.result);
      done.onerror = done.onabort = () => reject(done.error);
    });
  } finally {
    base.close();
  }
}

// Each: false or null where it cannot be kept.
export const keepRun = (key, run) => within('readwrite', store => store.put(run, key)).then(() => true, () => false);
export const keptRun = key => within('readonly', store => store.get(key)).then(run => run ?? null, () => null);
export const forgetRun = key => within('readwrite', store => store.delete(key)).then(() => true, () => false);
