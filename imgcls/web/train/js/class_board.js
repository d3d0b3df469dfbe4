// The class board: a point a run that somebody has sent, how good after how long; its settings where one points at it.
import { make, say } from '../../shared/elements.js';
import { drawn } from '../../shared/svg.js';

const HIGH = 320, LEFT = 56, TOP = 14, BOTTOM = 280, NARROWEST = 280;
const RADIUS = 8, GAP = 12, LETTER = 14;   // of a point, between it and its name, a letter of that: units of the chart
const AGAIN = 5000;   // ms between two looks while it is open
const FLOORS = [0, 0.5, 0.8, 0.9, 0.95];

// The nicknames beside their points, from the best one on, right or left of it; where neither has room, it is left to
// whoever points at it. Letters are taken to be as wide as CJK's are, or two thirds of that.
function named(points, left, right) {
  const taken = points.map(({ x, y }) => [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS]), made = [];
  const free = box => box[0] >= left && box[2] <= right && taken.every(other => (
    box[2] < other[0] || other[2] < box[0] || box[3] < other[1] || other[3] < box[1]));
  for (const { nickname, x, y } of [...points].sort((one, other) => one.y - other.y)) {
    const wide = [...nickname].reduce((sum, letter) => sum + (letter > '\u2e80' ? LETTER : LETTER * 0.66), 0);
    const sides = [[x + GAP, 'start'], [x - GAP - wide, 'end']].map(([from, anchor]) => [[from, y - 9, from + wide, y + 9], anchor]);
    const found = sides.find(([box]) => free(box));
    if (!found) continue;
    const [box, anchor] = found;
    taken.push(box);
    made.push(drawn('text', { class: 'name', x: anchor === 'start' ? box[0] : box[2], y: y + 5, 'text-anchor': anchor }, nickname));
  }
  return made;
}

export class ClassBoard {
  // `board`: { seen() , ask(said) }, each a promise of { host, points }; `choices`: labels of values, as the form has them.
  constructor(words, choices, board) {
    Object.assign(this, { words, choices, board, points: [], host: false, about: null });
    this.svg = drawn('svg', { role: 'group', 'aria-label': words.board_title, class: 'board-chart' });
    this.line = make('p', { class: 'board-line', 'aria-live': 'polite', 'data-testid': 'board-line' });
    this.clear = make('button', { type: 'button', 'data-testid': 'board-clear', onclick: () => { if (confirm(words.board_sure)) this.ask({ what: 'clear' }); } }, words.board_clear);
    this.hide = make('button', { type: 'button', 'data-testid': 'board-hide', onclick: () => this.ask({ what: this.about.hidden ? 'show' : 'hide', id: this.about.id }) });
    this.tools = make('div', { class: 'here-steps' }, this.hide, this.clear);
    this.fold = make('details', { class: 'here-board card', 'data-testid': 'board' },
      make('summary', {}, words.board_title, make('small', {}, words.board_more)), this.svg, this.line, this.tools);
    this.fold.addEventListener('toggle', () => this.look());
    new ResizeObserver(() => this.paint()).observe(this.svg);
    this.element = this.fold;
    this.paint();
  }

  // While it is open, and the page in sight.
  async look() {
    clearTimeout(this.timer);
    if (!this.fold.open || !this.fold.isConnected) return;
    if (!document.hidden) await this.board.seen().then(seen => this.show(seen), () => null);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), AGAIN);
  }

  async ask(said) {
    try {
      this.show(await this.board.ask(said));
    } catch (error) {
      this.line.textContent = error.message;
    }
  }

  show({ host, points }) {
    Object.assign(this, { host, points, about: points.find(({ id }) => id === this.about?.id) ?? null });
    this.paint();
  }

  paint() {
    const { points, words } = this, wide = Math.max(NARROWEST, this.svg.clientWidth), right = wide - 20;
    this.svg.setAttribute('viewBox', `0 0 ${wide} ${HIGH}`);
    const longest = Math.max(10, ...points.map(p => p.seconds)) * 1.04, lowest = Math.min(1, ...points.map(p => p.accuracy));
    const floor = points.length ? [...FLOORS].reverse().find(f => f < lowest - 0.005) ?? 0 : 0;
    const x = seconds => LEFT + seconds / longest * (right - LEFT), y = share => BOTTOM - (share - floor) / (1 - floor) * (BOTTOM - TOP);
    const parts = [];
    for (let i = 0; i <= 4; i++) {
      const share = floor + (1 - floor) * i / 4, seconds = longest * i / 4;
      parts.push(drawn('line', { class: 'grid', x1: LEFT, x2: right, y1: y(share), y2: y(share) }));
      parts.push(drawn('text', { x: LEFT - 8, y: y(share) + 5, 'text-anchor': 'end' }, `${(share * 100).toFixed(floor >= 0.9 ? 1 : 0)}%`));
      parts.push(drawn('text', { x: x(seconds), y: BOTTOM + 20, 'text-anchor': i === 4 ? 'end' : 'middle' }, say(words.seconds_value, { seconds: seconds.toFixed(0) })));
    }
    parts.push(drawn('text', { x: right, y: HIGH - 4, 'text-anchor': 'end' }, words.board_axis));
    const focused = this.svg.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    for (const point of points) {
      const told = this.told(point), circle = drawn('circle', {
        class: `${point.hidden ? 'hidden' : ''}${point === this.about ? ' about' : ''}`, cx: x(point.seconds), cy: y(point.accuracy), r: RADIUS,
        tabindex: 0, role: 'button', 'aria-label': told, 'data-id': point.id,
      });
      for (const event of ['pointerenter', 'focus', 'click']) circle.addEventListener(event, () => this.tell(point));
      parts.push(circle);
    }
    parts.push(...named(points.map(point => ({ nickname: point.nickname, x: x(point.seconds), y: y(point.accuracy) })), LEFT, right));
    this.svg.replaceChildren(...parts);
    if (focused) this.svg.querySelector(`[data-id="${CSS.escape(focused)}"]`)?.focus();
    if (!this.about) this.line.textContent = points.length ? words.board_hint : words.board_empty;
    this.tools.hidden = !this.host;
    this.clear.disabled = !points.length;
    this.hide.disabled = !this.about;
    this.hide.textContent = this.about?.hidden ? words.board_show : words.board_hide;
  }

  tell(point) {
    this.about = point;
    this.line.textContent = this.told(point);
    this.hide.disabled = false;
    this.hide.textContent = point.hidden ? this.words.board_show : this.words.board_hide;
    for (const circle of this.svg.querySelectorAll('circle')) circle.classList.toggle('about', circle.dataset.id === point.id);
  }

  told({ nickname, accuracy, seconds, images, settings }) {
    const { words, choices } = this, label = (name, value) => choices[name]?.find(([known]) => known === value)?.[1] ?? value;
    const learnt = images ? say(words.images_some, { count: images.toLocaleString(document.documentElement.lang) }) : words.images_all;
    const said = Object.entries(settings).filter(([name]) => words[`set_${name}`]).map(([name, value]) => `${words[`set_${name}`]} ${label(name, value)}`);
    return [`${nickname}: ${(accuracy * 100).toFixed(1)}%`, say(words.seconds_value, { seconds: seconds.toFixed(1) }), learnt, ...said].join(' · ');
  }
}
