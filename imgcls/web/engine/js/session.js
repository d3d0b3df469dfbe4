// A run in the browser: an engine that goes through epochs, with what it showed on the way. Knows no page and no worker.
import { Engine, named, shapesOf } from './engine.js';
import { rateFactor } from './schedule.js';

const FEWEST_LAST = 2;       // images of a last batch, as data/loader.py
const SNAPSHOTS = 200;       // epochs whose weights are kept to go back through
const POINTS = 300;          // of a curve, however long the run

export const DEFAULTS = {
  epochs: 1, batch_size: 128, optimizer: 'sgd', lr: 0.1, schedule: 'one-cycle', augment: 'none', init: 'kaiming-uniform',
  momentum: 0.9, nesterov: true, weight_decay: 5e-4, label_smoothing: 0, warmup_epochs: 0, step_epochs: 10, step_factor: 0.1,
  widths: [6, 16], activation: 'relu', pool: 'max', seed: 1,
};
// What may be changed while a run goes on.
export const CHANGEABLE = ['lr', 'momentum', 'batch_size'];

export class Session {
  // `dataset`: as readDataset gives it. `start`: another network's weights, in a state_dict's order, to go on from.
  constructor(module, dataset, settings, { start = null, now = () => performance.now() } = {}) {
    this.settings = { ...DEFAULTS, ...settings };
    this.now = now;
    this.learnt = dataset.learnt;
    this.held = dataset.held;
    const { channels, side, classes, mean, std } = dataset, { widths, activation, pool } = this.settings;
    this.shapes = shapesOf({ channels, classes: classes.length, widths });
    this.engine = new Engine(module, { channels, side, classes: classes.length, widths, activation, pool, mean, std });
    this.engine.give(dataset.images, dataset.labels, dataset.learnt);
    this.engine.initialise(this.settings.init, this.settings.seed);
    if (start) this.engine.put('weights', start);
    Object.assign(this, { epoch: 0, at: 0, step: 0, seconds: 0, diverged: false, rate: 0 });
    Object.assign(this, { curve: [], held_out: [], marks: [], snapshots: [[0, this.engine.numbers('weights')]] });
    this.since = { loss: 0, correct: 0, images: 0, seconds: 0 };
    this.use();
  }

  use() {
    this.engine.use(this.settings);
    this.engine.shuffle(this.settings.seed, this.epoch);
  }

  get stepsInEpoch() {
    const size = Math.min(this.settings.batch_size, this.learnt), rest = this.learnt % size;
    return Math.floor(this.learnt / size) + (rest >= FEWEST_LAST ? 1 : 0);
  }

  get done() { return this.epoch >= this.settings.epochs || this.diverged; }

  get place() { return this.epoch + this.at / this.learnt; }   // in epochs

  // Values of CHANGEABLE, and more epochs; noted where they change the run.
  change(values) {
    const changed = Object.entries(values).filter(([name, value]) => value !== this.settings[name]);
    for (const [name, value] of changed) {
      if (CHANGEABLE.includes(name)) this.marks.push({ epoch: this.place, name, value, before: this.settings[name] });
    }
    this.settings = { ...this.settings, ...Object.fromEntries(changed) };
    this.engine.use(this.settings);
  }

  // The learning rate that the next step takes. With the batch size the number of steps changes: the place counts.
  nextRate() {
    const { batch_size, epochs, lr } = this.settings, perEpoch = this.stepsInEpoch;
    const step = this.epoch * perEpoch + Math.ceil(this.at / batch_size);
    return lr * rateFactor(step, { ...this.settings, total: perEpoch * epochs, perEpoch });
  }

  stepOnce() {
    const { batch_size, seed } = this.settings, began = this.now();
    const count = Math.min(batch_size, this.learnt - this.at);
    this.rate = this.nextRate();
    this.engine.beginStep(seed, this.epoch, this.at);
    const { loss, correct } = this.engine.step(this.at, count, this.rate);
    this.step++;
    this.at += count;
    if (!Number.isFinite(loss)) this.diverged = true;
    const spent = (this.now() - began) / 1000, { since } = this;
    this.seconds += spent;
    since.loss += loss * count;
    since.correct += correct;
    since.images += count;
    since.seconds += spent;
    if (this.learnt - this.at < FEWEST_LAST) this.endEpoch();
    else if (since.seconds > Math.max(0.05, this.seconds / POINTS)) this.tell();
  }

  // A point of the curve: what was learnt since the last one.
  tell() {
    const { loss, correct, images, seconds } = this.since;
    if (!images) return;
    this.curve.push({ epoch: this.place, loss: loss / images, accuracy: correct / images, rate: this.rate, speed: images / seconds });
    this.since = { loss: 0, correct: 0, images: 0, seconds: 0 };
  }

  endEpoch() {
    this.at = this.learnt;
    this.tell();
    this.epoch++;
    this.at = 0;
    this.held_out.push({ epoch: this.epoch, ...this.evaluate() });
    this.snapshots.push([this.epoch, this.engine.numbers('weights')]);
    if (this.snapshots.length > SNAPSHOTS) this.snapshots = this.snapshots.filter((_, i) => i % 2 === 0 || i > SNAPSHOTS - 2);
    this.engine.shuffle(this.settings.seed, this.epoch);
  }

  // On the images that were held out.
  evaluate() {
    const { loss, correct } = this.engine.evaluate(this.learnt, this.held);
    return { loss, accuracy: correct / this.held };
  }

  // Steps for so many milliseconds, or so many steps, or to the end of the epoch.
  advance(milliseconds, { steps = Infinity, epochs = Infinity } = {}) {
    const until = this.now() + milliseconds, last = this.epoch + epochs;
    for (let done = 0; !this.done && done < steps && this.epoch < last; done++) {
      this.stepOnce();
      if (this.now() >= until) break;
    }
  }

  tensors() { return named(this.engine.numbers('weights'), this.shapes); }

  snapshot(epoch) { return this.snapshots.find(([number]) => number === epoch)?.[1]; }

  // All of it, to go on from here bit for bit.
  state() {
    const { settings, epoch, at, step, seconds, diverged, curve, held_out, marks, snapshots, since } = this;
    return { settings, epoch, at, step, seconds, diverged, curve, held_out, marks, snapshots, since, engine: this.engine.state() };
  }

  goOn({ engine, ...rest }) {
    Object.assign(this, rest);
    this.use();
    this.engine.goOn(engine);
  }
}
