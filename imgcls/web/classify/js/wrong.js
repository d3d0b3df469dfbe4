// That was wrong: one click on the right label keeps the picture; "learn from these" trains a copy, before and after.
import { named } from '../../classroom/classroom.js';
import { make, say } from '../../shared/elements.js';
import { AWAY_MS } from '../../shared/redraw.js';
import { show } from '../../shared/show_result.js';
import { remember, remembered } from '../../shared/storage.js';

const LABELS = 40;     // classes that have a button each; of more one is typed
const AGAIN = 1000;    // ms between two looks at the run
const KEEPER = 'imgcls-keeper', AGREED = 'imgcls-agreed';

const randomToken = () => [...crypto.getRandomValues(new Uint8Array(16))].map(b => b.toString(16).padStart(2, '0')).join('');

// Whoever has this may delete what was kept with it.
export function keeperToken() {
  if (!remembered(KEEPER)) remember(KEEPER, randomToken());
  return remembered(KEEPER);
}

export class Wrong {
  constructor(words, desk) {
    Object.assign(this, { words, desk, about: null, run: null, timer: null });
    this.ask = make('p', { class: 'wrong-ask' }, words.wrong_ask);
    this.labels = make('div', { class: 'why-classes', role: 'group', 'aria-label': words.wrong_ask });
    this.said = make('p', { class: 'many-said', role: 'status' });
    this.agree = make('label', { class: 'wrong-agree', hidden: true },
      make('input', { type: 'checkbox', onchange: event => remember(AGREED, event.target.checked ? 'true' : null) }), ' ', words.wrong_agree);
    this.set = make('input', { type: 'text', class: 'wrong-set', maxlength: 80, 'aria-label': words.wrong_set });
    this.set.addEventListener('change', () => this.open());
    this.learn = make('button', { type: 'button', class: 'chip', onclick: () => this.start() }, words.wrong_learn);
    this.save = make('a', { class: 'take-home', download: '' }, words.wrong_save);
    this.pictures = make('ul', { class: 'kept' });
    this.outcome = make('div', { class: 'outcome', 'aria-live': 'polite' });
    this.element = make('div', { class: 'wrong' }, this.ask, this.labels, this.agree, this.said,
      make('div', { class: 'many-bar' }, make('label', { class: 'wrong-name' }, words.wrong_set, ' ', this.set), this.learn, this.save), this.pictures, this.outcome);
  }

  show(reading, reader, subject) {
    if (this.about === subject.checkpoint) return;
    this.about = subject.checkpoint;
    this.set.value = '';
    this.stop();
    this.outcome.replaceChildren();
    this.open();
  }

  hide() { this.stop(); this.about = null; }

  stop() { clearTimeout(this.timer); this.run = null; }

  request(more = {}) { return { checkpoint: this.about, set: this.set.value, ...more }; }

  async open() {
    const about = this.about, answer = await this.desk.ask('wrong_open', this.request());
    if (about !== this.about) return;
    if (answer.error) { this.tell(answer.error); return; }
    this.agree.hidden = !answer.ask || this.agreed;
    this.agree.querySelector('input').checked = this.agreed;
    this.needed = answer.ask;
    this.cannot = answer.cannot_learn;
    this.choices(answer.classes);
    this.list(answer);
    this.tell('');
  }

  choices(classes) {
    if (classes.length <= LABELS) {
      this.labels.replaceChildren(...classes.map((name, c) => make('button', { type: 'button', onclick: () => this.keep(c, name) }, name)));
      return;
    }
    const list = make('datalist', { id: 'wrong-classes' }, ...classes.map(name => make('option', { value: name })));
    const field = make('input', { type: 'text', list: 'wrong-classes', 'aria-label': this.words.wrong_ask });
    field.addEventListener('change', () => { const c = classes.indexOf(field.value); if (c >= 0) { this.keep(c, field.value); field.value = ''; } });
    this.labels.replaceChildren(field, list);
  }

