// Collect: what is shown follows what the server has kept; nothing is kept here but the draft's token.
import { make } from '../shared/elements.js';
import { keepingFocus } from '../shared/redraw.js';
import { remember, remembered } from '../shared/storage.js';
import { Webcam } from './webcam.js';

const TOKEN_KEY = 'imgcls-draft';
const SENT_PX = 1024;   // the longest side of what is sent of a file
const SHOT_PX = 640;    // of what the camera took
const THUMB_PX = 96;
const JPEG_QUALITY = 0.9;

// A picture as a JPEG's data URL whose longer side is at most `side`.
function jpeg(source, width, height, side) {
  const scale = Math.min(1, side / Math.max(width, height)), canvas = document.createElement('canvas');
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext('2d');
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas.toDataURL('image/jpeg', JPEG_QUALITY);
}

class Collection {
  constructor({ element, props, server }) {
    Object.assign(this, { props, server, said: { ...props }, find: selector => element.querySelector(selector) });
    this.token = null;
    this.classes = [];   // { name, photos: [[name, thumbnail's URL], ...] }
    this.chosen = null;
    this.sending = Promise.resolve();   // one photo after another: the order taken is the order kept
    this.adding = Promise.resolve();    // files that are still to be read
    this.opened = Promise.resolve();    // until the draft is there, what is asked waits: its answer would sweep a new class away
    this.webcam = new Webcam(this.find, this.said, {
      changed: () => this.show(), tell: (...sentence) => this.tell(...sentence), shoot: burst => this.shoot(burst),
    });
  }

  tell(text, bad = false) {
    const line = this.find('.collect-said');
    line.textContent = text || '';
    line.classList.toggle('bad', bad);
  }

  async ask(name, values) {
    let answer = null;
    if (name !== 'collect_open') await this.opened;
    try { answer = await this.server[name]({ token: this.token, ...values }); } catch { /* the sentence below */ }
    if (!answer || answer.error) { this.tell(answer?.error ?? this.said.no_answer, true); return null; }
    return answer;
  }

  async open() {
    this.token = remembered(TOKEN_KEY);
    let answer = null;
    try { answer = await this.server.collect_open({ token: this.token }); } catch { /* the sentence below */ }
    if (!answer) { this.tell(this.said.no_answer, true); return; }   // the token is kept: what it stands for is still there
    if (answer.error) { this.token = null; answer = await this.ask('collect_open', {}); }
    if (!answer) return;
    this.token = answer.token;
    remember(TOKEN_KEY, this.token);
    this.classes = answer.classes.map(([name, photos]) => ({ name, photos }));
    this.chosen = this.classes.at(-1) ?? null;
    this.show();
  }

  show() {
    const { said, chosen, find } = this, take = find('.collect-take');
    const list = this.classes.map(one => this.card(one));
    const shown = list.length ? list : [make('p', { class: 'collect-none' }, said.two_classes)];
    keepingFocus(find('.collect-classes'), () => find('.collect-classes').replaceChildren(...shown));
    find('.collect-drop input').disabled = !chosen;
    find('.collect-drop').classList.toggle('off', !chosen);
    take.disabled = !chosen || !this.webcam.isOn;
    take.textContent = chosen ? `${said.take} · ${chosen.name}` : said.take;
    find('.collect-save button').disabled = this.classes.filter(one => one.photos.length).length < 2;
  }

  card(one) {
    const { said } = this, isChosen = one === this.chosen, choose = () => { this.chosen = one; this.show(); };
    const remove = event => { event.stopPropagation(); this.removeClass(one); };
    const label = `${said.remove_class}: ${one.name}`;
    // A click anywhere in the card chooses it; its button is for the keyboard and for screen readers.
    const button = make('button', { type: 'button', class: 'collect-choose', 'aria-pressed': String(isChosen), 'data-name': one.name },
      make('strong', {}, one.name), make('span', {}, String(one.photos.length)));
    return make('section', { class: isChosen ? 'collect-class chosen' : 'collect-class', title: said.here_go_photos, onclick: choose },
      make('header', {}, button,
        make('button', { type: 'button', title: said.remove_class, 'aria-label': label, 'data-name': one.name, onclick: remove }, '×')),
      make('div', { class: 'collect-strip' }, ...one.photos.map(([photo, url]) => this.thumbnail(one, photo, url)),
        ...(one.photos.length ? [] : [make('p', {}, isChosen ? said.photos_go_here : said.no_photos_yet)])));
  }

