// Many pictures: dropped files, a folder or a zip, read in batches; a table, least sure first, and the same as CSV.
import { csv } from '../../shared/csv.js';
import { download } from '../../shared/download.js';
import { make, say } from '../../shared/elements.js';
import { percent } from './answer.js';

const SHOWN = 100;            // rows at a time
const BYTES = 16_000_000;     // of one upload with several files
const SMALL = 30_000;         // bytes of a file that comes with the question itself
const LITTER = /^(\.|thumbs\.db$|desktop\.ini$)/i;
const doubt = row => (row.error ? -1 : row.sure ? 0 : 1);   // what was not read comes last
const COLUMNS = {             // how rows are compared; the first way is the one that a click begins with
  name: (a, b) => a.name.localeCompare(b.name, undefined, { numeric: true }),
  label: (a, b) => (a.label ?? '').localeCompare(b.label ?? '', undefined, { numeric: true }),
  confidence: (a, b) => (a.confidence ?? -1) - (b.confidence ?? -1),
  sure: (a, b) => doubt(b) - doubt(a) || (a.confidence ?? -1) - (b.confidence ?? -1),
};

// Every file below what was dropped, with its path; and the paths of those that cannot be read.
async function filesIn(items) {
  const files = [], unreadable = [];
  const walk = async (entry, path) => {
    if (LITTER.test(entry.name)) return;
    try {
      if (entry.isFile) {
        files.push([await new Promise((found, wrong) => entry.file(found, wrong)), path + entry.name]);
        return;
      }
      const reader = entry.createReader();
      for (;;) {   // a hundred at a time, says the standard
        const some = await new Promise((found, wrong) => reader.readEntries(found, wrong));
        if (!some.length) return;
        for (const inner of some) await walk(inner, `${path}${entry.name}/`);
      }
    } catch { unreadable.push(path + entry.name); }   // gone meanwhile, or not ours to read
  };
  for (const entry of [...items].map(item => item.webkitGetAsEntry?.()).filter(Boolean)) await walk(entry, '');
  return { files, unreadable };
}

// A file as a data URL; null where it cannot be read.
const inline = file => new Promise(found => {
  const reader = new FileReader();
  reader.onloadend = () => found(reader.result);
  reader.readAsDataURL(file);
});

const HEADS = ['file', 'answer', 'confidence', 'sure', 'familiarity', 'error'];
const cellsOf = ({ name, label, confidence, sure, familiarity, error }) => [name, label, confidence, sure, familiarity, error];

export class Many {
  constructor(words, desk) {
    Object.assign(this, { words, desk, rows: [], by: 'sure', up: true, shown: SHOWN, run: 0 });
    const input = (attributes, words_) => {
      const field = make('input', { type: 'file', multiple: true, ...attributes });
      field.addEventListener('change', () => { this.take([...field.files].map(file => [file, file.webkitRelativePath || file.name])); field.value = ''; });
      return make('label', { class: 'many-choose' }, field, words_);
    };
    this.drop = make('div', { class: 'many-drop' }, make('span', {}, words.many_drop),
      input({ accept: 'image/*,.zip', 'data-many': 'files' }, words.many_files), input({ webkitdirectory: true, 'data-many': 'folder' }, words.many_folder));
    ['dragover', 'dragleave', 'drop'].forEach(name => this.drop.addEventListener(name, event => {
      event.preventDefault();
      this.drop.classList.toggle('over', name === 'dragover');
      if (name === 'drop') filesIn(event.dataTransfer.items).then(({ files, unreadable }) => this.take(files, unreadable));
    }));
    this.fill = make('i', {});
    this.bar = make('div', { class: 'progress', role: 'progressbar', 'aria-label': words.many, 'aria-valuemin': 0, hidden: true }, this.fill);
    this.said = make('p', { class: 'many-said', role: 'status' });
    this.stopper = make('button', { type: 'button', class: 'chip', hidden: true, onclick: () => this.stop() }, words.stop);
    this.saver = make('button', { type: 'button', class: 'chip', hidden: true, onclick: () => this.save() }, words.csv);
    this.table = make('div', { class: 'many-table' });
    this.more = make('button', { type: 'button', class: 'chip', hidden: true, onclick: () => { this.shown += SHOWN; this.draw(); } }, words.more);
    this.element = make('div', { class: 'many' }, this.drop, this.bar,
      make('div', { class: 'many-bar' }, this.said, this.stopper, this.saver), this.table, this.more);
  }

