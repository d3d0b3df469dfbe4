// LeNet that learns: web/engine/lenet.c by names instead of numbers. One engine holds one network and its data.
const ACTIVATIONS = ['relu', 'tanh', 'sigmoid'], POOLS = ['max', 'avg'], OPTIMIZERS = ['sgd', 'adam', 'adamw'];
export const INITS = ['default', 'kaiming-uniform', 'kaiming-normal', 'xavier-uniform', 'xavier-normal', 'all-zeros',
  'too-small', 'too-large'];
const AUGMENTS = ['none', 'pen', 'flip', 'crop-flip'];
const COPIES = { weights: 0, gradients: 1, first: 2, second: 3 };
export const LAYERS = ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'];
const BINS = 24, PEN_FACTORS = 57;

// Whether this browser has fused multiply-adds: a function that needs one compiles.
export function hasRelaxed() {
  const zeros = [0x41, 0, 0xfd, 0x11], body = [0, ...zeros, ...zeros, ...zeros, 0xfd, 0x85, 0x02, 0x0b];
  const code = [1, body.length, ...body];
  return WebAssembly.validate(new Uint8Array([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, code.length, ...code]));
}

export const hasSimd = () => WebAssembly.validate(new Uint8Array([
  0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 5, 1, 0x60, 0, 1, 0x7b, 3, 2, 1, 0, 10, 8, 1, 6, 0, 0x41, 0, 0xfd, 0x11, 0x0b]));

// The tensors of a state_dict, in order.
export function shapesOf({ channels, classes, widths: [first, second] }) {
  const weights = [[first, channels, 5, 5], [second, first, 5, 5], [120, second * 25], [84, 120], [classes, 84]];
  return Object.fromEntries(weights.flatMap((shape, i) => (
    [[`${LAYERS[i]}.weight`, shape], [`${LAYERS[i]}.bias`, shape.slice(0, 1)]])));
}

const sizeOf = shape => shape.reduce((a, b) => a * b, 1);

export class Engine {
  // `module`: a compiled WebAssembly.Module. `shape`: { channels, side, classes, widths, activation, pool, mean, std }.
  constructor(module, { channels = 1, side = 28, classes = 10, widths = [6, 16], activation = 'relu', pool = 'max', mean, std }) {
    this.wasm = new WebAssembly.Instance(module, {}).exports;
    this.shape = { channels, side, classes, widths };
    this.pixels = channels * side * side;
    this.shapes = shapesOf(this.shape);
    const [kind, how] = [numbered(ACTIVATIONS, activation), numbered(POOLS, pool)];
    this.size = this.wasm.create(channels, side, classes, ...widths, kind, how);
    for (let c = 0; c < channels; c++) this.wasm.normalise(c, mean?.[c] ?? 0.5, std?.[c] ?? 0.5);
  }

  // `images`: unsigned bytes (n, channels, side, side), `labels`: n. The first `learnt` are trained on.
  give(images, labels, learnt) {
    this.learnt = learnt;
    this.count = labels.length;
    const at = this.wasm.reserve_images(this.count, learnt);
    this.bytes(at, images.length).set(images);
    this.bytes(this.wasm.labels(), labels.length).set(labels);
  }

  use({ optimizer = 'sgd', momentum = 0.9, nesterov = true, weight_decay = 0, label_smoothing = 0, augment = 'none' }) {
    this.wasm.optimizer(numbered(OPTIMIZERS, optimizer), momentum, nesterov ? 1 : 0, weight_decay, label_smoothing,
      numbered(AUGMENTS, augment));
  }

  initialise(init, seed) { this.wasm.initialise(numbered(INITS, init), seed); }

  shuffle(seed, epoch) { this.wasm.shuffle(seed, epoch); }

  // A step on images `start` to `start + count - 1` of the epoch's order: { loss, correct }.
  step(start, count, rate) {
    const loss = this.wasm.step(start, count, rate);
    return { loss, correct: this.wasm.correct() };
  }

  beginStep(seed, epoch, number) { this.wasm.begin_step(seed, epoch, number); }

  // The loss and the gradients of a batch, without a step.
  gradients(start, count) { return this.wasm.gradients(start, count); }

  // Images as they are, `first` to `first + count - 1`: { loss, correct }.
  evaluate(first, count) {
    const loss = this.wasm.evaluate(first, count);
    return { loss, correct: this.wasm.correct() };
  }

  predicted(first, count) { return new Uint32Array(this.memory, this.wasm.predicted() + 4 * first, count).slice(); }

  // All numbers of one kind: "weights", "gradients", "first" (momentum), "second" (Adam's); in a state_dict's order.
  numbers(kind) {
    this.wasm.store(COPIES[kind]);
    return new Float32Array(this.memory, this.wasm.exchange(), this.size).slice();
  }

  put(kind, numbers) {
    if (numbers.length !== this.size) throw new RangeError(`${numbers.length} numbers, ${this.size} expected`);
    new Float32Array(this.memory, this.wasm.exchange(), this.size).set(numbers);
    this.wasm.load(COPIES[kind]);
  }

  // { "conv1.weight": { shape, data } } as the page's forward pass reads it.
  tensors() { return named(this.numbers('weights'), this.shapes); }

  get steps() { return this.wasm.steps_taken(); }

  // What has to be kept to go on from here, bit for bit.
  state() {
    return { steps: this.steps, weights: this.numbers('weights'), first: this.numbers('first'), second: this.numbers('second') };
  }

  goOn({ steps, weights, first, second }) {
    this.put('weights', weights);
    this.put('first', first);
    this.put('second', second);
    this.countSteps(steps);
  }

  countSteps(steps) { this.wasm.go_on_from(steps); }

  watch(watched) { this.wasm.watch(watched ? 1 : 0); }

  // What each layer did with the last images that went forward, and with the last step.
  statistics() {
    return LAYERS.map((layer, i) => {
      const found = new Float32Array(this.memory, this.wasm.statistics(i), 6 + BINS);
      const [mean, std, given, gradient, dead, update] = found;
      return { layer, mean, std, given, gradient, dead: i === LAYERS.length - 1 ? null : dead, update, histogram: [...found.subarray(6)] };
    });
  }

  // Image `index` drawn by another hand; `factors`: see lenet.c.
  pen(index, factors) {
    new Float32Array(this.memory, this.wasm.pen_factors(), PEN_FACTORS).set(factors);
    return new Float32Array(this.memory, this.wasm.pen(index), this.pixels).slice();
  }

  order() { return new Uint32Array(this.memory, this.wasm.order(), this.learnt).slice(); }

  setOrder(indices) { new Uint32Array(this.memory, this.wasm.order(), indices.length).set(indices); }

  get memory() { return this.wasm.memory.buffer; }   // another one after it has grown

  bytes(at, count) { return new Uint8Array(this.memory, at, count); }
}

export function named(numbers, shapes) {
  const tensors = {};
  let at = 0;
  for (const [name, shape] of Object.entries(shapes)) {
    tensors[name] = { shape, data: numbers.slice(at, at += sizeOf(shape)) };
  }
  return tensors;
}

function numbered(names, name) {
  const number = names.indexOf(name);
  if (number < 0) throw new RangeError(`${name}: one of ${names.join(', ')}`);
  return number;
}
