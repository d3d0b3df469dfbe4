// The run of this page: talks to the worker, keeps the state, tells who listens. Knows no element.
import { hasRelaxed, hasSimd, named, shapesOf } from '../../engine/js/engine.js';
import { forgetRun, keepRun, keptRun } from './run_store.js';

const BROWSER = { keep: keepRun, kept: keptRun, forget: forgetRun };

export class PageRun {
  // `source`: { worker() -> Worker, engine(build) -> ArrayBuffer, data(wanted) -> ArrayBuffer }, each a promise;
  // `key`: under which the run is kept in `store`. Whoever listens sets `listener(what, said)`: "progress", "failed",
  // "kept".
  constructor(source, key, store = BROWSER, listener = () => {}) {
    Object.assign(this, { source, key, listener, store, worker: null, module: null });
    Object.assign(this, { header: null, loaded: null, wanted: null, now: null, layers: null });
    this.unkept = [];         // epochs' weights that the store has not taken yet: [[epoch, weights], ...]
    this.asked = new Map();   // number of a request -> { resolve, reject }
    this.requests = 0;
    this.number = 0;          // of the run: what the worker says of an earlier one is dropped
  }

  static works() { return typeof WebAssembly === 'object' && hasSimd() && typeof DecompressionStream === 'function'; }

  // The images that `wanted` names are in the worker; the header says what they are.
  async load(wanted) {
    const name = JSON.stringify([wanted.dataset, wanted.images, wanted.start_from ?? '']);
    this.wanted = wanted;
    if (this.worker && this.loaded === name) return this.header;
    this.loaded = null;
    this.worker ??= await this.employed();
    this.module ??= await WebAssembly.compile(await this.source.engine(hasRelaxed() ? 'relaxed' : 'simd'));
    const buffer = await this.source.data(wanted);
    this.header = (await this.ask('data', { buffer })).header;
    this.loaded = name;
    return this.header;
  }

  async employed() {
    const worker = await this.source.worker();
    worker.onmessage = ({ data }) => { if (worker === this.worker) this.heard(data); };
    worker.onerror = worker.onmessageerror = error => { if (worker === this.worker) this.lose(error.message); };
    return worker;
  }

  // The worker is gone: nobody waits for it any more, and the next run has a new one.
  lose(reason) {
    const waiting = [...this.asked.values()];
    this.worker.terminate();
    Object.assign(this, { worker: null, module: null, loaded: null });
    this.asked.clear();
    this.number++;
    waiting.forEach(({ reject }) => reject(new Error(reason)));
    if (!waiting.length) this.listener('failed', reason);
  }

  // Nobody needs it any more.
  dismiss() {
    this.number++;
    this.worker?.terminate();
    Object.assign(this, { worker: null, loaded: null, now: null });
  }

  // A fresh run, or one that goes on from `state`. `start`: weights to begin with.
  async open(settings, { state = null, start = null } = {}) {
    this.layers = null;
    this.unkept = [];
    await this.ask('open', { module: this.module, settings, start, state, run: ++this.number });
  }

  run(mode) { this.worker?.postMessage({ do: 'run', mode }); }

  change(values) { if (this.now) this.worker?.postMessage({ do: 'change', values }); }

  async epoch(number) { return this.tensorsOf((await this.ask('epoch', { number })).weights); }

  ask(what, values) {
    const request = ++this.requests;
    return new Promise((resolve, reject) => {
      if (!this.worker) { reject(new Error('no worker')); return; }
      this.asked.set(request, { resolve, reject });
      this.worker.postMessage({ do: what, request, ...values });
    });
  }

  heard({ request, ...data }) {
    const waiting = this.asked.get(request);
    this.asked.delete(request);
    if (data.said === 'failed') {
      if (waiting) waiting.reject(new Error(data.reason));
      else this.listener('failed', data.reason);
      return;
    }
    if (data.run !== undefined && data.run !== this.number) return;
    if (data.said === 'progress') {
      this.now = data;
      this.layers = data.layers ?? this.layers;
      this.listener('progress', data);
    } else if (data.said === 'state') {
      this.keep(data);
    }
    waiting?.resolve(data);
  }

  async keep({ state, snapshots }) {
    const all = this.unkept = [...this.unkept, ...snapshots];
    const kept = await this.store.keep(this.key, { loaded: this.wanted, state }, all);
    if (kept) this.unkept = this.unkept.filter(snapshot => !all.includes(snapshot));
    this.listener('kept', kept);
  }

  tensorsOf(weights) {
    const { channels, classes } = this.header, { widths } = this.now.settings;
    return named(weights, shapesOf({ channels, classes: classes.length, widths }));
  }

  get tensors() { return this.tensorsOf(this.now.weights); }

  kept() { return this.store.kept(this.key); }

  // The run ends here and is nowhere any more.
  forget() {
    this.number++;
    this.now = this.layers = null;
    this.worker?.postMessage({ do: 'close' });
    return this.store.forget(this.key);
  }
}
