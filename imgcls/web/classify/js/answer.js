// The answer: the likeliest class, a bar for each, and the picture that the network really saw. The same marks as
// answer_view.py makes, but kept and changed in place: while one draws only widths and numbers move.
import { make, say } from '../../shared/elements.js';

const NAMED = 12;   // classes; of more than these the first few
const CLOSE = 0.25;   // probability of the second class from which on it is named beside the first
const ORDERED = 10;   // up to so many classes the bars stay in their own order

export function percent(share) {
  if (share >= 0.9995) return '>99.9%';
  return share < 0.0005 ? '<0.1%' : `${(share * 100).toFixed(1)}%`;
}

// A grey or [r, g, b] picture of `side` pixels on a canvas, every pixel a square.
function paint(canvas, side, colour) {
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

// Whether the bars say by themselves what the network knows.
const digits = classes => classes.join('') === '0123456789';

// What the network can answer at all: it has to choose one of these whatever it is shown.
function knows(checkpoint, classes, words) {
  if (digits(classes)) return say(words.knows_digits, { checkpoint });
  const named = classes.slice(0, NAMED).join(words.listed), count = classes.length.toLocaleString(document.documentElement.lang);
  return say(classes.length > NAMED ? words.knows_some : words.knows, { checkpoint, count, classes: named });
}

export class Answer {
  constructor(element, { classes, preprocess, name }, words) {
    this.element = element;
    this.classes = classes;
    this.words = words;
    this.side = preprocess.size;
    this.label = make('div', { class: 'answer-label', 'data-testid': 'answer' });
    this.sure = make('div', { class: 'answer-sure' });
    this.doubt = make('div', { class: 'answer-doubt', hidden: true }, words.unsure);
    this.note = make('p', { class: 'answer-note' });
    this.bars = Array.from({ length: Math.max(8, Math.min(classes.length, ORDERED)) }, () => {
      const name = make('span', { class: 'bar-name' }), fill = make('i'), share = make('span', { class: 'bar-share' });
      return { row: make('li', {}, name, make('span', { class: 'bar-track' }, fill), share), name, fill, share };
    });
    this.pictures = make('div', { class: 'pictures' });
    const more = say(words.sees_more, { width: this.side, height: this.side });
    this.answer = make('div', { class: 'answer' },
      make('div', { class: 'answer-top' },
        make('div', { class: 'answer-words' },
          make('div', { class: 'answer-head' }, this.doubt, this.label, this.sure), this.note),
        make('figure', { class: 'seen' }, this.pictures, make('figcaption', {}, make('strong', {}, words.sees), more))),
      make('ol', { class: 'bars' }, ...this.bars.map(bar => bar.row)),
      ...(digits(classes) ? [] : [make('p', { class: 'answer-knows' }, knows(name, classes, words))]));
  }

  // parts: the reading of each digit; a single one has a bar a class, several have a bar each. doubt: as Reader.read has it.
  show({ parts, doubt = null }) {
    const bests = parts.map(({ probabilities }) => probabilities.indexOf(Math.max(...probabilities)));
    const shares = parts.map(({ probabilities }, i) => probabilities[bests[i]]);
    write(this.label, bests.map(best => this.classes[best]).join(''));
    this.label.classList.toggle('long', this.label.textContent.length > 3);
    const share = percent(Math.min(...shares));
    write(this.sure, doubt ? this.words.nearest : say(this.words.sure, { share }));
    write(this.note, this.remark(doubt, parts, share));
    this.doubt.hidden = !doubt;
    this.answer.classList.toggle('unsure', Boolean(doubt));
    this.answer.classList.toggle('several', parts.length > 1);
    if (parts.length > 1) this.fill(bests.map((best, i) => [this.classes[best], shares[i], true]));
    else this.fill(this.ranked(parts[0].probabilities, bests[0]));
    while (this.pictures.childElementCount > parts.length) this.pictures.lastChild.remove();
    while (this.pictures.childElementCount < parts.length) {
      this.pictures.append(make('canvas', { role: 'img', 'aria-label': this.words.sees }));
    }
    parts.forEach(({ grey }, i) => paint(this.pictures.children[i], this.side, k => grey[k]));
    if (this.answer.parentNode !== this.element) this.element.replaceChildren(this.answer);
  }

  // Why the answer does not count, or which class is nearly as likely.
  remark(doubt, parts, share) {
    if (doubt) return say(this.words[`doubt_${doubt}`], { share, label: this.label.textContent });
    const [first, second] = this.order(parts[0].probabilities);
    if (parts.length > 1 || !(parts[0].probabilities[second] >= CLOSE)) return '';
    return say(this.words.close, { first: this.classes[first], second: this.classes[second] });
  }

  // The classes by their probability, likeliest first.
  order(probabilities) { return Array.from(probabilities.keys()).sort((a, b) => probabilities[b] - probabilities[a]); }

  ranked(probabilities, best) {
    const order = this.classes.length > ORDERED ? this.order(probabilities) : Array.from(probabilities.keys());
    return order.slice(0, ORDERED).map(c => [this.classes[c], probabilities[c], c === best]);
  }

  fill(rows) {
    this.bars.forEach(({ row, name, fill, share }, i) => {
      row.hidden = i >= rows.length;
      if (row.hidden) return;
      const [label, value, first] = rows[i];
      write(name, label);
      fill.style.width = `${(value * 100).toFixed(1)}%`;
      write(share, percent(value));
      row.classList.toggle('first', first);
    });
  }
}

// What stands there already is left alone: it would be laid out once more.
function write(node, text) { if (node.textContent !== text) node.textContent = text; }

// Instead of an answer: what to do, or (without more) what went wrong.
export function nothing(title, more = '', ...below) {
  return more
    ? make('div', { class: 'answer nothing', 'data-testid': 'nothing' }, make('strong', {}, title), make('span', {}, more), ...below)
    : make('div', { class: 'answer nothing', role: 'alert' }, make('strong', {}, title));
}
