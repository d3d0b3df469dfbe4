// What the lab has of a network beside its weights.
import { readTensors } from './tensors.js';

// `what` of a network ("units", "epochs"), asked for once; null where there is none, or where it did not come: then it is
// asked for again.
export function more(what, read = readTensors) {
  const known = new WeakMap();
  return reader => {
    if (!known.has(reader.meta)) {
      const asked = fetch(`${reader.url}/${what}`).then(async answer => {
        if (answer.status === 404) return null;
        if (!answer.ok) throw new Error(answer.status);
        return read(await answer.arrayBuffer());
      });
      known.set(reader.meta, asked.catch(() => { known.delete(reader.meta); return null; }));
    }
    return known.get(reader.meta);
  };
}
