// Look inside and why, of networks that the server computes: the strongest maps of each stage, and where it looks.
import { make, say } from '../../shared/elements.js';
import { percent } from './answer.js';
import { Calm } from './desk.js';
import { Picture, RAMP } from './picture.js';

// [red, green, blue, alpha] of a heat map: nothing, red, orange, yellow.
const HEAT = Array.from({ length: 256 }, (_, i) => { const t = i / 255; return [255, 60 + 130 * t, 20 + 20 * t, 190 * t ** 0.8]; });

// The maps of a stage, each a Uint8Array of side * side.
function mapsOf({ maps, side }) {
  const bytes = Uint8Array.from(atob(maps), c => c.charCodeAt(0));
  return Array.from({ length: bytes.length / side ** 2 }, (_, i) => bytes.subarray(i * side ** 2, (i + 1) * side ** 2));
}

// The picture without its colours, and heat over it.
class Overlay {
  constructor(caption) {
    Object.assign(this, { image: make('img', { alt: '' }), canvas: make('canvas', { role: 'img', 'aria-label': caption }) });
    this.caption = make('figcaption', {}, caption);
    this.element = make('figure', { class: 'overlay' }, make('span', {}, this.image, this.canvas), this.caption);
  }

  paint(picture, values, side, caption = null) {
    this.image.src = picture;
    Object.assign(this.canvas, { width: side, height: side });
    const context = this.canvas.getContext('2d'), target = context.createImageData(side, side);
    values.forEach((v, i) => target.data.set(HEAT[v], 4 * i));
    context.putImageData(target, 0, 0);
    if (caption) { this.caption.textContent = caption; this.canvas.setAttribute('aria-label', caption); }
    return this;
  }
}

// What both have in common: the server is asked when the picture or the network has changed, and only then.
class Staged {
  constructor(words, desk, title) {
    Object.assign(this, { words, desk, title, subject: null, known: null, answer: null });
    this.calm = new Calm(mine => this.ask(mine));
  }

  show(reading, reader, subject) { this.subject = subject; this.calm.soon(this.known ? undefined : 0); }

  hide() { this.calm.stop(); }

  async ask(mine) {
    const picture = this.desk.picture(), about = JSON.stringify([picture, this.subject.checkpoint]);
    if (about === this.known) return;
    this.known = null;
    if (!picture) { this.tell(this.words.stages_nothing); return; }
    this.element.classList.add('waiting');
    if (!this.answer) this.tell(this.words.stages_wait);
    const answer = await this.desk.ask(this.asks, { ...picture, checkpoint: this.subject.checkpoint });
    if (!mine()) return;
    this.element.classList.remove('waiting');
    if (answer.error) { this.tell(answer.error); return; }
    Object.assign(this, { known: about, answer, asked: { ...picture, checkpoint: this.subject.checkpoint } });
    this.fill(answer, mine);
  }

  tell(sentence) { this.answer = this.known = null; this.element.classList.remove('waiting'); this.element.replaceChildren(make('p', { class: 'hint' }, sentence)); }

  stage(index, first = false) { return first && index === 0 ? this.words.first_maps : say(this.words.stage, { number: first ? index : index + 1 }); }
}

export class StageMaps extends Staged {
  constructor(words, desk) {
    super(words, desk, words.inside);
    this.asks = 'stages_maps';
    this.element = make('div', { class: 'inside stages' });
  }

  fill({ stages, picture, likely }) {
    this.chosen = make('div', { class: 'chosen-map', 'aria-live': 'polite' });
    const flow = make('div', { class: 'flow', role: 'group', 'aria-label': this.title },
      this.column('input', this.words.layer_input, '', make('img', { class: 'stage-input', src: picture, alt: this.words.sees })),
      ...stages.map((stage, index) => this.maps(stage, index, picture)),
      this.column('answers', this.words.stage_answer, '', ...likely.map(([, name, share], i) => this.output(name, share, i === 0))));
    this.element.replaceChildren(make('p', { class: 'hint' }, this.words.stages_hint), make('div', { class: 'flow-scroll' }, flow), this.chosen);
  }

  column(kind, title, more, ...content) {
    return make('div', { class: `stage ${kind}` }, make('div', { class: 'stage-head' }, make('strong', {}, title), make('span', {}, more)),
      make('div', { class: 'maps' }, ...content));
  }

  maps(stage, index, picture) {
    const title = this.stage(index, true), found = mapsOf(stage), { side, whole, numbers, count } = stage;
    const buttons = found.map((values, i) => {
      const label = say(this.words.stage_map, { stage: title, map: numbers[i] }), small = new Picture(side, side);
      small.paint(values, v => RAMP[v]);
      const button = make('button', { type: 'button', class: 'map', 'aria-label': label, title: label, 'aria-pressed': 'false' }, small.canvas);
      button.addEventListener('click', () => this.choose(button, label, picture, values, side));
      return button;
    });
    return this.column('strongest', title, say(this.words.stage_maps, { shown: found.length, count: count.toLocaleString(document.documentElement.lang), size: `${whole}\u00a0×\u00a0${whole}` }), ...buttons);
  }

