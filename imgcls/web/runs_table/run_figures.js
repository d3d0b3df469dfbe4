// A run's figures as a person reads them.
export const percent = share => (share === null ? '' : `${(100 * share).toFixed(2)}%`);

export function duration(seconds) {
  const whole = Math.round(seconds);
  return whole < 60 ? `${seconds.toFixed(1)} s` : `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')} min`;
}
