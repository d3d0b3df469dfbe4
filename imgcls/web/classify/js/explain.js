// How one value of a network came about: the numbers that were multiplied, and what of the picture they saw.
// `at` is { layer, channel, y, x }, layer an index into the layers of a reading.
import { averagedRange } from './lenet.js';

// convolution: { patches: [{ values, weights, sum }], size, bias, sum, value }, a patch a channel, zeros where it is padded
// pool, average: { values, width, value }
// linear: { products: [{ from, value, weight, product }], bias, sum, value }, the weightiest first
export function explain(tensors, layers, at) {
  const layer = layers[at.layer], from = layers[at.layer - 1];
  const value = layer.data[(at.channel * layer.side + at.y) * layer.side + at.x];
  if (!from) return { kind: 'input', value };
  if (layer.kind === 'linear') return { kind: 'linear', value, ...linear(tensors, layer, from, at.channel) };
  const { top, left, bottom, right } = windowOf(layer, from, at);
  const values = channel => {
    const made = [];
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const inside = y >= 0 && x >= 0 && y < from.side && x < from.side;
        made.push(inside ? from.data[(channel * from.side + y) * from.side + x] : 0);
      }
    }
    return made;
  };
  if (layer.kind !== 'convolution') return { kind: layer.kind, values: values(at.channel), width: right - left, value };
  const { data } = tensors[`${layer.name}.weight`], bias = tensors[`${layer.name}.bias`].data[at.channel];
  const area = layer.size ** 2;
  const patches = Array.from({ length: from.channels }, (_, channel) => {
    const start = (at.channel * from.channels + channel) * area;
    const seen = values(channel), weights = [...data.subarray(start, start + area)];
    return { values: seen, weights, sum: seen.reduce((sum, v, i) => sum + v * weights[i], 0) };
  });
  return {
    kind: 'convolution', size: layer.size, patches, bias, value,
    sum: patches.reduce((sum, patch) => sum + patch.sum, bias),
  };
}

function linear(tensors, layer, from, unit) {
  const weights = tensors[`${layer.name}.weight`].data, bias = tensors[`${layer.name}.bias`].data[unit];
  const products = Array.from(from.data, (value, i) => {
    const weight = weights[unit * from.data.length + i];
    return { from: i, value, weight, product: value * weight };
  }).sort((a, b) => Math.abs(b.product) - Math.abs(a.product));
  return { products, bias, sum: products.reduce((sum, p) => sum + p.product, bias) };
}

// What of the layer before one value is made from; may reach into the padding.
function windowOf(layer, from, { y, x }) {
  if (layer.kind === 'convolution') {
    const top = y - layer.padding, left = x - layer.padding;
    return { top, left, bottom: top + layer.size, right: left + layer.size };
  }
  if (layer.kind === 'pool') return { top: 2 * y, left: 2 * x, bottom: 2 * y + 2, right: 2 * x + 2 };
  const [top, bottom] = averagedRange(y, from.side), [left, right] = averagedRange(x, from.side);
  return { top, left, bottom, right };
}

// For every layer up to that of `at`: the window of it that the value depends on; `channel` null is all channels.
export function receptiveField(layers, at) {
  let window = { layer: at.layer, channel: at.channel, top: at.y, left: at.x, bottom: at.y + 1, right: at.x + 1 };
  const made = [window];
  for (let i = at.layer; i > 0; i--) {
    const layer = layers[i], from = layers[i - 1];
    if (layer.kind === 'linear') {
      window = { layer: i - 1, channel: null, top: 0, left: 0, bottom: from.side, right: from.side };
    } else {
      const first = windowOf(layer, from, { y: window.top, x: window.left });
      const last = windowOf(layer, from, { y: window.bottom - 1, x: window.right - 1 });
      window = {
        layer: i - 1, channel: layer.kind === 'convolution' ? null : window.channel,
        top: Math.max(0, first.top), left: Math.max(0, first.left),
        bottom: Math.min(from.side, last.bottom), right: Math.min(from.side, last.right),
      };
    }
    made.push(window);
  }
  return made;
}
