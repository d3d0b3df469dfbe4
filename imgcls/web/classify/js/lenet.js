// LeNet's forward pass, models/lenet.py number for number, with every value in between.
// A layer is { name, kind, channels, side, data } with data in rows of each channel; a linear one has side 1.
const ACTIVATIONS = { relu: v => (v > 0 ? v : 0), tanh: Math.tanh, sigmoid: v => 1 / (1 + Math.exp(-v)) };

export class LeNet {
  // `options`: { activation, pool } where they are not as usual.
  constructor(tensors, { preprocess, classes, options = {} }) {
    this.tensors = tensors;
    this.activation = options.activation ?? 'relu';
    this.pool = options.pool ?? 'max';
    this.active = raw => raw.map(ACTIVATIONS[this.activation]);
    this.classes = classes.length;
    this.padding = preprocess.size === 28 ? 2 : 0;
    this.input = { name: 'input', kind: 'input', channels: preprocess.channels, side: preprocess.size };
  }

  // Float32 (channels * size * size) -> all layers in order; `raw` of a convolution or linear layer is before its
  // activation.
  layers(input) {
    const conv1 = this.convolved({ ...this.input, data: input }, 'conv1', this.padding);
    const pool1 = pooled(conv1, 'pool1', this.pool);
    const conv2 = this.convolved(pool1, 'conv2', 0);
    const pool2 = pooled(conv2, 'pool2', this.pool);
    const flat = pool2.side === 5 ? pool2 : averaged(pool2);
    const fc1 = this.linear(flat, 'fc1'), fc2 = this.linear(fc1, 'fc2'), fc3 = this.linear(fc2, 'fc3', false);
    return [{ ...this.input, data: input }, conv1, pool1, conv2, pool2, ...(flat === pool2 ? [] : [flat]), fc1, fc2, fc3];
  }

  logits(input) { return this.layers(input).at(-1).data; }

  convolved(from, name, padding) {
    const kernels = this.tensors[`${name}.weight`], bias = this.tensors[`${name}.bias`].data;
    const [channels, inputs, size] = kernels.shape, weights = kernels.data;
    const { side: wide, data: given } = padding ? padded(from, padding) : from, side = wide - size + 1;
    const raw = new Float32Array(channels * side * side);
    for (let o = 0, at = 0; o < channels; o++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++) {
          let sum = bias[o], weight = o * inputs * size * size;   // in a register: three times as fast as in the array
          for (let i = 0; i < inputs; i++) {
            for (let ky = 0; ky < size; ky++) {
              let read = (i * wide + y + ky) * wide + x;
              for (let kx = 0; kx < size; kx++) sum += weights[weight++] * given[read++];
            }
          }
          raw[at++] = sum;
        }
      }
    }
    return { name, kind: 'convolution', size, padding, channels, side, raw, data: this.active(raw) };
  }

  linear(from, name, active = true) {
    const { shape: [outputs, inputs], data: weights } = this.tensors[`${name}.weight`];
    const bias = this.tensors[`${name}.bias`].data, raw = new Float32Array(outputs);
    for (let o = 0, at = 0; o < outputs; o++) {
      let sum = bias[o];
      for (let i = 0; i < inputs; i++) sum += weights[at++] * from.data[i];
      raw[o] = sum;
    }
    return { name, kind: 'linear', channels: outputs, side: 1, raw, data: active ? this.active(raw) : raw };
  }
}

function padded({ channels, side, data }, room) {
  const wide = side + 2 * room, made = new Float32Array(channels * wide * wide);
  for (let c = 0; c < channels; c++) {
    for (let y = 0; y < side; y++) {
      made.set(data.subarray((c * side + y) * side, (c * side + y + 1) * side), (c * wide + y + room) * wide + room);
    }
  }
  return { side: wide, data: made };
}

// `how`: "max" or "avg", of two by two.
function pooled({ channels, side: from, data }, name, how) {
  const side = Math.floor(from / 2), made = new Float32Array(channels * side * side);
  for (let channel = 0, at = 0; channel < channels; channel++) {
    for (let y = 0; y < side; y++) {
      for (let x = 0; x < side; x++) {
        const i = (channel * from + 2 * y) * from + 2 * x;
        const [a, b, c, d] = [data[i], data[i + 1], data[i + from], data[i + from + 1]];
        made[at++] = how === 'avg' ? (a + b + c + d) / 4 : Math.max(a, b, c, d);
      }
    }
  }
  return { name, title: how === 'avg' ? `avg_${name}` : name, kind: 'pool', how, channels, side, data: made };
}

// Which of `from` rows the i-th of five averages.
export const averagedRange = (i, from) => [Math.floor(i * from / 5), Math.ceil((i + 1) * from / 5)];

// adaptive_avg_pool2d(x, 5)
function averaged({ channels, side: from, data }) {
  const side = 5, made = new Float32Array(channels * side * side);
  for (let c = 0, at = 0; c < channels; c++) {
    for (let v = 0; v < side; v++) {
      for (let u = 0; u < side; u++) {
        const [top, bottom] = averagedRange(v, from), [left, right] = averagedRange(u, from);
        let sum = 0;
        for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += data[(c * from + y) * from + x];
        made[at++] = sum / ((bottom - top) * (right - left));
      }
    }
  }
  return { name: 'average', kind: 'average', channels, side, data: made };
}

export function softmax(logits, temperature = 1) {
  const top = Math.max(...logits), made = Array.from(logits, v => Math.exp((v - top) / temperature));
  const sum = made.reduce((a, b) => a + b);
  return made.map(v => v / sum);
}
