// Try several values: what the form says stands in the address; here stands what varies.
import { named } from '../classroom/classroom.js';
import { put } from '../shared/address.js';
import { make } from '../shared/elements.js';
import { AWAY_MS } from '../shared/redraw.js';

const LOOK_MS = 2000;   // between two looks at a sweep that goes on

export function start({ element, props, server }) {
  const said = name => props[`said_${name}`], find = what => element.querySelector(what);
  const box = find('.sw'), told = find('.sw-told'), names = find('.sw-names'), result = find('.sw-result'), search = find('.sw-search');
  let timer = null, turn = 0, toldBy = '';

  // A question's answer takes away its own sentence only: the list that comes late leaves what is wrong with a Start.
  function tell(question, sentence) {
    if (!sentence && toldBy !== question) return;
    told.textContent = sentence;
    toldBy = question;
  }

  async function ask(name, given) {
    let answer = null;
    try { answer = await server[name](given); } catch { /* the sentence below */ }
    answer ||= { error: said('no_answer'), isAway: true };
    tell(name, answer.error || '');
    return answer;
  }

  function factor(setting = 'lr', values = '') {
    const select = make('select', { 'aria-label': said('vary') }, ...props.fields.map(([name, label]) => make('option', { value: name }, label)));
    select.value = setting;
    const input = make('input', { value: values }), list = make('div', { class: 'sw-list' });
    const row = make('div', { class: 'sw-factor' }, select, input, list);
    // What can be chosen from has boxes to tick; what is typed ticks them, too.
    const typed = () => input.value.split(',').map(one => one.trim());
    const tick = () => { input.value = [...list.querySelectorAll('input:checked')].map(box => box.value).join(', '); };
    const fit = () => {
      const text = said('values').replace('{examples}', props.examples[select.value]);
      input.placeholder = text;
      input.setAttribute('aria-label', text);
      list.replaceChildren(...(props.listed[select.value] || []).map(([value, label]) => (
        make('label', {}, make('input', { type: 'checkbox', value, checked: typed().includes(value), onchange: tick }), label))));
    };
    select.onchange = fit;
    input.onchange = fit;
    row.fit = fit;
    fit();
    if (find('.sw-factors').children.length) row.append(make('button', { type: 'button', 'aria-label': said('remove'), onclick: () => row.remove() }, '×'));
    find('.sw-factors').append(row);
    return input;
  }

  function known(answer, name) {
    if (answer.error) return;
    names.replaceChildren(...answer.sweeps.map(one => make('option', { value: one }, one)));
    find('.sw-known').hidden = !answer.sweeps.length;
    if (name && answer.sweeps.includes(name)) names.value = name;
    if (names.value) look();
  }

  async function look(how = 'sweep_look', more = {}) {
    clearTimeout(timer);
    const mine = ++turn, name = names.value;
    const answer = await ask(how, { name, ...more });
    if (mine !== turn || !element.isConnected) return;
    if (answer.isAway && box.open) timer = setTimeout(look, AWAY_MS);
    if (answer.error) return;
    put('sweep', name);
    result.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    find('[data-do=stop]').hidden = answer.status !== 'running';
    find('[data-do=go_on]').hidden = !['stopped', 'interrupted'].includes(answer.status);
    find('[data-do=add_seeds]').hidden = answer.status === 'running';
    if (answer.status === 'running' && box.open) timer = setTimeout(look, LOOK_MS);
  }

  const DO = {
    more: () => factor(props.fields[0][0]).previousSibling.focus(),
    start: async () => {
      try { await named(); } catch { return; }   // a shared lab asks whose a run is
      const address = new URLSearchParams(location.search);
      const settings = Object.fromEntries([...address].filter(([name]) => props.names.includes(name)));
      const vary = [...element.querySelectorAll('.sw-factor')].map(row => [row.querySelector('select').value, row.querySelector('input').value]);
      const button = find('[data-do=start]');
      told.textContent = '';
      button.disabled = true;
      const answer = await ask('sweep_start', { settings, vary, seeds: find('.sw-seeds').value, search: search.value, trials: find('.sw-trials').value });
      button.disabled = false;
      known(answer, answer.name);
    },
    stop: () => look('sweep_stop'),
    go_on: () => look('sweep_go_on'),
    add_seeds: () => look('sweep_go_on', { seeds: find('.sw-seeds').value }),
  };

  find('.sw > summary').textContent = said('title');
  find('.sw-about').textContent = said('about');
  search.append(...[['grid', 'grid'], ['random', 'random'], ['successive-halving', 'halving']].map(([value, name]) => make('option', { value }, said(name))));
  search.onchange = () => { find('[data-label=trials]').hidden = search.value === 'grid'; };
  element.querySelectorAll('[data-label]').forEach(label => label.prepend(said(label.dataset.label)));
  element.querySelectorAll('[data-do]').forEach(button => { button.textContent = said(button.dataset.do); button.onclick = () => DO[button.dataset.do](); });
  names.onchange = () => look();
  factor();
  // "Vary this" beside a field of the form: seen while the field is pointed at or has the focus.
  const VARIED = new Set(props.fields.map(([name]) => name));
  function around(name, field) {
    const offered = props.offered[name], now = field.querySelector('input[type=number]')?.value;
    if (Array.isArray(offered)) return offered.join(', ');
    const value = Number(now);
    if (!offered || !now || !Number.isFinite(value)) return new URLSearchParams(location.search).get(name) || '';
    if (!value) return '0, ';
    const { whole, low, high, below } = offered, step = whole ? 2 : 3, made = [value / step, value, value * step];
    const rounded = made.map(one => (whole ? Math.round(one) : Number(one.toPrecision(one === value ? 6 : 1))));
    return [...new Set(rounded)].filter(one => one && one >= low && (below ? one < high : one <= high)).join(', ');
  }
  function vary(name, field) {
    const rows = [...element.querySelectorAll('.sw-factor')], same = rows.find(row => row.querySelector('select').value === name);
    const empty = rows.find(row => !row.querySelector('input').value.trim()), row = same || empty;
    const input = row ? row.querySelector('input') : factor(name);
    if (row) row.querySelector('select').value = name;
    input.value ||= around(name, field);
    input.closest('.sw-factor').fit();
    box.open = true;
    input.focus({ preventScroll: true });
    box.scrollIntoView({ block: 'center', behavior: matchMedia('(prefers-reduced-motion: reduce)').matches ? 'auto' : 'smooth' });
  }
  function offer(event) {
    const field = event.target.closest?.('.room.train [id^="field-"]'), name = field?.id.slice('field-'.length);
    if (!VARIED.has(name) || field.querySelector(':scope > .sw-vary')) return;
    const label = props.fields.find(([one]) => one === name)[1];
    const button = make('button', { type: 'button', class: 'sw-vary', 'aria-label': `${said('vary_this')}: ${label}` }, said('vary_this'));
    button.onclick = () => vary(name, field);
    field.append(button);
  }
  for (const event of ['pointerover', 'focusin']) document.addEventListener(event, offer);
  const wanted = new URLSearchParams(location.search).get('sweep');
  box.addEventListener('toggle', async event => {
    if (event.target !== box) return;
    if (box.open) known(await ask('sweep_list', {}), wanted);
    else { clearTimeout(timer); put('sweep', ''); }
  });
  if (wanted) box.open = true;
}
