// Epoch by epoch: the weights of every epoch that was kept; the slider puts one of them in the network's place, and
// the answer, the maps and the kernels become that epoch's.
import { make, say } from '../../shared/elements.js';
import { Inside } from './inside.js';
import { LeNet } from './lenet.js';

const PAUSE = 700;   // ms an epoch while it plays

export class Epochs {
  // `fetchEpochs(reader)`: { meta: { epochs: [...] }, tensors: { '3/conv1.weight': ... } }, or null where none are kept.
  constructor(words, live, fetchEpochs) {
    Object.assign(this, { words, live, fetchEpochs, playing: null, kept: null });
    this.slider = make('input', { type: 'range', min: 0, value: 0, step: 1, 'aria-label': words.epochs, oninput: () => this.stopped().choose() });
    this.play = make('button', { type: 'button', onclick: () => (this.playing ? this.stopped() : this.run()) }, words.play);
    this.said = make('output', { class: 'epoch-said' });
    this.inside = new Inside(words);
    this.bar = make('div', { class: 'epoch-bar' }, this.play, this.slider, this.said);
    this.element = make('div', { class: 'epochs' }, make('p', {}, words.epochs_more), this.bar, this.inside.element);
  }

  async show(reading, reader) {
    this.inside.show(reading, reader);
    if (this.meta === reader.meta) return;
    this.meta = reader.meta;
    this.whole = reader;
    this.kept = null;
    const kept = await this.fetchEpochs(reader);
    if (this.meta !== reader.meta || !kept) return;
    this.kept = kept;
    this.slider.max = kept.meta.epochs.length - 1;
    this.slider.value = this.slider.max;
    this.choose();
  }

  // The panel is closed: the checkpoint itself answers again.
  hide() {
    this.stopped();
    if (this.whole && this.live.reader?.meta === this.meta) this.live.replace(this.whole);
    this.meta = null;
  }

  choose() {
    if (!this.kept) return;
    const epoch = this.kept.meta.epochs[this.slider.value], tensors = { ...this.whole.tensors };
    for (const [name, tensor] of Object.entries(this.kept.tensors)) {
      if (name.startsWith(`${epoch}/`)) tensors[name.slice(`${epoch}/`.length)] = tensor;
    }
    this.said.textContent = epoch ? say(this.words.epoch, { epoch }) : this.words.epoch_0;
    this.slider.setAttribute('aria-valuetext', this.said.textContent);
    const reader = Object.assign(Object.create(Object.getPrototypeOf(this.whole)), this.whole, { tensors });
    reader.net = new LeNet(tensors, reader.meta);
    reader.uncalibrated = true;   // temperature and familiarity belong to the last weights
    this.live.replace(reader);
  }

  run() {
    if (!this.kept) return;
    const fromStart = Number(this.slider.value) === Number(this.slider.max);
    this.play.textContent = this.words.pause;
    const next = () => {
      if (Number(this.slider.value) === Number(this.slider.max)) { this.stopped(); return; }
      this.slider.value = Number(this.slider.value) + 1;
      this.choose();
    };
    this.playing = setInterval(next, PAUSE);
    if (fromStart) { this.slider.value = 0; this.choose(); } else next();
  }

  stopped() {
    clearInterval(this.playing);
    this.playing = null;
    this.play.textContent = this.words.play;
    return this;
  }
}
