// All runs as a table. Only the rows in sight are in the page: a thousand scroll as ten do.
import { put } from '../shared/address.js';
import { csv } from '../shared/csv.js';
import { download } from '../shared/download.js';
import { make, say } from '../shared/elements.js';
import { keepingFocus } from '../shared/redraw.js';
import { RunComparison } from './run_comparison.js';
import { duration, percent } from './run_figures.js';
import { matcher, sorted } from './run_search.js';

const ROW_PX = 36, TABLE_PX = 560;
const ROWS_BEYOND = 8;         // above and below what is in sight
const UNDO_MS = 7000;          // how long a deletion can be taken back
const RUNS_IN_ADDRESS = 20;
const WIDTH_PX = { tick: 40, name: 260, state: 100, created: 150, note: 200, tags: 160, lr: 130, parent: 200 }, USUAL_WIDTH_PX = 116;
const NUMBERS = ['seconds', 'epochs', 'val_accuracy', 'test_accuracy'];
const OFFERED = ['name', 'state', 'created', 'seconds', 'epochs', 'val_accuracy', 'test_accuracy', 'parent', 'owner', 'tags', 'note'];
const SHOWN = ['name', 'state', 'epochs', 'val_accuracy', 'lr', 'tags', 'created'];

const NAME_END = 16;   // letters of a name that are always seen

// {column: value} of each run.
function rowsOf({ figures, settings }) {
  const names = Object.keys(settings);
  return figures.name.map((name, i) => {
    const row = Object.fromEntries(Object.entries(figures).map(([key, values]) => [key, values[i]]));
    for (const key of names) if (!(key in row)) row[key] = settings[key][i];
    row.text = [name, row.state, row.note, row.owner || '', row.parent, ...row.tags, ...names.map(key => settings[key][i])].join(' ').toLowerCase();
    return row;
  });
}

