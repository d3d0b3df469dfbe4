// The drawing is read in the page: strokes -> 28x28 -> LeNet -> answer, within the frame of each pen move.
import { Answer, nothing } from './answer.js';
import { cut, inkOf } from './digits.js';
import { examples } from './examples.js';
import { familiarity, place } from './familiar.js';
import { clipped, layoutOf } from './layout.js';
import { LeNet, softmax } from './lenet.js';
import { Later, Panels } from './panels.js';
import { asGrey, toInput, toStored } from './preprocess.js';
import { readTensors } from './tensors.js';

const AGAIN = 1000;   // ms from the next stroke after a network could not be fetched to another try

// A network in the page, from the bytes that web/classify/browser_weights.py makes of its checkpoint.
export class Reader {
  constructor(buffer) {
    Object.assign(this, readTensors(buffer));
    this.net = new LeNet(this.tensors, this.meta);
  }

  // What is made of a drawing { width, height, data }; null where nothing is drawn. `parts`: a reading for each of
  // several digits side by side, `boxes` where they are; `doubt`: "dot", "scribble", "unfamiliar" or null.
  read(picture) {
    const form = this.meta.preprocess;
    if (!picture) return null;
    if (form.fit !== 'digit') return this.judged(this.readStored(toStored(picture, form)), 'digit');
    const ink = inkOf(picture), stored = ink && toStored(picture, form, ink);
    if (!stored) return null;
    const { kind, boxes } = layoutOf(ink), whole = this.readStored(stored);
    if (kind !== 'several') return this.judged(whole, kind);
    const cuts = boxes.map(box => cut(ink, clipped(box, ink)));
    const parts = cuts.map(part => this.readStored(toStored(null, form, part))), sure = parts.every(part => this.sure(part));
    if (this.sure(whole) && !sure) return this.judged(whole, 'digit');   // one digit in two pieces
    return { ...parts.at(-1), parts, boxes, doubt: sure ? null : 'unfamiliar' };
  }

  judged(reading, kind) {
    const doubt = kind === 'dot' || kind === 'scribble' ? kind : this.sure(reading) ? null : 'unfamiliar';
    return { ...reading, parts: [reading], boxes: [], doubt };
  }

  readStored(stored) {
    const input = toInput(stored, this.meta.preprocess), layers = this.net.layers(input);
    const known = this.uncalibrated ? {} : this.tensors;
    return {
      stored, input, layers,
      grey: asGrey(input, this.meta.preprocess),
      probabilities: softmax(layers.at(-1).data, known['calibration/temperature']?.data[0]),
      place: place(known, layers),
      ...familiarity(known, layers),
    };
  }

  sure({ familiarity }) { return familiarity === null || familiarity >= this.meta.sure; }
}

// Fills `element` with what the network makes of `pad`'s drawing, now and at every pen move; `listeners` are told
// each reading (null where nothing is drawn).
export class Live {
  constructor(element, pad, words) {
    Object.assign(this, { element, pad, words, reader: null, answer: null, listeners: new Set(), asked: 0, again: null });
  }

  use(reader, url) {
    reader.url = url;
    this.reader = reader;
    this.answer = new Answer(this.element, reader.meta, this.words);
    this.pad.read = () => this.show();
    this.show();
  }

  // Other weights of the same network.
  replace(reader) { this.reader = reader; this.show(); }

  // The checkpoint behind `url`; a false one stops the reading.
  async load(url) {
    const asked = ++this.asked;
    clearTimeout(this.again);   // another network than the one that could not be had
    this.reader = null;
    this.element.replaceChildren();
    this.pad.read = url ? () => {} : null;
    if (!url) { this.tell(null); return; }
    let reader;
    try {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(answer.status);
      reader = new Reader(await answer.arrayBuffer());
    } catch {
      if (asked !== this.asked) return;
      this.element.replaceChildren(nothing(this.words.no_network));
      this.pad.read = () => { this.pad.read = () => {}; this.again = setTimeout(() => this.load(url), AGAIN); };
      return;
    }
    if (asked === this.asked) this.use(reader, url);
  }

  show() {
    const reading = this.reader.read(this.pad.grey());
    this.pad.mark(reading?.boxes ?? []);
    if (reading) this.answer.show(reading);
    else this.element.replaceChildren(this.nothing());
    this.tell(reading);
  }

  nothing() {
    const { words, pad, reader } = this;
    return nothing(words.nothing, words.nothing_more, ...examples(pad, reader.meta.classes, words.examples));
  }

  tell(reading) { this.listeners.forEach(listener => listener(reading, this.reader)); }
}

// `more`: panels beside those of the network in the page.
export function panels(element, live, { units, epochs, more = [], link = null }) {
  const { words } = live, later = (name, fits, load) => new Later(name, words[name], fits, load, words.no_script);
  return new Panels(element, live, [
    later('inside', reader => Boolean(reader), async () => new (await import('./inside.js')).Inside(words, units)),
    later('why', reader => reader?.meta.classes.length > 1, async () => new (await import('./why.js')).Why(words)),
    later('where', reader => Boolean(reader?.tensors['calibration/points']), async () => new (await import('./where.js')).Where(words)),
    later('epochs', reader => Boolean(reader?.meta.epochs_kept), async () => new (await import('./epochs.js')).Epochs(words, live, epochs)),
    ...more,
  ], link);
}
