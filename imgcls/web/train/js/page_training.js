// Training in the page: one network, its curve and one large Start; below, a pad whose answer follows while it learns.
import { nothing } from '../../classify/js/answer.js';
import { Inside } from '../../classify/js/inside.js';
import { LeNet } from '../../classify/js/lenet.js';
import { Live, Reader } from '../../classify/js/live.js';
import { Panels } from '../../classify/js/panels.js';
import { readTensors } from '../../classify/js/tensors.js';
import { Why } from '../../classify/js/why.js';
import { drawingPad } from '../../classify/pad.js';
import { download } from '../../shared/download.js';
import { make, say } from '../../shared/elements.js';
import { ClassBoard } from './class_board.js';
import { Curve } from './curve.js';
import { NetworkView } from './network_view.js';
import { PageRun } from './page_run.js';
import { RunFields } from './run_fields.js';
import { described, writeTensors } from './run_file.js';
import { ownKey } from './run_key.js';

const KEY = 'imgcls';          // of a checkpoint's metadata
const KEPT_AS = 'this-page';   // the run of this browser
const NOT_NAMED = 'kept';      // classroom/classroom.js: whoever was asked for a nickname closed the question
const WITH_OPTIONS = 2;        // a checkpoint's format: checkpoints/format.py

const percentage = share => `${(share * 100).toFixed(1)}%`;

export class PageTraining {
  // `options`: { words, choices, datasets: [[name, label]], sizes: [[images, label]], defaults: { dataset: settings },
  // language, pad: { words, template }, source, lab: { checkpoints(dataset), weights(url), keep(body) -> {name},
  // where the page can keep in it } or null, board: the class's (class_board.js) or null, kept_as: under which the run is kept in the browser }. `before`: such a panel
  // in another language, whose run goes on here.
  constructor(element, options, before = null) {
    Object.assign(this, { element, ...options, phase: 'empty', looked: null, meta: null, metaOf: null });
    this.run = before?.run ?? new PageRun(options.source, options.kept_as ?? KEPT_AS);
    this.run.listener = (what, said) => this.hear(what, said);
    this.fields = new RunFields(this.words, options.choices, values => this.changed(values));
    this.build();
    this.choose();
    if (before) this.take(before);
    this.paint();
  }

  take({ dataset, size, fields, startedFrom, phase, run }) {
    this.dataset.value = dataset.value;
    this.size.value = size.value;
    this.startedFrom = startedFrom;
    this.fields.values = fields.values;
    if (run.now) this.hear('progress', run.now);
    this.phase = phase;   // after the last report, which may be of before the run began to play
  }

  build() {
    const { words } = this, button = (name, act, more = {}) => make('button', { type: 'button', onclick: () => act(), ...more }, words[name] ?? '');
    this.dataset = this.select('here-dataset', words.set_dataset, this.datasets, () => this.choose());
    this.size = this.select('here-size', words.set_images, this.sizes, () => this.choose());
    this.begin = button('start', () => this.press(), { class: 'here-start', 'data-testid': 'train-start' });
    this.oneStep = button('one_step', () => this.go('step'), { 'data-testid': 'train-step' });
    this.oneEpoch = button('one_epoch', () => this.go('epoch'), { 'data-testid': 'train-epoch' });
    this.fresh = button('new_run', () => this.clear(), { 'data-testid': 'train-new' });
    this.accuracy = make('output', { 'data-testid': 'train-accuracy' });
    this.rate = make('output', { 'data-testid': 'train-rate' });
    this.epochSaid = make('output', { 'data-testid': 'train-place' });
    this.seconds = make('output', { 'data-testid': 'train-seconds' });
    this.said = make('p', { class: 'here-said', role: 'status' });
    this.curve = new Curve(words);
    this.network = new NetworkView(words);
    this.slider = make('input', { type: 'range', min: 0, step: 1, id: 'here-back', oninput: () => this.look() });
    this.sliderSaid = make('output');
    this.back = make('div', { class: 'here-back' }, make('label', { for: 'here-back' }, words.go_back), this.slider, this.sliderSaid);
    const figure = (label, output) => make('div', {}, make('dt', {}, label), make('dd', {}, output));
    this.element.replaceChildren(
      make('div', { class: 'here' },
        make('section', { class: 'card here-settings', 'aria-label': words.settings },
          this.dataset.parentNode, this.size.parentNode, this.fields.element, ...this.startFrom()),
        make('section', { class: 'card here-run', 'aria-label': words.run },
          make('div', { class: 'here-top' }, this.begin, make('dl', { class: 'here-figures' },
            figure(words.accuracy, this.accuracy), figure(words.epoch_now, this.epochSaid), figure(words.rate, this.rate), figure(words.seconds, this.seconds))),
          make('div', { class: 'here-steps' }, this.oneStep, this.oneEpoch, this.fresh), this.said,
          make('figure', { class: 'here-chart' }, make('figcaption', {},
            make('span', { class: 'learnt' }, words.curve_learnt), make('span', { class: 'held' }, words.curve_held)), this.curve.element),
          this.back, this.network.element, this.results()),
        this.drawing(), ...this.classBoard()));
  }

