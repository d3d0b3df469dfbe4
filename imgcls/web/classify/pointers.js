// Which pointer draws: the one that began, until it is lifted. A palm draws nothing, and no hand that rests while a pen
// writes.
import { SIDE } from './sheet.js';

const PALM_PX = 100;       // of contact, in CSS pixels: a finger has 20 to 60
const PEN_NEAR_MS = 500;   // after a pen was last seen, in which a touch is the hand that holds it

const isPalm = event => event.pointerType === 'touch' && Math.max(event.width, event.height) > PALM_PX;

// `pad`: begin(point), extend(points), end(), and drop() for a stroke that was none.
export class Pointers {
  constructor(canvas, pad) {
    this.canvas = canvas;
    this.pad = pad;
    this.drawing = null;   // { id, type }
    this.penSeen = -Infinity;
    canvas.addEventListener('pointerdown', event => this.down(event));
    canvas.addEventListener('pointermove', event => this.move(event));
    ['pointerup', 'lostpointercapture'].forEach(name => canvas.addEventListener(name, event => this.up(event)));
    canvas.addEventListener('pointercancel', event => this.cancel(event));
  }

  release() { this.drawing = null; }

  down(event) {
    this.seePen(event);
    if (event.pointerType !== 'mouse' || event.button === 0) { event.preventDefault(); this.canvas.focus({ preventScroll: true }); }
    if (!this.mayDraw(event)) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.pad.begin(this.at(event));
    this.drawing = { id: event.pointerId, type: event.pointerType };
  }

  move(event) {
    this.seePen(event);
    if (!this.draws(event)) return;
    if (isPalm(event)) { this.pad.drop(); return; }   // it came down with its edge
    event.preventDefault();
    const many = event.getCoalescedEvents ? event.getCoalescedEvents() : [];
    this.pad.extend((many.length ? many : [event]).map(one => this.at(one)));
  }

  up(event) {
    this.seePen(event);
    if (this.draws(event)) this.pad.end();
  }

  // The device itself took it back: its own way to tell a palm.
  cancel(event) {
    if (!this.draws(event)) return;
    if (this.drawing.type === 'touch') this.pad.drop(); else this.pad.end();
  }

  seePen(event) { if (event.pointerType === 'pen') this.penSeen = performance.now(); }

  draws(event) { return this.drawing?.id === event.pointerId; }

  mayDraw(event) {
    if (event.pointerType === 'mouse' && event.button !== 0) return false;
    if (event.pointerType === 'touch' && (isPalm(event) || performance.now() - this.penSeen < PEN_NEAR_MS)) return false;
    if (this.drawing && event.pointerType === 'pen' && this.drawing.type === 'touch') this.pad.drop();
    return !this.drawing;
  }

  at(event) {
    const box = this.canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * SIDE / box.width, (event.clientY - box.top) * SIDE / box.height];
  }
}
