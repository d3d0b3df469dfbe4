// What opens on demand below the answer: one panel at a time, none at first, and only the open one is computed.
import { make } from './answer.js';

// Each panel: { name, title, fits(reader), show(reading, reader) } and `element`, which it fills itself; `hide()` where
// closing it must undo something.
export class Panels {
  // `link`: an <a> at the end of the row, `href` of which is made from the network's address.
  constructor(element, live, panels, link = null) {
    Object.assign(this, { element, panels, link, reading: null, reader: null, open: null });
    this.buttons = panels.map(panel => make('button', {
      type: 'button', 'aria-expanded': 'false', 'data-panel': panel.name, onclick: () => this.toggle(panel),
    }, panel.title));
    this.body = make('div', { class: 'panel-body' });
    element.append(make('div', { class: 'panel-buttons' }, ...this.buttons, ...(link ? [link] : [])), this.body);
    live.listeners.add((reading, reader) => this.tell(reading, reader));
    this.tell(null, null);
  }

  toggle(panel) {
    this.open?.hide?.();
    this.open = this.open === panel ? null : panel;
    this.buttons.forEach((button, i) => button.setAttribute('aria-expanded', String(this.panels[i] === this.open)));
    this.body.replaceChildren(...(this.open ? [this.open.element] : []));
    this.element.classList.toggle('open', Boolean(this.open));
    this.update();
  }

  tell(reading, reader) {
    this.reading = reading;
    const other = reader?.meta !== this.reader?.meta;   // another network, not another epoch of it
    this.reader = reader;
    if (other || !reader) {
      this.element.hidden = !reader;
      this.buttons.forEach((button, i) => { button.hidden = !reader || !this.panels[i].fits(reader); });
      if (this.link && reader) this.link.href = `${reader.url}/page`;
      if (this.open && !(reader && this.open.fits(reader))) this.toggle(this.open);
    }
    this.update();
  }

  update() { if (this.open && this.reader) this.open.show(this.reading, this.reader); }
}
