// What is drawn, as strokes: [{ width, points: [[x, y], ...] }, ...] in units of the pad's side, or a picture that fills the
// pad, { picture: its data URL }. The one in progress is the last; a refresh brings them back.
const STORAGE_KEY = 'imgcls-drawing';
const MAX_POINTS = 20000;   // a drawing beyond that is no digit

const pointsOf = strokes => strokes.reduce((sum, stroke) => sum + (stroke.points?.length ?? 0), 0);

export class Strokes {
  constructor() { this.replace([]); }

  replace(all) {
    this.all = all;
    this.current = null;
    this.points = pointsOf(all);
  }

  get finished() { return this.current ? this.all.slice(0, -1) : this.all; }

  begin(point, width) {
    this.current = { width, points: [point] };
    this.all.push(this.current);
    this.points++;
  }

  extend(points) {
    const taken = points.slice(0, Math.max(0, MAX_POINTS - this.points));
    this.current.points.push(...taken);
    this.points += taken.length;
  }

  removeLast() {
    this.all.pop();
    this.replace(this.all);
  }

  save() { try { sessionStorage.setItem(STORAGE_KEY, JSON.stringify(this.all)); } catch { /* private mode */ } }

  static saved() { try { return JSON.parse(sessionStorage.getItem(STORAGE_KEY)) || []; } catch { return []; } }
}
