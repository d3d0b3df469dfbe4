// What a worker does: steps of a run in slices, and listens between them. Messages are { do, request, ... }; answers
// { said, ... } repeat the `request` that they answer, and the number of the `run` that they are about.
import { readDataset } from './dataset.js';
import { Session } from './session.js';

const SLICE = 24;       // ms between two looks at the messages
const TELL = 90;        // ms between two reports: the page draws them
const LOOK = 450;       // ms between two looks into the layers
const KEEP = 3000;      // ms between two states to keep

export function serve(scope) {
  let session = null, dataset = null, mode = 'pause', run = 0, told = 0, looked = 0, kept = 0, looping = false, sent = new Set();   // sent: epochs whose weights are kept
  const turn = new MessageChannel();   // setTimeout would wait 4 ms each time
  turn.port1.onmessage = () => loop();

  const report = (more = {}) => {
    const { epoch, at, step, seconds, place, done, diverged, settings, rate, learnt } = session;
    scope.postMessage({
      said: 'progress', run, epoch, at, step, seconds, place, done, diverged, settings, rate, learnt, mode, curve: session.curve,
      held_out: session.held_out, marks: session.marks, epochs: session.snapshots.map(([number]) => number),
      weights: session.engine.numbers('weights'), ...more,
    });
    told = performance.now();
  };
  const keep = () => {
    const { snapshots, ...state } = session.state(), fresh = snapshots.filter(([epoch]) => !sent.has(epoch));
    scope.postMessage({ said: 'state', run, state: { ...state, epochs: snapshots.map(([epoch]) => epoch) }, snapshots: fresh });
    fresh.forEach(([epoch]) => sent.add(epoch));
    kept = performance.now();
  };
  const rest = () => {
    mode = 'pause';
    session.tell();
    report({ layers: session.step ? session.engine.statistics() : null });
    keep();
  };

  function loop() {
    looping = false;
    if (!session || mode === 'pause') return;
    const before = session.epoch;
    session.advance(mode === 'step' ? Infinity : SLICE, { steps: mode === 'step' ? 1 : Infinity, epochs: mode === 'epoch' ? 1 : Infinity });
    const over = session.epoch > before;
    if (session.done || mode === 'step' || (mode === 'epoch' && over)) { rest(); return; }
    const now = performance.now();
    if (over || now - told > TELL) {
      const look = now - looked > LOOK;
      if (look) looked = now;
      report(look ? { layers: session.engine.statistics() } : {});
    }
    if (now - kept > KEEP) keep();
    again();
  }

  function again() {
    if (looping) return;
    looping = true;
    turn.port2.postMessage(0);
  }

  const acts = {
    async data({ buffer, request }) {
      dataset = await readDataset(buffer);
      const { images, labels, ...header } = dataset;
      scope.postMessage({ said: 'data', request, header });
    },
    open({ module, settings, start, state, run: number, request }) {
      session = new Session(module, dataset, settings, { start });
      session.engine.watch(true);
      if (state) session.goOn(state);
      sent.clear();
      mode = 'pause';
      run = number;
      report({ request });
    },
    close() { session = null; mode = 'pause'; },
    run({ mode: wanted }) {
      if (!session) return;
      mode = wanted;
      if (mode === 'pause') rest();
      else again();
    },
    change({ values }) {
      if (!session) return;
      session.change(values);
      report();
      if (mode === 'pause') keep();
    },
    epoch({ number, request }) { scope.postMessage({ said: 'epoch', run, request, weights: session.snapshot(number) }); },
  };
  scope.onmessage = async ({ data }) => {
    try {
      await acts[data.do](data);
    } catch (error) {
      scope.postMessage({ said: 'failed', request: data.request, reason: String(error?.message ?? error) });
    }
  };
}
