// Evaluate: asks how far the evaluation is, shows it, and opens its images. What is evaluated stands in the value.
import { download } from '../shared/download.js';
import { make } from '../shared/elements.js';
import { AWAY_MS, keepingFocus, redraw } from '../shared/redraw.js';
import { EvaluationImages } from './evaluation_images.js';
import { navigateMatrix, sortByColumns } from './evaluation_tables.js';

const POLL_MS = 700;   // between two looks at an evaluation that goes on

class EvaluationView {
  constructor({ element, trigger, props, server }) {
    const said = { ...props }, view = element.querySelector('.evaluate-view');
    Object.assign(this, { element, props, server, said, view });
    this.request = null;   // what is evaluated, as it is asked for
    this.value = null;     // the same, as it stands in the component
    this.which = 0;        // of several checkpoints, the one whose figures are shown
    this.timer = null;
    this.looks = 0;        // the answer to an earlier one comes too late
    const ask = (name, more) => this.ask(name, more), tell = (...sentence) => this.tell(...sentence);
    this.images = new EvaluationImages({ view, ask, tell, said, trigger });
  }

  async ask(name, more = {}) {
    let answer = null;
    try { answer = await this.server[name]({ ...this.request, which: this.which, ...more }); } catch { /* the sentence below */ }
    return answer || { error: this.said.no_answer, isAway: true };
  }

  // What cannot be evaluated is told where the result would be.
  refuse(sentence) {
    if (this.view.querySelector('[role=alert]')?.textContent === sentence) return;   // said already
    this.view.replaceChildren(make('div', { class: 'nothing problem', role: 'alert' }, make('strong', {}, sentence)));
  }

  nothing(title, more) {
    this.view.replaceChildren(make('div', { class: 'nothing' }, make('strong', {}, title), ...(more ? [make('span', {}, more)] : [])));
  }

  async look(start) {
    clearTimeout(this.timer);
    const mine = ++this.looks, answer = await this.ask('evaluate_look', { start });
    if (mine !== this.looks || !this.element.isConnected) return;
    if (answer.isAway) this.timer = setTimeout(() => this.look(start && 'on'), AWAY_MS);
    if (answer.error) { this.refuse(answer.error); return; }
    if (answer.state === 'none') { this.nothing(this.said.nothing, this.said.nothing_more); return; }
    if (answer.state === 'stopped') { this.nothing(this.said.stopped); return; }
    if (answer.state === 'running') {
      redraw(this.view, answer.html);
      const stop = this.view.querySelector('.stop');
      if (stop) stop.onclick = () => this.stop();
      this.timer = setTimeout(() => this.look(start && 'on'), POLL_MS);
      return;
    }
    keepingFocus(this.view, () => { this.view.innerHTML = answer.html; });   // made by the lab's own templates, escaped there
    this.which = answer.which;
    this.wire(answer.classes);
  }

  async stop() {
    const answer = await this.ask('evaluate_stop');
    if (answer.error) this.tell(answer.error, true); else this.look('');
  }

  wire(classes) {
    const all = selector => this.view.querySelectorAll(selector), find = selector => this.view.querySelector(selector);
    all('[data-which]').forEach(button => { button.onclick = () => { this.which = +button.dataset.which; this.look(''); }; });
    all('button[data-true]').forEach(button => { button.onclick = () => this.images.choose(button.dataset); });
    find('.report').onclick = () => this.report();
    const mirrors = find('.mirrors');
    if (mirrors) mirrors.onclick = () => { this.request = { ...this.request, tta: !this.request.tta }; this.look('again'); };
    navigateMatrix(find('.matrix'), cell => this.images.choose(cell));
    sortByColumns(find('.sortable'));
    this.images.wire(classes);
  }

  // All that is shown, as one file to keep or to hand in.
  async report() {
    const answer = await this.ask('evaluate_report');
    if (answer.error) { this.tell(answer.error, true); return; }
    download(answer.html, answer.name, 'text/html');
  }

  tell(sentence, bad = false, undo = null) {
    const line = this.view.querySelector('.said') || this.view.firstElementChild.appendChild(make('p', { class: 'said' }));
    line.replaceChildren(sentence, ...(undo ? [' ', make('button', { type: 'button', onclick: undo }, this.said.undo)] : []));
    line.classList.toggle('bad', bad);
    line.hidden = false;
    line.scrollIntoView({ block: 'nearest' });
  }

  begin() {
    const value = this.props.value || '';
    if (value === this.value) return;   // the same again, with the late answer about a link: the cell that was chosen stays
    this.value = value;
    try { this.request = JSON.parse(value || 'null'); } catch { this.request = null; }
    this.which = 0;
    if (this.request) this.look(this.request.asked ? 'again' : '');
    else this.nothing(this.said.nothing, this.said.nothing_more);
  }
}

export function start(component) {
  const view = new EvaluationView(component);
  component.watch('value', () => view.begin());
  view.begin();
}
