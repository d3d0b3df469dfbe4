// Whether a drawing looks like what the network was trained on, and where it lies: inference/calibration.py.

// `layers`: the network's, in order. { familiarity: 0 to 1, null where the checkpoint is not calibrated; nearest: a class }
export function familiarity(tensors, layers) {
  if (!tensors['calibration/threshold']) return { familiarity: null, nearest: null };
  const features = layers.at(-2).data, threshold = tensors['calibration/threshold'].data[0];
  const whitened = shifted(times(tensors['calibration/whitening'], features), tensors['calibration/shift']);
  const means = tensors['calibration/means'], [classes, width] = means.shape;
  let nearest = 0, least = Infinity;
  for (let c = 0; c < classes; c++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (whitened[i] - means.data[c * width + i]) ** 2;
    if (sum < least) { least = sum; nearest = c; }
  }
  if (!tensors['calibration/detector_weight_1']) return { familiarity: 2 ** -(least / threshold ** 2), nearest };
  return { familiarity: 1 / (1 + Math.exp(threshold - score(tensors, layers))), nearest };
}

// The detector's: large for what looks like a digit. It sees what goes into the linear layers, and the logits.
function score(tensors, layers) {
  const part = name => tensors[`calibration/detector_${name}`];
  const trail = layers.slice(-4).flatMap(layer => Array.from(layer.data));
  const hidden = shifted(times(part('weight_1'), trail), part('bias_1')).map(v => Math.max(v, 0));
  return shifted(times(part('weight_2'), hidden), part('bias_2'))[0];
}

// [x, y] on the checkpoint's map, null where it has none.
export function place(tensors, layers) {
  if (!tensors['calibration/axes']) return null;
  return shifted(times(tensors['calibration/axes'], layers.at(-2).data), tensors['calibration/origin']);
}

const shifted = (values, { data }) => values.map((v, i) => v + data[i]);

function times({ shape: [rows, columns], data }, vector) {
  return Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += data[r * columns + c] * vector[c];
    return sum;
  });
}
