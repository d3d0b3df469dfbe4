// Runs laid over each other below the table: their curves, and their confusion matrices next to each other.
import { download } from '../shared/download.js';
import { AWAY_MS, redraw, wait } from '../shared/redraw.js';

const POLL_MS = 700;   // between two looks at an evaluation that goes on

export class RunComparison {
  // ask(name, values): the server's answer; most: runs that can be compared; tooMany(): told where there are more.
  constructor(view, { ask, most, tooMany }) {
    Object.assign(this, { view, ask, most, tooMany, by: 'epoch', smooth: false, turn: 0 });
  }

  get isShown() { return !this.view.hidden; }

  hide() { this.view.hidden = true; }

  async show(names) {
    const mine = ++this.turn;
    if (!names.length) { this.hide(); return; }
    if (names.length > this.most) { this.tooMany(); return; }
    const answer = await this.ask('runs_compared', { names, by: this.by, smooth: this.smooth });
    if (answer.error || mine !== this.turn) return;
    this.view.hidden = false;
    this.view.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    this.view.querySelector('[data-by]').onchange = event => { this.by = event.target.value; this.show(names); };
    this.view.querySelector('[data-smooth]').onchange = event => { this.smooth = event.target.checked; this.show(names); };
    const report = this.view.querySelector('[data-report]');
    if (report) report.onclick = () => this.report(report, names);
    this.matrices(names, mine, '');
  }

  async report(button, names) {
    button.disabled = true;
    const answer = await this.ask('runs_report', { names });
    button.disabled = false;
    if (!answer.error) download(answer.html, answer.name, 'text/html');
  }

  // What is cached is shown; otherwise a button asks for it, and the page looks until it is there.
  async matrices(names, mine, begin) {
    const answer = await this.ask('runs_matrices', { names, begin }), slot = this.view.querySelector('.rt-matrices');
    if (mine !== this.turn || !slot?.isConnected) return;
    const next = begin && begin !== 'stop' ? 'on' : '', again = wait => setTimeout(() => { if (mine === this.turn) this.matrices(names, mine, next); }, wait);
    if (answer.isAway) again(AWAY_MS);
    if (answer.error) { slot.replaceChildren(); return; }
    redraw(slot, answer.html);
    const ask = (selector, how) => {
      const button = slot.querySelector(selector);
      if (button) button.onclick = () => { wait(slot, button); this.matrices(names, mine, how); };
    };
    ask('[data-evaluate]', 'again');
    ask('.stop', 'stop');
    if (answer.state === 'running') again(POLL_MS);
  }
}
