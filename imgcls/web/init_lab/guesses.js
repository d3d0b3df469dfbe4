// The guess which initialisation learns best: one of those that are picked.

// inits: [[title, name], ...] of all. Returns an update of the field: a guess whose initialisation goes, goes with it.
export function offered(inits, picked, guess) {
  const update = { __type__: 'update', choices: inits.filter(([, name]) => picked.includes(name)) };
  return guess && !picked.includes(guess) ? { ...update, value: null } : update;
}
