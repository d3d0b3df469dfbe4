// The learning rate at every step as a share of its peak: training/optim.py number for number.
export function rateFactor(step, { total, perEpoch, schedule, warmup_epochs = 0, step_epochs = 10, step_factor = 0.1 }) {
  const warm = halfEven(warmup_epochs * perEpoch);
  if (step < warm) return (step + 1) / warm;
  const done = (step - warm) / Math.max(1, total - warm - 1);
  if (schedule === 'cosine') return 0.5 * (1 + Math.cos(Math.PI * Math.min(1, done)));
  if (schedule === 'one-cycle') {
    const rise = warm ? 0 : 0.3;
    return done < rise ? between(1 / 25, 1, done / rise) : between(1, 1e-4, (done - rise) / (1 - rise));
  }
  if (schedule === 'step') return step_factor ** Math.floor(Math.floor(step / perEpoch) / step_epochs);
  return 1;
}

// As Python rounds: 78.5 is 78.
function halfEven(value) {
  const near = Math.round(value);
  return near - value === 0.5 && near % 2 ? near - 1 : near;
}

const between = (start, end, share) => end + (start - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));
