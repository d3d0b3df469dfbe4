// The images of an evaluation: a list that is filtered, one of them opened in it, moved to another class or deleted.
import { make, say } from '../shared/elements.js';

const CACHE = 'imgcls-drawing';   // where the pad finds a drawing when it opens

export class EvaluationImages {
  // page: { view, ask, tell, said, trigger }
  constructor(page) {
    Object.assign(this, page, { classes: [], opened: null, listing: 0, opening: 0 });   // the last two: which was asked for last
  }

  // A result is there.
  wire(classes) {
    this.classes = classes;
    const filters = this.view.querySelector('.filters'), more = this.view.querySelector('button.more');
    filters.onchange = () => this.list();
    filters.onsubmit = event => event.preventDefault();
    more.onclick = () => this.list(+more.dataset.next);
    this.list();
  }

  // Those of a cell or a class.
  choose({ true: row, predicted }) {
    const filters = this.view.querySelector('.filters').elements;
    filters.true.value = row ?? '';
    filters.predicted.value = predicted ?? '';
    filters.verdict.value = filters.sure.value = '';
    filters.confidence.value = '0 1';
    this.list();
    this.view.querySelector('.evaluation-images').scrollIntoView({ behavior: 'smooth', block: 'nearest' });
  }

  async list(start = 0) {
    const filters = Object.fromEntries(new FormData(this.view.querySelector('.filters')));
    const list = this.view.querySelector('[data-slot=images]'), more = this.view.querySelector('button.more');
    const mine = ++this.listing, answer = await this.ask('evaluate_images', { ...filters, start_at: start });
    if (mine !== this.listing || !list.isConnected) return;
    if (answer.error) { this.tell(answer.error, true); return; }
    if (!start) { list.replaceChildren(); this.close(); }
    this.view.querySelector('[data-slot=images-title]').textContent = this.title(filters, answer.total);
    list.append(...answer.images.map(image => this.item(image)));
    more.hidden = answer.next >= answer.total;
    more.dataset.next = answer.next;
  }

  title(filters, total) {
    if (!total) return this.said.none;
    const named = value => (value === '' ? this.said.any : this.classes[+value]);
    return say(filters.true === '' && filters.predicted === '' ? this.said.images_all : this.said.images_of, {
      count: total.toLocaleString(document.documentElement.lang), true: named(filters.true), predicted: named(filters.predicted),
    });
  }

  item(image) {
    const button = make('button', { type: 'button', class: image.right ? 'right' : 'wrong', title: `${image.true} → ${image.predicted}, ${image.confidence}` },
      make('img', { src: image.url, alt: '', loading: 'lazy' }),
      make('span', { class: 'labels' }, image.right ? image.true : `${image.true} → ${image.predicted}`),
      make('span', { class: 'share' }, image.confidence + (image.sure ? '' : ' ?')));
    const item = make('li', {}, button);
    button.onclick = () => this.open(image, item);
    return item;
  }

  close() { this.opening += 1; this.opened?.remove(); this.opened = null; }

  // In the list, beneath its thumbnail.
  async open({ place }, item) {
    const mine = ++this.opening, answer = await this.ask('evaluate_image', { place });
    if (mine !== this.opening || !item.isConnected) return;
    if (answer.error) { this.tell(answer.error, true); return; }
    this.close();
    this.opened = make('li', { class: 'open' });
    this.opened.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    item.after(this.opened);
    this.wireOpened(place, item);
    this.opened.querySelector('.close').focus({ preventScroll: true });
    this.opened.scrollIntoView({ behavior: 'smooth', block: 'nearest' });
  }

  wireOpened(place, item) {
    const find = selector => this.opened.querySelector(selector);
    const back = () => { this.close(); item.querySelector('button')?.focus(); };
    find('.close').onclick = back;
    this.opened.onkeydown = event => { if (event.key === 'Escape') back(); };
    find('.to-classify').onclick = () => this.explain(place);
    if (!find('.move')) return;   // of a built-in set
    find('.move').onclick = () => {
      const label = find('.mend select').value;
      this.edit('evaluate_move', { place, label }, say(this.said.moved, { label }), item);
    };
    find('.delete').onclick = () => this.edit('evaluate_delete', { place }, this.said.deleted, item);
  }

  // In Classify, which explains it: a drawing lies on the pad already when that tab opens; a photo is put there by the server.
  async explain(place) {
    const answer = await this.ask('evaluate_hand_over', { place });
    if (answer.error) { this.tell(answer.error, true); return; }
    if (answer.drawing) {
      const pad = document.querySelector('#pad .pad'), drawing = [{ picture: answer.drawing }];
      if (pad?.put) pad.put(drawing);
      else try { sessionStorage.setItem(CACHE, JSON.stringify(drawing)); } catch { /* private mode */ }
    }
    this.trigger('submit', { checkpoint: answer.checkpoint, photo: answer.photo || '' });
  }

  async edit(name, values, sentence, item) {
    const answer = await this.ask(name, values);
    if (answer.error) { this.tell(answer.error, true); return; }
    this.close();
    item.hidden = true;
    this.tell(sentence, false, async () => {
      const undone = await this.ask('evaluate_undo', { change: answer.change });
      if (undone.error) { this.tell(undone.error, true); return; }
      item.hidden = false;
      this.tell(this.said.undone);
    });
  }
}