class RunsTable {
  constructor({ element, props, server }) {
    const find = selector => element.querySelector(selector), address = new URLSearchParams(location.search);
    Object.assign(this, { element, props, server, find, table: find('.rt-table'), form: find('.rt-ask'), search: find('.rt-search') });
    this.rows = [];
    this.seen = [];            // those that the search finds, in their order
    this.settings = [];        // their names
    this.deleted = new Set();  // names, while that can be taken back
    this.ticked = new Set((address.get('runs') || '').split(',').filter(Boolean));
    this.lastTicked = null;
    this.sort = address.get('runs-sort') || '';
    this.columns = (address.get('runs-columns') || SHOWN.join(',')).split(',');
    // Made once: a formatter for each cell took most of the time that drawing takes.
    this.moment = new Intl.DateTimeFormat(document.documentElement.lang, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
    this.comparison = new RunComparison(find('.rt-compared'), {
      ask: (name, values) => this.ask(name, values), most: props.most,
      tooMany: () => this.tell(say(this.said('too_many'), { count: props.most }), { by: 'runs_compared', isBad: true }),
    });
  }

  said(name) { return this.props[`said_${name}`]; }

  label(name) { return this.said(name) || this.props.labels[name] || name; }

  async ask(name, values) {
    let answer = null;
    try { answer = await this.server[name](values); } catch { /* the sentence below */ }
    answer ||= { error: this.said('no_answer'), isAway: true };
    this.tell(answer.error || '', { by: name, isBad: true });
    return answer;
  }

  // An answer takes away its own question's sentence only: a deletion can be taken back whatever is asked meanwhile.
  tell(text, { by = '', isBad = false, more = [] } = {}) {
    if (!text && this.toldBy !== by) return;
    const line = this.find('.rt-told');
    this.toldBy = by;
    line.className = isBad ? 'rt-told bad' : 'rt-told';
    line.replaceChildren(text, ...more);
  }

  take(answer) {
    if (answer.error) return;
    this.settings = Object.keys(answer.settings);
    this.rows = rowsOf(answer);
    const names = new Set(answer.figures.name);
    this.ticked = new Set([...this.ticked].filter(name => names.has(name)));
    this.offerColumns();
    this.select();
  }

  get chosen() { return this.rows.filter(row => this.ticked.has(row.name)); }

  select() {
    const matches = matcher(this.search.value, Object.keys(this.rows[0] ?? {}));
    this.seen = sorted(this.rows.filter(row => !this.deleted.has(row.name) && matches(row)), this.sort);
    this.find('.rt-count').textContent = say(this.said('count'), { shown: this.seen.length, total: this.rows.length - this.deleted.size });
    this.drawHeads();
    this.table.scrollTop = 0;
    this.draw();
  }

  get grid() { return ['tick', ...this.columns].map(name => `${WIDTH_PX[name] || USUAL_WIDTH_PX}px`).join(' '); }

  drawHeads() {
    const head = this.find('.rt-head');
    head.style.gridTemplateColumns = this.grid;
    keepingFocus(head, () => head.replaceChildren(make('div'), ...this.columns.map(name => this.headOf(name))));
  }

  headOf(name) {
    const up = this.sort === name, down = this.sort === `-${name}`;
    const onclick = () => {
      this.sort = down ? name : up ? '' : `-${name}`;
      put('runs-sort', this.sort);
      this.select();
    };
    const button = make('button', { type: 'button', 'data-column': name, onclick }, this.label(name) + (up ? ' ↑' : down ? ' ↓' : ''));
    const order = up ? 'ascending' : down ? 'descending' : 'none';
    return make('div', { class: NUMBERS.includes(name) ? 'number' : '', role: 'columnheader', 'aria-sort': order }, button);
  }

  text(row, name) {
    const value = row[name];
    if (name === 'created') return this.moment.format(new Date(value * 1000));
    if (name === 'seconds') return duration(value);
    if (name === 'epochs') return `${value}/${row.planned ?? '?'}`;
    if (name === 'val_accuracy' || name === 'test_accuracy') return percent(value);
    if (name === 'state') return this.props.states[value] || value;
    if (name === 'name') return (row.pinned ? '★ ' : '') + value;
    return value === null || value === undefined ? '' : String(value);
  }

  cellOf(row, name) {
    const text = this.text(row, name), isNumber = NUMBERS.includes(name) || (typeof row[name] === 'number' && name !== 'created');
    // Names of a sweep's runs differ at their end: where there is no room, the middle goes.
    const halves = () => [make('span', { class: 'start' }, text.slice(0, -NAME_END)), make('span', {}, text.slice(-NAME_END))];
    const content = name === 'tags' ? row.tags.map(tag => make('span', { class: 'tag' }, tag)) : name === 'name' ? halves() : [text];
    return make('div', { class: isNumber ? 'number' : name === 'name' ? 'name' : '', title: text, role: 'cell' }, ...content);
  }

  rowOf(row, at) {
    const isTicked = this.ticked.has(row.name), onclick = event => this.tick(row.name, at, event.shiftKey);
    const box = make('input', { type: 'checkbox', checked: isTicked, 'data-run': row.name, 'aria-label': say(this.said('tick'), { name: row.name }), onclick });
    const cells = this.columns.map(name => this.cellOf(row, name));
    const node = make('div', { class: `rt-row${isTicked ? ' on' : ''}`, role: 'row' }, make('div', {}, box), ...cells);
    node.style.cssText = `top: ${at * ROW_PX}px; grid-template-columns: ${this.grid}`;
    return node;
  }

  draw() {
    const { seen, table } = this, body = this.find('.rt-rows');
    const first = Math.max(0, Math.floor(table.scrollTop / ROW_PX) - ROWS_BEYOND);
    const end = Math.min(seen.length, first + Math.ceil((table.clientHeight || TABLE_PX) / ROW_PX) + 2 * ROWS_BEYOND);
    body.style.height = `${seen.length * ROW_PX}px`;
    body.style.minWidth = `${this.find('.rt-head').scrollWidth}px`;
    const hadFocus = body.contains(document.activeElement);
    keepingFocus(body, () => body.replaceChildren(...seen.slice(first, end).map((row, i) => this.rowOf(row, first + i))));
    if (hadFocus && !body.contains(document.activeElement)) table.focus({ preventScroll: true });   // its row is out of sight
    if (!seen.length && this.rows.length) body.replaceChildren(make('p', { class: 'rt-soft' }, this.said('none')));
    this.drawActions();
  }

  drawActions() {
    const { chosen } = this;
    this.find('.rt-actions').hidden = !this.ticked.size;
    this.find('.rt-chosen').textContent = say(this.said('chosen'), { count: this.ticked.size });
    this.find('[data-do=pin]').textContent = this.said(chosen.length && chosen.every(row => row.pinned) ? 'unpin' : 'pin');
    for (const name of ['show', 'rename']) this.find(`[data-do=${name}]`).disabled = this.ticked.size !== 1;
  }

  // A range: all from the row that was ticked last.
  tick(name, at, isRange) {
    const on = !this.ticked.has(name), from = isRange && this.lastTicked !== null ? this.lastTicked : at;
    const names = this.seen.slice(Math.min(at, from), Math.max(at, from) + 1).map(row => row.name);
    names.forEach(one => (on ? this.ticked.add(one) : this.ticked.delete(one)));
    this.lastTicked = at;
    put('runs', [...this.ticked].slice(0, RUNS_IN_ADDRESS).join(','));
    this.draw();
    if (this.comparison.isShown) this.compare();
  }

  compare() { return this.comparison.show([...this.ticked]); }

  // One line to fill in above the table; `done` is called with it.
  prompt(label, value, done) {
    const field = this.form.querySelector('input');
    this.answered = done;
    this.form.hidden = false;
    Object.assign(field, { placeholder: label, value, ariaLabel: label });
    field.focus();
  }

  async mark(values) { this.take(await this.ask('runs_mark', { names: [...this.ticked], ...values })); }

  // Taken back within a few seconds nothing has happened: only then the lab is asked to delete.
  delete() {
    const names = [...this.ticked], restore = () => names.forEach(name => this.deleted.delete(name));
    names.forEach(name => this.deleted.add(name));
    this.ticked.clear();
    put('runs', '');
    this.comparison.hide();
    this.select();
    const later = setTimeout(async () => {
      const answer = await this.ask('runs_delete', { names });
      restore();
      if (answer.error) this.select(); else this.take(answer);
    }, UNDO_MS);
    const undo = () => { clearTimeout(later); restore(); this.tell('', { by: 'runs_delete' }); this.select(); };
    const more = [make('button', { type: 'button', onclick: undo }, this.said('undo'))];
    this.tell(`${say(this.said('deleted'), { count: names.length })} `, { by: 'runs_delete', more });
  }

  csv() {
    const columns = [...new Set([...this.columns, 'val_accuracy', 'test_accuracy', 'seconds', 'note', ...this.settings])];
    download(csv([columns, ...this.seen.map(row => columns.map(name => row[name]))]), 'runs.csv', 'text/csv');
  }

  show() {
    const [name] = this.ticked;
    put('run', name);
    const address = Object.fromEntries(new URLSearchParams(location.search));
    location.search = new URLSearchParams({ ...address, tab: 'train', run: name }).toString();
  }

  tag() {
    this.prompt(this.said('tag_asked'), '', value => {
      const tags = value.split(',').map(one => one.trim()).filter(Boolean), isRemoved = tag => tag.startsWith('-');
      this.mark({ add: tags.filter(tag => !isRemoved(tag)), remove: tags.filter(isRemoved).map(tag => tag.slice(1)) });
    });
  }

  note() { this.prompt(this.said('note_asked'), this.chosen[0]?.note || '', value => this.mark({ note: value })); }

  pin() { this.mark({ pinned: !this.chosen.every(row => row.pinned) }); }

  rename() {
    const [name] = this.ticked;
    this.prompt(this.said('name_asked'), name, async to => {
      const answer = await this.ask('runs_rename', { names: [name], to });
      if (answer.error) return;
      this.ticked = new Set([to]);
      put('runs', to);
      this.take(answer);
    });
  }

  offerColumns() {
    const offered = [...OFFERED, ...this.settings.filter(name => name !== 'epochs')];
    this.columns = this.columns.filter(name => offered.includes(name));
    if (!this.columns.includes('name')) this.columns.unshift('name');
    this.find('.rt-choose > div').replaceChildren(...offered.map(name => {
      const box = make('input', { type: 'checkbox', checked: this.columns.includes(name), disabled: name === 'name' });
      box.onchange = () => this.toggleColumn(name, box.checked);
      return make('label', {}, box, this.label(name));
    }));
  }

  toggleColumn(name, on) {
    this.columns = on ? [...this.columns, name] : this.columns.filter(other => other !== name);
    put('runs-columns', this.columns.join() === SHOWN.join() ? '' : this.columns.join());
    this.drawHeads();
    this.draw();
  }

  async load() {
    if (this.isLoading) return;
    this.isLoading = true;
    this.take(await this.ask('runs_rows', {}));
    this.isLoading = false;
  }

  async opened() {
    put('runs-open', '1');
    await this.load();
    if (this.ticked.size > 1) this.compare();
  }

  labelAll() {
    this.find('.rt > summary').textContent = this.said('title');
    this.find('.rt-choose > summary').textContent = this.said('columns');
    this.form.querySelector('button').textContent = this.said('save');
    const search = new URLSearchParams(location.search).get('runs-search') || '';
    Object.assign(this.search, { placeholder: this.said('search'), ariaLabel: this.said('search'), value: search });
  }

  wire() {
    const { form, search } = this;
    this.element.querySelectorAll('[data-do]').forEach(button => {
      button.textContent ||= this.said(button.dataset.do);
      button.onclick = () => this[button.dataset.do]();
    });
    form.onsubmit = event => { event.preventDefault(); form.hidden = true; this.answered?.(form.querySelector('input').value.trim()); };
    form.onkeydown = event => { if (event.key === 'Escape') form.hidden = true; };
    search.oninput = () => { put('runs-search', search.value); this.select(); };
    this.table.onscroll = () => requestAnimationFrame(() => this.draw());
    const box = this.find('.rt');
    box.addEventListener('toggle', event => {
      if (event.target !== box) return;
      if (box.open) this.opened(); else put('runs-open', '');
    });
    if (new URLSearchParams(location.search).get('runs-open') || this.ticked.size) box.open = true;
  }
}

export function start(component) {
  const table = new RunsTable(component);
  table.labelAll();
  table.wire();
}
