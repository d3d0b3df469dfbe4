// All runs as a table. Only the rows in sight are in the page: a thousand scroll as ten do.
import { put } from '../shared/address.js';
import { make, say } from '../shared/elements.js';

const ROW = 36, MORE = 8, UNDO_MS = 7000, AGAIN = 700;   // px; rows above and below what is in sight; how long a deletion can be taken back; ms between two looks at an evaluation
const WIDTH = { tick: 40, name: 260, state: 100, created: 150, note: 200, tags: 160, lr: 130, parent: 200 }, USUAL = 116;
const NUMBERS = ['seconds', 'epochs', 'val_accuracy', 'test_accuracy'];
const SHOWN = ['name', 'state', 'epochs', 'val_accuracy', 'lr', 'tags', 'created'];

export function start({ element, props, server }) {
  const said = name => props[`said_${name}`], find = what => element.querySelector(what);
  const box = find('.rt'), table = find('.rt-table'), head = find('.rt-head'), body = find('.rt-rows'), told = find('.rt-told');
  const search = find('.rt-search'), actions = find('.rt-actions'), ask = find('.rt-ask'), shownRuns = find('.rt-compared');
  const address = new URLSearchParams(location.search);
  let rows = [], seen = [], settings = [], ticked = new Set((address.get('runs') || '').split(',').filter(Boolean));
  let sort = address.get('runs-sort') || '', columns = (address.get('runs-columns') || SHOWN.join(',')).split(','), gone = new Set();
  let by = 'epoch', smooth = false, asking = null, last = null, comparing = 0;

  async function server_says(name, given) {
    let answer = null;
    try { answer = await server[name](given); } catch { /* the sentence below */ }
    answer ||= { error: said('no_answer') };
    tell(answer.error || '', true);
    return answer;
  }
  function tell(text, bad = false, ...more) { told.className = bad ? 'rt-told bad' : 'rt-told'; told.replaceChildren(text, ...more); }
  const label = name => (props[`said_${name}`] ? said(name) : props.labels[name] || name);

  function take(answer) {
    if (answer.error) return;
    const { figures } = answer;
    settings = Object.keys(answer.settings);
    rows = figures.name.map((name, i) => {
      const row = Object.fromEntries(Object.entries(figures).map(([key, values]) => [key, values[i]]));
      for (const key of settings) if (!(key in row)) row[key] = answer.settings[key][i];
      row.text = [name, row.state, row.note, row.owner || '', row.parent, ...row.tags, ...settings.map(key => answer.settings[key][i])].join(' ').toLowerCase();
      return row;
    });
    const there = new Set(figures.name);
    ticked = new Set([...ticked].filter(name => there.has(name)));
    choices();
    select();
  }

  // Words, and conditions as in `imgcls runs --where`: lr>0.01, state=finished, note~blurred.
  function tests() {
    return search.value.split(/\s+/).filter(Boolean).map(word => {
      const found = word.match(/^([\w-]+)(!=|>=|<=|=|>|<|~)(.+)$/), key = found?.[1].replaceAll('-', '_');
      if (!found || !rows.length || !(key in rows[0])) return row => row.text.includes(word.toLowerCase());
      const [, , sign, wanted] = found;
      return row => {
        const there = row[key], number = typeof there === 'number' && wanted.trim() !== '' && !Number.isNaN(+wanted);
        const a = number ? there : String(there ?? '').toLowerCase(), b = number ? +wanted : wanted.toLowerCase();
        if (sign === '~') return String(there ?? '').toLowerCase().includes(wanted.toLowerCase());
        if (sign === '=') return a === b;
        if (sign === '!=') return a !== b;
        if (there === null || there === undefined) return false;
        return { '>': a > b, '<': a < b, '>=': a >= b, '<=': a <= b }[sign];
      };
    });
  }

  function select() {
    const all = tests(), key = sort.replace(/^-/, ''), down = sort.startsWith('-') ? -1 : 1;
    seen = rows.filter(row => !gone.has(row.name) && all.every(test => test(row)));
    const order = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));
    const empty = value => value === null || value === undefined || value === '';
    if (key) seen.sort((a, b) => (empty(a[key]) - empty(b[key])) || down * order(a[key], b[key]));
    seen.sort((a, b) => b.pinned - a.pinned);
    find('.rt-count').textContent = say(said('count'), { shown: seen.length, total: rows.length - gone.size });
    heads();
    table.scrollTop = 0;
    draw();
  }

  function shape() { return ['tick', ...columns].map(name => `${WIDTH[name] || USUAL}px`).join(' '); }
  function heads() {
    const cells = columns.map(name => {
      const button = make('button', { type: 'button' }, label(name) + (sort === name ? ' ↑' : sort === `-${name}` ? ' ↓' : ''));
      button.onclick = () => { sort = sort === `-${name}` ? name : sort === name ? '' : `-${name}`; put('runs-sort', sort); select(); };
      const cell = make('div', { class: NUMBERS.includes(name) ? 'number' : '' }, button);
      cell.setAttribute('role', 'columnheader');
      cell.setAttribute('aria-sort', sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none');
      return cell;
    });
    head.style.gridTemplateColumns = shape();
    head.replaceChildren(make('div'), ...cells);
  }

  // Made once: a formatter for each cell took most of the time that drawing takes.
  const moment = new Intl.DateTimeFormat(document.documentElement.lang, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit' });
  function text(row, name) {
    const value = row[name];
    if (name === 'created') return moment.format(new Date(value * 1000));
    if (name === 'seconds') return value < 60 ? `${value.toFixed(1)} s` : `${Math.floor(value / 60)}:${String(Math.round(value % 60)).padStart(2, '0')} min`;
    if (name === 'epochs') return `${value}/${row.planned ?? '?'}`;
    if (name === 'val_accuracy' || name === 'test_accuracy') return value === null ? '' : `${(100 * value).toFixed(2)}%`;
    if (name === 'state') return props.states[value] || value;
    if (name === 'name') return (row.pinned ? '★ ' : '') + value;
    return value === null || value === undefined ? '' : String(value);
  }

  function line(row, at) {
    const tick = make('input', { type: 'checkbox', checked: ticked.has(row.name), 'aria-label': say(said('tick'), { name: row.name }) });
    tick.onclick = event => choose(row.name, at, event.shiftKey);
    const cells = columns.map(name => {
      const shown = text(row, name), cell = make('div', { class: NUMBERS.includes(name) || typeof row[name] === 'number' && name !== 'created' ? 'number' : '', title: shown });
      if (name === 'tags') cell.append(...row.tags.map(tag => make('span', { class: 'tag' }, tag)));
      else cell.textContent = shown;
      cell.setAttribute('role', 'cell');
      return cell;
    });
    const node = make('div', { class: `rt-row${ticked.has(row.name) ? ' on' : ''}` }, make('div', {}, tick), ...cells);
    node.setAttribute('role', 'row');
    node.style.cssText = `top: ${at * ROW}px; grid-template-columns: ${shape()}`;
    return node;
  }

  function draw() {
    const first = Math.max(0, Math.floor(table.scrollTop / ROW) - MORE), end = Math.min(seen.length, first + Math.ceil((table.clientHeight || 560) / ROW) + 2 * MORE);
    body.style.height = `${seen.length * ROW}px`;
    body.style.minWidth = `${head.scrollWidth}px`;
    body.replaceChildren(...seen.slice(first, end).map((row, i) => line(row, first + i)));
    if (!seen.length && rows.length) body.replaceChildren(make('p', { class: 'rt-soft' }, said('none')));
    bar();
  }

  function choose(name, at, range) {
    const on = !ticked.has(name);
    const some = range && last !== null ? seen.slice(Math.min(at, last), Math.max(at, last) + 1).map(row => row.name) : [name];
    some.forEach(one => (on ? ticked.add(one) : ticked.delete(one)));
    last = at;
    put('runs', [...ticked].slice(0, 20).join(','));
    draw();
    if (!shownRuns.hidden) compare();
  }

  function bar() {
    actions.hidden = !ticked.size;
    find('.rt-chosen').textContent = say(said('chosen'), { count: ticked.size });
    const some = rows.filter(row => ticked.has(row.name));
    find('[data-do=pin]').textContent = said(some.length && some.every(row => row.pinned) ? 'unpin' : 'pin');
    for (const name of ['show', 'rename']) find(`[data-do=${name}]`).disabled = ticked.size !== 1;
  }

  async function compare() {
    const names = [...ticked], mine = ++comparing;
    if (!names.length) { shownRuns.hidden = true; return; }
    if (names.length > props.most) { tell(say(said('too_many'), { count: props.most }), true); return; }
    const answer = await server_says('runs_compared', { names, by, smooth });
    if (answer.error || mine !== comparing) return;
    shownRuns.hidden = false;
    shownRuns.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    shownRuns.querySelector('[data-by]').onchange = event => { by = event.target.value; compare(); };
    shownRuns.querySelector('[data-smooth]').onchange = event => { smooth = event.target.checked; compare(); };
    const report = shownRuns.querySelector('[data-report]');
    if (report) report.onclick = async () => { report.disabled = true; const made = await server_says('runs_report', { names }); report.disabled = false; if (!made.error) save(made.html, made.name, 'text/html'); };
    matrices(names, mine, '');
  }

  // The matrices below the curves: what is kept is shown; otherwise a button asks for it, and the page looks until it is there.
  async function matrices(names, mine, begin) {
    const answer = await server_says('runs_matrices', { names, begin }), place = shownRuns.querySelector('.rt-matrices');
    if (mine !== comparing || !place || !element.isConnected) return;
    if (answer.error) { place.replaceChildren(); return; }
    place.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    const button = place.querySelector('[data-evaluate]');
    if (button) button.onclick = () => { button.disabled = true; matrices(names, mine, 'again'); };
    const stop = place.querySelector('.stop');
    if (stop) stop.onclick = () => { stop.disabled = true; matrices(names, mine, 'stop'); };
    if (answer.state === 'running') setTimeout(() => { if (mine === comparing) matrices(names, mine, begin && begin !== 'stop' ? 'on' : ''); }, AGAIN);
  }

  function input(what, value, done) {
    asking = done;
    ask.hidden = false;
    const field = ask.querySelector('input');
    Object.assign(field, { placeholder: what, value, ariaLabel: what });
    field.focus();
  }
  ask.onsubmit = event => { event.preventDefault(); ask.hidden = true; asking?.(ask.querySelector('input').value.trim()); };
  ask.onkeydown = event => { if (event.key === 'Escape') ask.hidden = true; };

  const mark = async given => take(await server_says('runs_mark', { names: [...ticked], ...given }));
  function csv() {
    const names = [...new Set([...columns, 'val_accuracy', 'test_accuracy', 'seconds', 'note', ...settings])];
    const cell = value => { const plain = Array.isArray(value) ? value.join(' ') : String(value ?? ''); return /[",\n]/.test(plain) ? `"${plain.replaceAll('"', '""')}"` : plain; };
    const lines = [names, ...seen.map(row => names.map(name => row[name]))].map(one => one.map(cell).join(','));
    save(lines.join('\n') + '\n', 'runs.csv', 'text/csv');
  }
  function save(content, download, type) {
    const href = URL.createObjectURL(new Blob([content], { type }));
    make('a', { href, download }).click();
    setTimeout(() => URL.revokeObjectURL(href), 10000);
  }
  // Taken back within a few seconds nothing has happened: only then the lab is asked to delete.
  function remove() {
    const names = [...ticked];
    names.forEach(name => gone.add(name));
    ticked.clear(); put('runs', ''); shownRuns.hidden = true; select();
    const back = () => { clearTimeout(later); names.forEach(name => gone.delete(name)); tell(''); select(); };
    const later = setTimeout(async () => {
      const answer = await server_says('runs_delete', { names });
      names.forEach(name => gone.delete(name));
      if (answer.error) select(); else take(answer);
    }, UNDO_MS);
    tell(say(said('deleted'), { count: names.length }) + ' ', false, make('button', { type: 'button', onclick: back }, said('undo')));
  }

  const DO = {
    compare, csv, delete: remove,
    show: () => { const [name] = ticked; put('run', name); location.search = new URLSearchParams({ ...Object.fromEntries(new URLSearchParams(location.search)), tab: 'train', run: name }).toString(); },
    tag: () => input(said('tag_asked'), '', value => { const parts = value.split(',').map(one => one.trim()).filter(Boolean); mark({ add: parts.filter(one => !one.startsWith('-')), remove: parts.filter(one => one.startsWith('-')).map(one => one.slice(1)) }); }),
    note: () => input(said('note_asked'), rows.find(row => ticked.has(row.name))?.note || '', value => mark({ note: value })),
    pin: () => mark({ pinned: !rows.filter(row => ticked.has(row.name)).every(row => row.pinned) }),
    rename: () => { const [name] = ticked; input(said('name_asked'), name, async to => { const answer = await server_says('runs_rename', { names: [name], to }); if (!answer.error) { ticked = new Set([to]); put('runs', to); take(answer); } }); },
  };

  function choices() {
    const all = ['name', 'state', 'created', 'seconds', 'epochs', 'val_accuracy', 'test_accuracy', 'parent', 'owner', 'tags', 'note', ...settings.filter(name => name !== 'epochs')];
    columns = columns.filter(name => all.includes(name));
    if (!columns.includes('name')) columns.unshift('name');
    find('.rt-choose > div').replaceChildren(...all.map(name => {
      const tick = make('input', { type: 'checkbox', checked: columns.includes(name), disabled: name === 'name' });
      tick.onchange = () => { columns = tick.checked ? [...columns, name] : columns.filter(one => one !== name); put('runs-columns', columns.join() === SHOWN.join() ? '' : columns.join()); heads(); draw(); };
      return make('label', {}, tick, label(name));
    }));
  }

  find('.rt > summary').textContent = said('title');
  find('.rt-choose > summary').textContent = said('columns');
  ask.querySelector('button').textContent = said('save');
  element.querySelectorAll('[data-do]').forEach(button => { button.textContent ||= said(button.dataset.do); button.onclick = () => DO[button.dataset.do](); });
  Object.assign(search, { placeholder: said('search'), ariaLabel: said('search'), value: address.get('runs-search') || '' });
  search.oninput = () => { put('runs-search', search.value); select(); };
  table.onscroll = () => requestAnimationFrame(draw);
  let waiting = false;
  async function load() { if (waiting) return; waiting = true; take(await server_says('runs_rows', {})); waiting = false; }
  box.ontoggle = async event => {
    if (event.target !== box || !box.open) return;
    put('runs-open', '1');
    await load();
    if (ticked.size > 1) compare();
  };
  box.addEventListener('toggle', event => { if (event.target === box && !box.open) put('runs-open', ''); });
  if (address.get('runs-open') || ticked.size) box.open = true;
}
