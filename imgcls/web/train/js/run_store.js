// The run of this browser, kept across a refresh: IndexedDB, or nowhere where the browser has none for this page. The
// weights of each epoch are a record of their own, [key, epoch]: 200 of them are 49 MB, written once and not every time.
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

const epochsOf = key => IDBKeyRange.bound([key], [key, []]);

function put(store, key, run, snapshots) {
  const there = store.getAllKeys(epochsOf(key));
  there.onsuccess = () => there.result.filter(([, epoch]) => !run.state.epochs.includes(epoch)).forEach(gone => store.delete(gone));
  snapshots.forEach(([epoch, weights]) => store.put(weights, [key, epoch]));
  return store.put(run, key);
}

function get(store, key) {
  const run = store.get(key), names = store.getAllKeys(epochsOf(key)), weights = store.getAll(epochsOf(key));
  return { get result() { return run.result && whole(run.result, names.result.map(([, epoch], i) => [epoch, weights.result[i]])); } };
}

// With its epochs. Before they were records of their own, they lay in the state itself.
function whole({ loaded, state: { epochs, ...state } }, snapshots) { return { loaded, state: { snapshots, ...state } }; }

// Each: false or null where it cannot be kept. `snapshots`: those that are not kept yet.
export const keepRun = (key, run, snapshots) => within('readwrite', store => put(store, key, run, snapshots)).then(() => true, () => false);
export const keptRun = key => within('readonly', store => get(store, key)).then(run => run ?? null, () => null);
export const forgetRun = key => within('readwrite', store => { store.delete(epochsOf(key)); return store.delete(key); }).then(() => true, () => false);