  select(id, label, options, act) {
    const made = make('select', { id, onchange: act }, ...options.map(([value, text]) => make('option', { value }, text)));
    make('div', { class: 'here-field' }, make('label', { for: id }, label), made);
    return made;
  }

  // A network of the lab to go on from: those that fit the data set, asked for anew when it or the lab has changed.
  startFrom() {
    if (!this.lab) return [];
    this.from = make('select', { id: 'here-from' }, make('option', { value: '' }, this.words.from_nothing));
    addEventListener('imgcls:changed', () => { if (this.element.isConnected) this.listCheckpoints(); });
    return [make('div', { class: 'here-field' }, make('label', { for: 'here-from' }, this.words.start_from), this.from)];
  }

  async listCheckpoints() {
    const dataset = this.dataset.value, found = await this.lab.checkpoints(dataset).catch(() => null);
    if (!found || dataset !== this.dataset.value) return;
    const chosen = this.startedFrom, gone = chosen && !found.some(({ title }) => title === chosen);
    if (gone && this.locked) return;   // of the run that goes on
    this.from.replaceChildren(this.from.options[0], ...found.map(one => this.startOption(one)));
    this.startedFrom = gone ? '' : chosen;
  }

  startOption({ title, url = '', ...network }) { return make('option', { value: title, 'data-url': url, 'data-network': JSON.stringify(network) }, title); }

  get startedFrom() { return this.from?.value ?? ''; }

  set startedFrom(title) {
    if (!this.from) return;
    if (title && ![...this.from.options].some(({ value }) => value === title)) this.from.append(this.startOption({ title }));
    this.from.value = title;
  }

  get locked() { return Boolean(this.run.now) && this.phase !== 'done' && this.phase !== 'failed'; }

  results() {
    const { words } = this;
    this.download = make('button', { type: 'button', onclick: () => this.save(), 'data-testid': 'train-download' }, words.download);
    this.name = make('input', { type: 'text', maxlength: 60, id: 'here-name', placeholder: words.name_hint, 'aria-label': words.name });
    this.keepIt = make('button', { type: 'button', onclick: () => this.keep(), 'data-testid': 'train-keep' }, words.keep);
    this.send = make('button', { type: 'button', onclick: () => this.tellClass(), 'data-testid': 'board-send' }, words.board_send);
    this.kept = make('p', { class: 'here-kept', role: 'status', 'data-testid': 'train-kept' });
    this.ends = make('div', { class: 'here-ends' }, ...(this.lab?.keep ? [this.name, this.keepIt] : []), this.download, ...(this.board ? [this.send] : []), this.kept);
    return this.ends;
  }

