// Compare: the picture through several checkpoints, side by side, one asked after the other.
import { make, say } from '../../shared/elements.js';
import { Calm } from './desk.js';

export class Compare {
  constructor(words, desk) {
    Object.assign(this, { words, desk, known: null, chosen: new Set(), most: 0 });
    this.calm = new Calm(mine => this.ask(mine));
    this.more = make('p', {});
    this.choices = make('div', { class: 'compare-choices' });
    this.results = make('div', { class: 'compare-results', 'aria-live': 'polite' });
    this.element = make('div', { class: 'compare' }, this.more, this.choices, this.results);
  }

  show(reading, reader, subject) {
    const about = `${subject.checkpoint} ${this.desk.photos}`;
    if (about !== this.known) { this.known = about; this.learn(subject); } else this.calm.soon();
  }

  hide() { this.calm.stop(); }

  async learn(subject) {
    const about = this.known, found = await this.desk.ask('compare_list', { checkpoint: subject.checkpoint, photo: this.desk.photos });
    if (about !== this.known) return;
    if (found.error) { this.known = null; this.tell(found.error); return; }
    this.most = found.most;
    this.more.textContent = say(this.words.compare_more, { most: found.most });
    this.chosen = new Set(found.chosen.slice(0, found.most));
    this.entries = [...found.same, ...found.others];
    const group = (title, entries) => (entries.length ? [make('div', { class: 'compare-group', role: 'group', 'aria-label': title },
      make('span', {}, title), ...entries.map(entry => this.chip(entry)))] : []);
    this.choices.replaceChildren(...group(this.words.compare_same, found.same), ...group(this.words.compare_others, found.others));
    this.calm.soon(0);
  }

  chip({ key, title }) {
    const chip = make('button', { type: 'button', class: 'chip', 'data-key': key, 'aria-pressed': String(this.chosen.has(key)) }, title);
    chip.addEventListener('click', () => {
      if (this.chosen.has(key)) this.chosen.delete(key);
      else if (this.chosen.size < this.most) this.chosen.add(key);
      chip.setAttribute('aria-pressed', String(this.chosen.has(key)));
      this.calm.soon(0);
    });
    return chip;
  }

  async ask(mine) {
    const picture = this.desk.picture();
    if (!picture) { this.tell(this.words.compare_nothing); return; }
    const wanted = this.entries?.filter(entry => this.chosen.has(entry.key)) ?? [], before = new Map();
    for (const slot of this.results.querySelectorAll('[data-key]')) before.set(slot.dataset.key, slot);
    // Kept in their places while they are asked again, so that nothing jumps.
    const slots = wanted.map(({ key, title }) => {
      const slot = before.get(key) ?? make('div', { class: 'compare-slot', 'data-key': key }, make('h4', {}, title));
      slot.classList.add('waiting');
      return slot;
    });
    this.results.replaceChildren(...slots);
    for (const slot of slots) {
      const answer = await this.desk.ask('compare_one', { ...picture, key: slot.dataset.key });
      if (!mine()) return;
      slot.classList.remove('waiting');
      if (answer.error) slot.replaceChildren(make('p', { class: 'failure' }, answer.error));
      else slot.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    }
  }

  tell(sentence) { this.results.replaceChildren(make('p', { class: 'hint' }, sentence)); }
}
