// Values under the pointer, or under the arrow keys while a chart has the focus; and the zoom of accuracy charts.
// Charts are drawn anew every second while a run goes on: everything is asked of whatever chart is there now.
import { put } from './address.js';

const chartOf = target => target instanceof Element ? target.closest('figure.chart svg') : null;

function read(svg, x) {
  const series = JSON.parse(svg.dataset.values).filter(s => s.points.length);
  const near = series.map(s => [s.name, s.points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a)]);
  if (!near.length) return;
  const at = near.reduce((a, b) => Math.abs(b[1][0] - x) < Math.abs(a[1][0] - x) ? b : a)[1];
  const hair = svg.querySelector('.hair'), reading = svg.closest('figure').querySelector('.reading');
  hair.removeAttribute('hidden'); hair.setAttribute('x1', at[0]); hair.setAttribute('x2', at[0]);
  reading.dataset.rest ??= reading.textContent;
  reading.textContent = [at[1], ...near.map(([name, point]) => `${name} ${point[2]}`)].join(' · ');
  svg.dataset.at = at[0];
}

function rest(svg) {
  const reading = svg.closest('figure').querySelector('.reading');
  svg.querySelector('.hair').setAttribute('hidden', '');
  if (reading.dataset.rest !== undefined) reading.textContent = reading.dataset.rest;
}

document.addEventListener('pointermove', event => {
  const svg = chartOf(event.target);
  if (!svg) return;
  const box = svg.getBoundingClientRect();
  read(svg, (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width);
});
document.addEventListener('pointerout', event => { const svg = chartOf(event.target); if (svg && !svg.contains(event.relatedTarget)) rest(svg); });
document.addEventListener('focusin', event => { const svg = chartOf(event.target); if (svg) read(svg, svg.viewBox.baseVal.width); });   // the newest
document.addEventListener('focusout', event => { const svg = chartOf(event.target); if (svg) rest(svg); });
document.addEventListener('keydown', event => {
  const svg = chartOf(event.target), step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
  if (!svg || !step) return;
  event.preventDefault();
  const all = [...new Set(JSON.parse(svg.dataset.values).flatMap(s => s.points.map(p => p[0])))].sort((a, b) => a - b);
  const now = all.findIndex(x => x >= Number(svg.dataset.at ?? Infinity) - 0.01);
  read(svg, all[Math.max(0, Math.min(all.length - 1, (now < 0 ? all.length - 1 : now) + step))]);
});
document.addEventListener('click', event => {
  if (!(event.target instanceof Element) || !event.target.closest('figure.chart .zoom')) return;
  const on = document.documentElement.classList.toggle('zoomed-charts');
  put('zoom', on ? '1' : '');
});
