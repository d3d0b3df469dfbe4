// What opens on demand below the answer: one panel at a time, none at first, and only the open one is computed.
import { make } from '../../shared/elements.js';
import { show } from '../../shared/show_result.js';

// A panel whose script comes when it is opened for the first time: `load()` promises it. `failed` is said where it cannot be
// had.
export class Later {
  constructor(name, title, fits, load, failed) {
    Object.assign(this, { name, title, fits, load, failed, panel: null, asked: null, given: null });
    this.element = make('div');
  }

  get inView() { return this.panel?.inView ?? this.panel?.element; }

  show(...given) {
    this.given = given;
    if (this.panel) this.panel.show(...given);
    else this.asked ??= this.come();
  }

  async come() {
    try {
      this.panel = await this.load();
    } catch {
      this.asked = null;   // asked for again when something changes
      this.element.replaceChildren(make('p', { class: 'hint', role: 'alert' }, this.failed));
      return;
    }
    this.element.replaceChildren(this.panel.element);
    if (this.given) this.panel.show(...this.given);
  }

  hide() {
    this.given = null;
    this.panel?.hide?.();
  }
}

// Each panel: { name, title, fits(reader, subject), show(reading, reader, subject) } and `element`, which it fills itself;
// `hide()` where closing it must undo something. `reader`: the network that the page computes, null where the server
// does; `subject`: what the server is asked about, null in a page without one.
export class Panels {
  // `link`: an <a> at the end of the row, `href` of which is made from the network's address.
  constructor(element, live, panels, link = null) {
    Object.assign(this, { element, panels, link, reading: null, reader: null, subject: null, open: null });
    this.buttons = panels.map(panel => make('button', {
      type: 'button', 'aria-expanded': 'false', 'data-panel': panel.name, onclick: () => this.toggle(panel),
    }, panel.title));
    this.body = make('div', { class: 'panel-body' });
    element.append(make('div', { class: 'panel-buttons' }, ...this.buttons, ...(link ? [link] : [])), this.body);
    live.listeners.add((reading, reader) => this.tell(reading, reader));
    this.choose();
  }

  async toggle(panel) {
    this.open?.hide?.();
    this.open = this.open === panel ? null : panel;
    this.buttons.forEach((button, i) => button.setAttribute('aria-expanded', String(this.panels[i] === this.open)));
    this.body.replaceChildren(...(this.open ? [this.open.element] : []));
    this.element.classList.toggle('open', Boolean(this.open));
    this.update();
    await panel.asked;   // its script, where it comes later
    if (this.open === panel) show(panel.inView ?? this.body);
  }

  tell(reading, reader) {
    this.reading = reading;
    const other = reader?.meta !== this.reader?.meta;   // another network, not another epoch of it
    this.reader = reader;
    if (other || !reader) this.choose();
    this.update();
  }

  about(subject) {
    this.subject = subject;
    this.choose();
    this.update();
  }

  // Which of them there are to open.
  choose() {
    const { reader, subject } = this, fits = this.panels.map(panel => Boolean((reader || subject) && panel.fits(reader, subject)));
    this.element.hidden = !fits.some(Boolean);
    this.buttons.forEach((button, i) => { button.hidden = !fits[i]; });
    if (this.link) {
      this.link.hidden = !reader;
      if (reader) this.link.href = `${reader.url}/page`;
    }
    if (this.open && !fits[this.panels.indexOf(this.open)]) this.toggle(this.open);
  }

  update() { if (this.open && (this.reader || this.subject)) this.open.show(this.reading, this.reader, this.subject); }
}