  thumbnail(one, photo, url) {
    const { said } = this, remove = event => { event.stopPropagation(); this.removePhoto(one, photo); };
    return make('button', { type: 'button', title: said.remove_photo, 'aria-label': `${said.remove_photo} ${photo}`, 'data-name': `${one.name}/${photo}`, onclick: remove },
      make('img', { src: url, alt: one.name }));
  }

  async addClass(name) {
    const answer = await this.ask('collect_class', { name });
    if (!answer) return;
    this.chosen = { name: answer.name, photos: [] };
    this.classes.push(this.chosen);
    this.tell('');
    this.find('.collect-name input').value = '';
    this.show();
  }

  async removeClass(one) {
    if (one.photos.length && !confirm(`${this.said.remove_class}: ${one.name}?`)) return;
    if (!await this.ask('collect_unclass', { name: one.name })) return;
    this.classes = this.classes.filter(other => other !== one);
    if (this.chosen === one) this.chosen = this.classes.at(-1) ?? null;
    this.tell('');
    this.show();
  }

  async removePhoto(one, photo) {
    if (!await this.ask('collect_unphoto', { name: one.name, photo })) return;
    const at = one.photos.findIndex(([other]) => other === photo), [removed] = one.photos.splice(at, 1);
    this.tell(`${this.said.photo_removed} `);
    this.show();
    const undo = async () => {
      if (!await this.ask('collect_restore', { name: one.name, photo })) return;
      if (!this.classes.includes(one)) { one.photos = []; this.classes.push(one); }   // its class was deleted meanwhile
      one.photos.splice(Math.min(at, one.photos.length), 0, removed);
      this.tell('');
      this.show();
    };
    this.find('.collect-said').append(make('button', { type: 'button', class: 'collect-undo', onclick: undo }, this.said.undo));
  }

  // burst: the same object for photos that were taken in one go, which are never split between training and validation.
  send(one, image, thumbnail, burst = {}) {
    this.sending = this.sending.then(async () => {
      const answer = await this.ask('collect_photo', { name: one.name, image, burst: burst.first });
      if (!answer) return;
      burst.first ??= answer.photo;
      one.photos.push([answer.photo, thumbnail]);
      this.tell('');
      this.show();
    });
    return this.sending;
  }

  shoot(burst) {
    const { video } = this.webcam;
    if (!this.chosen || !this.webcam.isShowing) return;
    const [image, thumbnail] = [SHOT_PX, THUMB_PX].map(side => jpeg(video, video.videoWidth, video.videoHeight, side));
    this.send(this.chosen, image, thumbnail, burst);
  }

  // To the class that is chosen now: another may be by the time those before them have been sent.
  addFiles(files) {
    const one = this.chosen;
    if (one) this.adding = this.adding.then(() => this.sendFiles(files, one));
  }

  async sendFiles(files, one) {
    for (const file of files) {
      try {
        const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
        const [image, thumbnail] = [SENT_PX, THUMB_PX].map(side => jpeg(bitmap, bitmap.width, bitmap.height, side));
        await this.send(one, image, thumbnail);
        bitmap.close();
      } catch { this.tell(this.said.not_readable.replace('{file}', file.name), true); }
    }
  }

  async save() {
    await this.adding;
    await this.sending;
    const name = this.find('.collect-save input'), answer = await this.ask('collect_save', { name: name.value });
    if (!answer) return;
    this.webcam.turnOff();
    this.tell('');
    name.value = '';
    remember(TOKEN_KEY, null);
    await this.open();
    this.props.value = answer.saved;
  }

  async clear() {
    if (!this.classes.length || !confirm(this.said.clear_draft_sure)) return;
    if (!await this.ask('collect_clear', {})) return;
    remember(TOKEN_KEY, null);
    await this.open();
    this.tell('');
  }

  wire() {
    const { find } = this, files = find('.collect-drop input'), drop = find('.collect-drop');
    const over = (names, is) => names.forEach(name => drop.addEventListener(name, event => {
      event.preventDefault();
      drop.classList.toggle('over', is);
    }));
    files.onchange = () => { this.addFiles([...files.files]); files.value = ''; };
    over(['dragenter', 'dragover'], true);
    over(['dragleave', 'drop'], false);
    drop.addEventListener('drop', event => this.addFiles([...event.dataTransfer.files].filter(file => file.type.startsWith('image/'))));
    find('.collect-name').onsubmit = event => {
      event.preventDefault();
      const name = find('.collect-name input').value.trim();
      if (name) this.addClass(name);
    };
    find('.collect-save').onsubmit = event => { event.preventDefault(); this.save(); };
    find('.collect-clear').onclick = () => this.clear();
  }
}

export function start(component) {
  const collection = new Collection(component);
  collection.wire();
  collection.show();
  collection.opened = collection.open();
}