  show() {}

  stop() { this.run++; this.done(say(this.words.many_stopped, { count: this.rows.length.toLocaleString(document.documentElement.lang) })); }

  done(sentence) {
    this.bar.hidden = this.stopper.hidden = true;
    this.saver.hidden = !this.rows.length;
    this.said.textContent = sentence;
    this.draw();
  }

  unread(name) { return { name, error: say(this.words.unreadable_file, { file: name }) }; }

  // files: [[File, its path], ...]; unreadable: more paths
  async take(files, unreadable = []) {
    const run = ++this.run, mine = () => run === this.run, { checkpoint } = this.desk.subject, began = performance.now();
    files = files.filter(([, name]) => !LITTER.test(name.split('/').pop()));
    if (!files.length && !unreadable.length) return;
    this.rows.forEach(row => row.url && URL.revokeObjectURL(row.url));
    Object.assign(this, { rows: [], shown: SHOWN, total: files.length, doing: checkpoint });
    this.table.replaceChildren();
    this.bar.hidden = this.stopper.hidden = false;
    this.saver.hidden = true;
    this.tell(0);
    const about = await this.desk.ask('many_begin', { checkpoint });
    if (!mine()) return;
    if (about.error) { this.done(about.error); return; }
    if (unreadable.length) this.add(unreadable.map(name => this.unread(name)));
    const zips = files.filter(([, name]) => /\.zip$/i.test(name)), plain = files.filter(([, name]) => !/\.zip$/i.test(name));
    this.total = Math.min(plain.length, about.most);
    let left = plain.length - this.total;
    const tasks = this.batches(plain.slice(0, about.most), about.batch).map(some => () => this.upload(some, checkpoint));
    for (const [file, name] of zips) {
      const path = (await this.send([file]))?.[0], held = path ? await this.desk.ask('many_begin', { checkpoint, zip: path }) : { error: this.words.no_upload };
      if (!mine()) return;
      if (held.error) { this.add([{ name, error: held.error }]); continue; }
      const room = Math.min(held.total, Math.max(0, about.most - this.total));
      this.total += room;
      left += held.total - room;
      for (let start = 0; start < room; start += about.batch) {
        tasks.push(() => this.desk.ask('many_read', { checkpoint, zip: path, start }).then(answer => ({ ...answer, rows: answer.rows?.slice(0, room - start) })));
      }
    }
    let next = 0, wrong = '';
    const work = async () => {
      while (next < tasks.length && mine() && !wrong) {
        const answer = await tasks[next++]();
        if (!mine()) return;
        if (answer.error) wrong = answer.error; else this.add(answer.rows);
      }
    };
    await Promise.all(Array.from({ length: about.at_once }, work));
    if (!mine()) return;
    const seconds = (performance.now() - began) / 1000, count = this.rows.filter(row => !row.error).length;
    const told = say(this.words.many_done, { count: count.toLocaleString(document.documentElement.lang), seconds: seconds.toFixed(1), name: checkpoint.replace('/best', '') });
    const blank = this.rows.filter(row => row.blank).length;
    const unread = this.rows.length - count - blank;
    const more = [unread && say(this.words.many_unread, { count: unread.toLocaleString(document.documentElement.lang) }), left && say(this.words.many_most, { most: about.most.toLocaleString(document.documentElement.lang) }), blank && say(this.words.many_blank, { count: blank.toLocaleString(document.documentElement.lang) })];
    this.done(wrong || [told, ...more.filter(Boolean)].join(' '));
  }

  batches(files, count) {
    const made = [];
    let size = Infinity;
    for (const one of files) {
      if (size + one[0].size > BYTES || made.at(-1)?.length >= count) { made.push([]); size = 0; }
      made.at(-1).push(one);
      size += one[0].size;
    }
    return made;
  }

