// Whether a drawing looks like what the network was trained on, and where it lies: inference/calibration.py.

// { familiarity: 0 to 1, null where the checkpoint is not calibrated; nearest: a class }
export function familiarity(tensors, features) {
  if (!tensors['calibration/threshold']) return { familiarity: null, nearest: null };
  const whitened = times(tensors['calibration/whitening'], features), means = tensors['calibration/means'];
  const [classes, width] = means.shape;
  let nearest = 0, least = Infinity;
  for (let c = 0; c < classes; c++) {
    let sum = 0;
    for (let i = 0; i < width; i++) sum += (whitened[i] - means.data[c * width + i]) ** 2;
    if (sum < least) { least = sum; nearest = c; }
  }
  return { familiarity: 2 ** -(least / tensors['calibration/threshold'].data[0] ** 2), nearest };
}

// [x, y] on the checkpoint's map, null where it has none.
export function place(tensors, features) {
  if (!tensors['calibration/axes']) return null;
  const origin = tensors['calibration/origin'].data;
  return times(tensors['calibration/axes'], features).map((v, i) => v + origin[i]);
}

function times({ shape: [rows, columns], data }, vector) {
  return Array.from({ length: rows }, (_, r) => {
    let sum = 0;
    for (let c = 0; c < columns; c++) sum += data[r * columns + c] * vector[c];
    return sum;
  });
}