  output(name, share, best) {
    return make('div', { class: `stage-answer${best ? ' best' : ''}` }, make('b', { title: name }, name), make('span', {}, percent(share)),
      make('i', { class: 'fill-track' }, make('i', { class: 'fill', style: `width: ${(share * 100).toFixed(1)}%` })));
  }

  choose(button, label, picture, values, side) {
    const again = button.getAttribute('aria-pressed') === 'true';
    this.element.querySelectorAll('.map').forEach(map => map.setAttribute('aria-pressed', String(map === button && !again)));
    const most = Math.max(...values, 1), scaled = values.map(v => 255 * v / most);   // by its own largest value
    this.chosen.replaceChildren(...(again ? [] : [new Overlay(label).paint(picture, scaled, side).element,
      make('p', {}, this.words.stage_map_more)]));
  }
}

export class StageWhy extends Staged {
  constructor(words, desk) {
    super(words, desk, words.why);
    Object.assign(this, { asks: 'stages_why', at: -1, turn: 0 });
    this.trained = new Overlay('');
    this.untrained = new Overlay(words.looked_untrained);
    this.classes = make('div', { class: 'why-classes', role: 'group', 'aria-label': words.why_about });
    this.stages = make('div', { class: 'why-classes', role: 'group', 'aria-label': words.stage_which });
    this.alike = make('div', { class: 'alike' });
    this.element = make('div', { class: 'why stage-why' });
  }

  fill({ likely, classes, stages, target, alike }, mine) {
    const about = (name, c) => make('button', { type: 'button', 'data-class': c, onclick: () => this.about(c) }, name);
    this.classes.replaceChildren(...likely.map(([c, name]) => about(name, c)));
    if (classes.length > likely.length) this.classes.append(this.others(classes));
    this.at = this.at < 0 || this.at >= stages.length ? stages.length - 1 : this.at;
    this.stages.replaceChildren(...stages.map(({ name, whole }, i) => make('button', {
      type: 'button', title: `${name}, ${whole} × ${whole}`, onclick: () => { this.at = i; this.paint(); },
    }, this.stage(i))));
    this.alike.replaceChildren(...(alike.length ? [make('p', {}, this.words.alike), make('ul', { class: 'kept' },
      ...alike.map(({ name, url }) => make('li', { title: name }, make('img', { src: url, alt: name }), make('span', {}, name.split('/')[0]))))] : []));
    this.element.replaceChildren(this.trained.element, this.untrained.element, make('div', {}, make('p', {}, this.words.stages_why_more),
      make('p', { class: 'why-label' }, this.words.why_about), this.classes, make('p', { class: 'why-label' }, this.words.stage_which), this.stages), this.alike);
    this.show_heat(stages, target);
  }

  others(classes) {
    const field = make('input', { type: 'text', list: 'why-others', placeholder: this.words.other_class, 'aria-label': this.words.other_class });
    field.addEventListener('change', () => { const c = classes.indexOf(field.value); if (c >= 0) this.about(c); });
    return make('span', {}, field, make('datalist', { id: 'why-others' }, ...classes.map(name => make('option', { value: name }))));
  }

  // Another class of the same picture.
  async about(target) {
    const turn = ++this.turn;
    this.buttons(target);
    this.element.classList.add('waiting');
    const answer = await this.desk.ask('stages_why', { ...this.asked, target });
    if (turn !== this.turn) return;
    this.element.classList.remove('waiting');
    if (answer.error) { this.tell(answer.error); return; }
    this.show_heat(answer.stages, target);
  }

  // The heat for class `target`, and then that of the network before it had learnt. Whatever is asked later ends it.
  async show_heat(trained, target) {
    const turn = ++this.turn;
    this.heats = { trained, untrained: null, target };
    this.paint();
    const answer = await this.desk.ask('stages_why', { ...this.asked, target, untrained: true });
    if (turn !== this.turn || answer.error || !this.answer) return;
    this.heats.untrained = answer.stages;
    this.paint();
  }

  buttons(target) {
    this.classes.querySelectorAll('button').forEach(button => button.setAttribute('aria-pressed', String(Number(button.dataset.class) === target)));
    [...this.stages.children].forEach((button, i) => button.setAttribute('aria-pressed', String(i === this.at)));
  }

  paint() {
    this.buttons(this.heats.target);
    const { picture, classes } = this.answer, heat = stages => [mapsOf(stages[this.at])[0], stages[this.at].side];
    this.trained.paint(picture, ...heat(this.heats.trained), say(this.words.looked_at, { name: classes[this.heats.target] }));
    this.untrained.element.classList.toggle('waiting', !this.heats.untrained);
    this.untrained.image.src = picture;
    if (this.heats.untrained) this.untrained.paint(picture, ...heat(this.heats.untrained));
    this.trained.canvas.dataset.state = 'done';
    this.untrained.canvas.dataset.state = this.heats.untrained ? 'done' : 'working';
  }
}