  async send(files) {
    const form = new FormData();
    files.forEach(file => form.append('files', file));
    try {
      const answer = await fetch(new URL('gradio_api/upload', document.baseURI), { method: 'POST', body: form });
      return answer.ok ? await answer.json() : null;
    } catch { return null; }
  }

  async upload(some, checkpoint) {
    // An empty file is not taken by the upload; it is a row all the same.
    const broken = some.filter(([file]) => !file.size).map(([, name]) => ({ name, error: say(this.words.empty_file, { file: name }) }));
    const small = await Promise.all(some.filter(([file]) => file.size && file.size <= SMALL).map(async ([file, name]) => [file, name, await inline(file)]));
    broken.push(...small.filter(([, , content]) => !content).map(([, name]) => this.unread(name)));
    const full = [...small.filter(([, , content]) => content), ...some.filter(([file]) => file.size > SMALL)];
    if (!full.length) return { rows: broken };
    const large = full.filter(([file]) => file.size > SMALL).map(([file]) => file), paths = large.length ? await this.send(large) : [];
    if (paths?.length !== large.length) return { error: this.words.no_upload };
    const sent = full.map(([file, name, content]) => [content ?? paths[large.indexOf(file)], name]);
    const answer = await this.desk.ask('many_read', { checkpoint, files: sent });
    answer.rows?.forEach((row, i) => { if (!row.error) row.file = full[i][0]; });
    return answer.error ? answer : { rows: [...answer.rows, ...broken] };
  }

  add(rows) {
    this.rows.push(...rows);
    this.tell(this.rows.length);
    if (this.rows.length <= SHOWN || !this.table.childElementCount) this.draw();
  }

  tell(count) {
    const total = Math.max(this.total, count, 1);
    this.fill.style.width = `${100 * count / total}%`;
    this.bar.setAttribute('aria-valuemax', total);
    this.bar.setAttribute('aria-valuenow', count);
    this.said.textContent = say(this.words.many_reading, { count: count.toLocaleString(document.documentElement.lang), total: this.total.toLocaleString(document.documentElement.lang) });
  }

  draw() {
    const sorted = [...this.rows].sort(COLUMNS[this.by]);
    if (!this.up) sorted.reverse();
    const head = Object.keys(COLUMNS).map(column => make('th', { scope: 'col', 'aria-sort': column === this.by ? (this.up ? 'ascending' : 'descending') : 'none' },
      make('button', { type: 'button', 'data-by': column, onclick: () => this.sort(column) }, this.words[`many_${column}`])));
    const rows = sorted.slice(0, this.shown).map(row => this.row(row));
    this.table.replaceChildren(...(rows.length ? [make('table', {}, make('thead', {}, make('tr', {}, make('td', {}), ...head)), make('tbody', {}, ...rows))] : []));
    this.more.hidden = this.shown >= sorted.length;
  }

  row(row) {
    if (row.file && !row.url) row.url = URL.createObjectURL(row.file);
    const source = row.url || row.thumb, picture = make('td', { class: 'thumb' }, ...(source ? [make('img', { src: source, alt: '', loading: 'lazy' })] : []));
    const name = make('td', { class: 'file', title: row.name }, row.name);
    if (row.error) return make('tr', { class: 'broken' }, picture, name, make('td', { colspan: 3 }, row.error));
    return make('tr', { class: row.sure ? '' : 'unsure' }, picture, name, make('td', { class: 'label' }, row.label),
      make('td', { class: 'share' }, percent(row.confidence)), make('td', { class: 'note', title: row.note }, row.sure ? this.words.yes : row.note));
  }

  sort(column) {
    this.up = this.by === column ? !this.up : true;
    this.by = column;
    this.draw();
    this.table.querySelector(`[data-by=${column}]`).focus();
  }

  save() {
    download(`\ufeff${csv([HEADS, ...this.rows.map(cellsOf)])}`, `${this.doing.split('/')[0]}.csv`, 'text/csv');
  }
}
