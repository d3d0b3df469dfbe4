// What panels ask the server: the picture that is being looked at, and answers or one sentence.
const QUIET = 500;   // ms without a stroke before the server is asked

export class Desk {
  // `use(checkpoint)`: choose it on the page.
  constructor(words, server, pad, use = () => {}) {
    Object.assign(this, { words, server, pad, use, subject: null });
  }

  // `value`: {"checkpoint", "photo"} as JSON; the subject, or null where nothing is chosen.
  about(value) {
    let said = null;
    try { said = JSON.parse(value || 'null'); } catch { /* nothing is chosen */ }
    this.subject = said?.checkpoint ? said : null;
    return this.subject;
  }

  get photos() { return Boolean(document.querySelector('#photo')?.offsetParent); }   // that tab is open

  // What the server is to look at; null where there is nothing.
  picture() {
    if (this.photos) return this.subject?.photo ? { photo: this.subject.photo } : null;
    const drawing = this.pad.png();
    return drawing === 'none' ? null : { drawing };
  }

  async ask(name, asked) {
    let answer = null;
    try { answer = await this.server[name](asked); } catch { /* the sentence below */ }
    return answer || { error: this.words.no_answer, isAway: true };
  }
}

// Calls `work(mine)` once nothing has changed for a while; `mine()` tells whether it is still wanted.
export class Calm {
  constructor(work) { Object.assign(this, { work, turn: 0, timer: null }); }

  soon(wait = QUIET) {
    clearTimeout(this.timer);
    const turn = ++this.turn;
    this.timer = setTimeout(() => this.work(() => turn === this.turn), wait);
  }

  stop() { clearTimeout(this.timer); this.turn++; }
}
