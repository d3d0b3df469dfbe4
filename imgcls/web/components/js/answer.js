// The answer: the likeliest class, a bar for each, and the picture that the network really saw. The same marks as
// views/answers.py makes, but kept and changed in place: while one draws only widths and numbers move.
export const ORDERED = 10;   // up to so many classes the bars stay in their own order

export function say(sentence, values) {
  return sentence.replace(/\{(\w+)\}/g, (all, name) => (name in values ? values[name] : all));
}

export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== null) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

export function percent(share) {
  if (share >= 0.9995) return '>99.9%';
  return share < 0.0005 ? '<0.1%' : `${(share * 100).toFixed(1)}%`;
}

// A grey or [r, g, b] picture of `side` pixels on a canvas, every pixel a square.
export function paint(canvas, side, colour) {
  canvas.width = canvas.height = side;
  const target = canvas.getContext('2d'), image = target.createImageData(side, side);
  for (let i = 0; i < side * side; i++) {
    const c = colour(i);
    if (typeof c === 'number') image.data[4 * i] = image.data[4 * i + 1] = image.data[4 * i + 2] = c;
    else image.data.set(c, 4 * i);
    image.data[4 * i + 3] = 255;
  }
  target.putImageData(image, 0, 0);
}

export class Answer {
  constructor(element, classes, preprocess, words) {
    this.element = element;
    this.classes = classes;
    this.words = words;
    this.side = preprocess.size;
    this.label = make('div', { class: 'answer-label', 'data-testid': 'answer' });
    this.sure = make('div', { class: 'answer-sure' });
    this.note = make('p', { class: 'answer-note', hidden: true });
    this.bars = Array.from({ length: Math.min(classes.length, ORDERED) }, () => {
      const name = make('span', { class: 'bar-name' }), fill = make('i'), share = make('span', { class: 'bar-share' });
      return { row: make('li', {}, name, make('span', { class: 'bar-track' }, fill), share), name, fill, share };
    });
    this.picture = make('canvas', { role: 'img', 'aria-label': words.sees });
    const more = say(words.sees_more, { width: this.side, height: this.side });
    this.answer = make('div', { class: 'answer' },
      make('div', { class: 'answer-head' }, this.label, this.sure), this.note,
      make('ol', { class: 'bars' }, ...this.bars.map(bar => bar.row)),
      make('figure', { class: 'seen' }, this.picture,
        make('figcaption', {}, make('strong', {}, words.sees), more)));
  }

  // probabilities: one a class; grey: what the network saw; note: a sentence, or '' where it is sure.
  show({ label, probabilities, grey, note = '' }) {
    const order = probabilities.map((_, i) => i).sort((a, b) => probabilities[b] - probabilities[a]);
    const best = order[0], shown = this.classes.length <= ORDERED ? this.classes.keys() : order;
    this.label.textContent = label ?? this.classes[best];
    this.label.classList.toggle('long', this.label.textContent.length > 3);
    this.sure.textContent = say(this.words.sure, { share: percent(probabilities[best]) });
    this.note.textContent = note;
    this.note.hidden = !note;
    this.answer.classList.toggle('unsure', Boolean(note));
    const row = [...shown];
    this.bars.forEach(({ row: item, name, fill, share }, i) => {
      name.textContent = this.classes[row[i]];
      fill.style.width = `${(probabilities[row[i]] * 100).toFixed(1)}%`;
      share.textContent = percent(probabilities[row[i]]);
      item.className = row[i] === best ? 'first' : '';
    });
    paint(this.picture, this.side, i => grey[i]);
    if (this.answer.parentNode !== this.element) this.element.replaceChildren(this.answer);
  }
}

// Instead of an answer: what to do, or (without more) what went wrong.
export function nothing(title, more = '') {
  return more
    ? make('div', { class: 'answer nothing', 'data-testid': 'nothing' },
      make('div', { class: 'nothing-mark', 'aria-hidden': 'true' }), make('strong', {}, title), make('span', {}, more))
    : make('div', { class: 'answer nothing', role: 'alert' }, make('strong', {}, title));
}
