// The run of this page: talks to the worker, keeps the state, tells who listens. Knows no element.
import { hasRelaxed, hasSimd, named, shapesOf } from '../../engine/js/engine.js';
import { forgetRun, keepRun, keptRun } from './run_store.js';

export class PageRun {
  // `source`: { worker() -> Worker, engine(build) -> ArrayBuffer, data(dataset, images) -> ArrayBuffer }, each a promise;
  // `key`: under which the run is kept; `listener(what, said)`: of "progress", "failed", "kept".
  constructor(source, key, listener) {
    Object.assign(this, { source, key, listener, header: null, now: null, layers: null, worker: null, asked: new Map() });
  }

  static works() { return typeof WebAssembly === 'object' && hasSimd() && typeof DecompressionStream === 'function'; }

  // The images are in the worker; `header` says what they are.
  async load(dataset, images) {
    if (this.header && this.loaded === `${dataset} ${images}`) return this.header;
    this.worker ??= await this.employed();
    this.module ??= WebAssembly.compile(await this.source.engine(hasRelaxed() ? 'relaxed' : 'simd'));
    const buffer = await this.source.data(dataset, images);
    const answer = this.next('data');
    this.worker.postMessage({ do: 'data', buffer });
    this.header = (await answer).header;
    this.loaded = `${dataset} ${images}`;
    return this.header;
  }

  async employed() {
    const worker = await this.source.worker();
    worker.onmessage = ({ data }) => this.heard(data);
    worker.onerror = error => this.listener('failed', error.message);
    return worker;
  }

  // A fresh run, or one that goes on from `state`. `start`: weights to begin with.
  async open(settings, { state = null, start = null } = {}) {
    this.layers = null;
    const answer = this.next('progress');
    this.worker.postMessage({ do: 'open', module: await this.module, settings, start, state });
    await answer;
  }

  run(mode) { this.worker.postMessage({ do: 'run', mode }); }

  change(values) { if (this.now) this.worker.postMessage({ do: 'change', values }); }

  async epoch(number) {
    const answer = this.next('epoch');
    this.worker.postMessage({ do: 'epoch', number });
    return this.tensorsOf((await answer).weights);
  }

  next(said) {
    return new Promise(resolve => this.asked.set(said, resolve));
  }

  heard(data) {
    this.asked.get(data.said)?.(data);
    this.asked.delete(data.said);
    if (data.said === 'progress') {
      this.now = data;
      this.layers = data.layers ?? this.layers;
      this.listener('progress', data);
    } else if (data.said === 'state') {
      keepRun(this.key, { loaded: this.wanted, state: data.state }).then(kept => this.listener('kept', kept));
    } else if (data.said === 'failed') this.listener('failed', data.reason);
  }

  tensorsOf(weights) {
    const { channels, classes } = this.header, { widths } = this.now.settings;
    return named(weights, shapesOf({ channels, classes: classes.length, widths }));
  }

  get tensors() { return this.tensorsOf(this.now.weights); }

  kept() { return keptRun(this.key); }

  forget() { return forgetRun(this.key); }
}