  drawing() {
    const host = make('div', { class: 'pad-here' });
    host.innerHTML = this.pad.template.replace(/\$\{(\w+)\}/g, (_, name) => this.pad.words[name].replace(/[&<>"]/g, c => `&#${c.charCodeAt(0)};`));
    drawingPad(host, { in_page: true });
    const answer = make('div', { class: 'live-answer' }), below = make('div', { class: 'panels', hidden: true });
    answer.append(nothing(this.words.draw_first, this.words.nothing_more));
    this.live = new Live(answer, host.querySelector('.pad'), this.words);
    this.panels = new Panels(below, this.live, [new Inside(this.words), new Why(this.words)]);
    this.draw = make('section', { class: 'card here-draw', 'aria-label': this.words.draw_title },
      make('h3', {}, this.words.draw_title), make('p', {}, this.words.draw_more), make('div', { class: 'here-pad' }, host, answer), below);
    return this.draw;
  }

  // What the class has reached; this run stands there when somebody says so.
  classBoard() {
    if (!this.board) return [];
    this.classes = new ClassBoard(this.words, this.choices, this.board);
    return [this.classes.element];
  }

  // ---- what a person does
  choose() {
    const images = Number(this.size.value), settings = this.defaults[this.dataset.value] ?? {};
    this.fields.values = { ...settings, ...settings.by_images?.[images] };
    if (this.lab && this.listedFor !== this.dataset.value) {
      this.listedFor = this.dataset.value;
      this.startedFrom = '';
      this.listCheckpoints();
    }
  }

  changed(values) {
    const isOver = this.phase === 'done' || this.phase === 'failed';
    if (this.phase !== 'empty' && !isOver) this.run.change(values);
    if (this.phase !== 'done' || !(values.epochs > this.run.now.epoch)) return;
    // What a run that is over has learnt with stays; it goes on with more epochs, and then with what is set by now.
    this.phase = 'paused';
    this.run.change(this.fields.live);
    this.paint();
  }

  async press() {
    if (this.phase === 'playing') { this.run.run('pause'); return; }
    await this.go('play');
  }

  // Whatever there is not yet is made first: the images, the network.
  async go(mode) {
    if (this.phase === 'loading' || this.phase === 'playing') return;
    try {
      if (['empty', 'done', 'failed'].includes(this.phase)) await this.open();
      this.looked = null;
      this.phase = 'playing';
      this.paint();
      this.run.run(mode);
    } catch (error) {
      this.fail(error.message);
    }
  }

  // A new run, or `kept`, the one of before.
  async open(kept = null) {
    this.phase = 'loading';
    this.tell(this.words.fetching);
    this.paint();
    if (this.startedFrom && !kept) await this.listCheckpoints();   // it may be gone, or another by now
    const chosen = this.startedFrom && !kept ? this.from.selectedOptions[0] : null;
    const wanted = kept?.loaded ?? { dataset: this.dataset.value, images: Number(this.size.value), start_from: this.startedFrom };
    const header = await this.run.load(wanted);
    wanted.manifest ??= header.meta.manifest;
    const settings = { ...this.defaults[this.dataset.value], ...this.fields.values }, start = chosen ? await this.weightsOf(chosen) : null;
    if (start) {
      Object.assign(settings, JSON.parse(chosen.dataset.network));   // its own: widths, activation, pool
      this.fields.values = settings;
    }
    this.metaOf = null;
    this.tell('');
    await this.run.open(settings, { state: kept?.state ?? null, start });
  }

  async weightsOf(option) {
    const { tensors } = readTensors(await this.lab.weights(option.dataset.url));
    const names = ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'].flatMap(layer => [`${layer}.weight`, `${layer}.bias`]);
    return Float32Array.from(names.flatMap(name => [...tensors[name].data]));
  }

  // The run of before the page was left.
  async restore() {
    this.run.key = await ownKey(this.run.key);
    const kept = await this.run.kept();
    if (!kept?.state || this.phase !== 'empty') return;
    try {
      this.dataset.value = kept.loaded.dataset;
      this.size.value = String(kept.loaded.images);
      this.choose();
      this.startedFrom = kept.loaded.start_from ?? '';
      this.fields.values = kept.state.settings;
      await this.open(kept);
      this.phase = this.run.now.done ? 'done' : 'paused';
      this.tell(this.words.restored);
    } catch {
      this.phase = 'empty';
      this.tell('');
    }
    this.paint();
  }

  clear() {
    this.run.forget();
    Object.assign(this, { phase: 'empty', looked: null });
    this.tell('');
    this.paint();
  }

  async look() {
    const { epochs } = this.run.now, number = epochs[Number(this.slider.value)];
    this.looked = number ?? null;
    if (this.looked === null) this.show(this.run.tensors, this.run.layers);
    else {
      const tensors = await this.run.epoch(number);
      if (this.looked === number) this.show(tensors, null);
    }
    this.paint();
  }

  // ---- what the run says
  hear(what, said) {
    if (what === 'failed') { this.fail(said); return; }
    if (what === 'kept') { if (!said && !this.said.textContent) this.tell(this.words.not_kept); return; }   // what went wrong goes before
    if (this.metaOf !== this.run.header) this.introduce(this.run.header);
    if (said.mode !== 'pause' && this.phase === 'loading') this.phase = 'playing';   // begun in another language
    if (said.mode === 'pause' && this.phase === 'playing') this.phase = said.done ? 'done' : 'paused';
    if (said.diverged) { this.phase = 'failed'; this.tell(say(this.words.diverged, { lr: said.settings.lr })); }
    if (this.looked === null) this.show(this.run.tensors, this.run.layers);
    this.paint();
  }

  // The network that answers from here on.
  introduce(header) {
    const { activation, pool } = this.run.now.settings;
    this.metaOf = header;
    this.meta = { ...header.meta, options: { activation, pool }, name: this.words.this_network, sure: 0.5, epochs_kept: false };
    this.draw.hidden = header.meta.preprocess.fit !== 'digit';
  }

  show(tensors, layers) {
    this.network.show(tensors, layers);
    if (this.draw.hidden) return;
    const reader = Object.assign(Object.create(Reader.prototype), { tensors, meta: this.meta, net: new LeNet(tensors, this.meta), uncalibrated: true });
    if (this.live.reader?.meta === this.meta) this.live.replace(reader);
    else this.live.use(reader, null);
  }

  fail(reason) {
    this.phase = 'failed';
    this.tell(say(this.words.failed, { reason }));
    this.paint();
  }

  tell(text) { if (this.said.textContent !== text) this.said.textContent = text; }

  paint() {
    const { words, phase } = this, now = this.run.now, playing = phase === 'playing';
    const label = { empty: 'start', loading: 'wait', playing: 'pause', paused: 'go_on', done: 'again', failed: 'again' }[phase];
    this.begin.textContent = words[label];
    this.begin.classList.toggle('playing', playing);
    this.element.dataset.phase = phase;
    for (const button of [this.oneStep, this.oneEpoch]) button.disabled = playing || phase === 'loading' || phase === 'done';
    this.fresh.hidden = !now || phase === 'loading';
    const there = Boolean(now), { locked } = this;
    this.fields.lock(locked);
    for (const select of [this.dataset, this.size, this.from]) if (select) select.disabled = locked;
    this.back.hidden = !(now?.epochs.length > 1);
    this.ends.hidden = !(now?.step > 0) || phase === 'failed';
    this.network.element.hidden = !there;
    const last = now?.curve.at(-1), held = now?.held_out.at(-1);
    this.accuracy.textContent = held ? percentage(held.accuracy) : last ? percentage(last.accuracy) : '–';
    this.rate.textContent = last ? Math.round(last.speed).toLocaleString(document.documentElement.lang) : '–';
    this.epochSaid.textContent = now ? `${now.place.toFixed(now.at ? 1 : 0)} / ${now.settings.epochs}` : '–';
    this.seconds.textContent = now ? say(words.seconds_value, { seconds: now.seconds.toFixed(1) }) : '–';
    this.curve.show(now ?? { curve: [], held_out: [], marks: [], settings: { epochs: this.fields.values.epochs } }, this.looked, mark => this.sentence(mark));
    if (!now) return;
    this.slider.max = now.epochs.length;
    if (this.looked === null) this.slider.value = now.epochs.length;
    this.sliderSaid.textContent = this.looked === null ? words.now : this.looked ? say(words.epoch, { epoch: this.looked }) : words.epoch_0;
    this.slider.setAttribute('aria-valuetext', this.sliderSaid.textContent);
  }

  sentence({ name, value }) { return `${this.words[`set_${name}`]} ${value}`; }

  // ---- what stays
  async keep() {
    const { settings, widths } = this.described(), { dataset, images, start_from } = this.run.wanted;
    const said = { dataset, images, start_from, manifest: this.seen.manifest, settings, name: this.name.value };
    this.keepIt.disabled = true;
    try {
      const { name } = await this.lab.keep(described({ ...said, model: modelOf(widths) }, writeTensors(this.run.tensors)));
      this.kept.textContent = say(this.words.kept_as, { name });
      this.listCheckpoints();
    } catch (error) {
      this.kept.textContent = error.message;
    }
    this.keepIt.disabled = false;
  }

  async tellClass() {
    const { settings, widths } = this.described(), { dataset, images } = this.run.wanted, { now } = this.run;
    const { accuracy } = now.held_out.at(-1) ?? now.curve.at(-1);
    this.send.disabled = true;
    try {
      await this.board.named();
      this.classes.show(await this.board.ask({ what: 'send', accuracy, seconds: now.seconds, dataset, images, model: modelOf(widths), settings }));
      this.classes.fold.open = true;
      this.kept.textContent = this.words.board_sent;
    } catch (error) {
      if (error.message !== NOT_NAMED) this.kept.textContent = error.message;
    }
    this.send.disabled = false;
  }

  described() {
    const { widths, by_images, ...settings } = this.run.now.settings;
    return { settings, widths };
  }

  // Which images it has learnt from, where these are still the ones that the run began with.
  get seen() {
    const { manifest, fingerprint } = this.run.header.meta, same = this.run.wanted.manifest === manifest;
    return same ? { manifest, fingerprint } : { manifest: '', fingerprint: '' };
  }

  // A file that the terminal opens: `python -m imgcls predict --checkpoint FILE`.
  save() {
    const { settings, widths } = this.described(), { now, header } = this.run, held = now.held_out.at(-1), model = modelOf(widths);
    const { activation, pool } = settings, usual = this.defaults[this.run.wanted.dataset];
    const options = { ...(activation !== usual.activation && { activation }), ...(pool !== usual.pool && { pool }) };
    const format = Object.keys(options).length ? WITH_OPTIONS : header.meta.format;
    const meta = { ...header.meta, ...this.seen, options, format, model, epoch: now.epoch, step: now.step, run: this.name?.value || model, created: Date.now() / 1000,
      settings: { ...header.meta.settings, ...settings, model }, metrics: held ? { val_accuracy: held.accuracy, val_loss: held.loss } : {} };
    download(writeTensors(this.run.tensors, { [KEY]: JSON.stringify(meta) }), `${meta.run}.safetensors`, 'application/octet-stream');
  }
}

const modelOf = widths => (widths[0] === 16 ? 'lenet-16-32' : 'lenet');