  async keep(label, name) {
    const picture = this.desk.picture();
    if (!picture) { this.tell(this.words.compare_nothing); return; }
    const agreed = !this.needed || this.agreed;
    if (!agreed) { this.agree.hidden = false; this.agree.querySelector('input').focus(); this.tell(this.words.wrong_agree_first); return; }
    const answer = await this.desk.ask('wrong_keep', this.request({ ...picture, label, agreed, token: keeperToken() }));
    if (answer.error) { this.tell(answer.error); return; }
    this.agree.hidden = true;
    this.list(answer);
    this.tell(say(this.words.wrong_kept, { name, set: answer.set }), answer.file);
  }

  get agreed() { return remembered(AGREED) === 'true'; }

  async remove(file) {
    const answer = await this.desk.ask('wrong_delete', this.request({ file, token: keeperToken() }));
    if (answer.error) { this.tell(answer.error); return; }
    this.list(answer);
    this.tell(this.words.wrong_deleted);
  }

  list({ set, count, pictures }) {
    this.set.value = set;
    this.learn.disabled = !count || Boolean(this.cannot);
    this.learn.textContent = say(this.words.wrong_learn, { count });
    this.learn.title = this.cannot;
    this.save.hidden = !count;
    this.save.href = new URL(`../corrections/${encodeURIComponent(set)}.zip`, document.baseURI);
    this.pictures.replaceChildren(...pictures.map(({ file, label, url }) => make('li', {}, make('img', { src: url, alt: '' }), make('span', {}, label),
      make('button', { type: 'button', 'aria-label': `${this.words.wrong_delete} ${label}`, onclick: () => this.remove(file) }, '×'))));
    if (count && this.cannot) this.outcome.replaceChildren(make('p', { class: 'hint' }, this.cannot));
  }

  tell(sentence, undo = null) {
    this.said.replaceChildren(sentence, ...(undo ? [' ', make('button', { type: 'button', class: 'chip', onclick: () => this.remove(undo) }, this.words.undo_keep)] : []));
  }

  async start() {
    try { await named(); } catch { return; }   // a shared lab asks whose a run is
    this.learn.disabled = true;
    const answer = await this.desk.ask('wrong_learn', this.request());
    if (answer.error) { this.learn.disabled = false; this.tell(answer.error); return; }
    this.run = answer.run;
    this.look();
  }

  async look() {
    const run = this.run;
    if (!run || !this.element.isConnected) return;
    const answer = await this.desk.ask('wrong_look', this.request({ run, ...this.desk.picture() }));
    if (run !== this.run) return;
    if (this.isAway) this.tell('');
    this.isAway = answer.isAway;
    if (answer.isAway) { this.tell(answer.error); this.timer = setTimeout(() => this.look(), AWAY_MS); return; }
    if (answer.error) { this.tell(answer.error); this.learn.disabled = false; return; }
    if (answer.html) { this.learnt(run, answer); return; }
    if (answer.at_rest) { this.tell(say(this.words.wrong_failed, { run })); this.learn.disabled = false; return; }
    this.outcome.replaceChildren(make('div', { class: 'progress' }, make('i', { style: `width: ${100 * answer.share}%` })), make('p', { class: 'hint' }, say(this.words.wrong_learning, { run })));
    this.timer = setTimeout(() => this.look(), AGAIN);
  }

  // Before and after, and the way to the network that has learnt.
  learnt(run, { html, checkpoint }) {
    this.outcome.innerHTML = html;   // escaped by the lab's templates
    const use = make('button', { type: 'button', class: 'chip chosen', onclick: () => this.desk.use(checkpoint) }, say(this.words.wrong_use, { name: run }));
    this.outcome.append(make('p', { class: 'outcome-next' }, use));
    this.learn.disabled = false;
    this.tell('');
    show(this.outcome);
  }
}
