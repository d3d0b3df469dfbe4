// Ten digits as others wrote them, to try before one has drawn anything: strokes over a square of 100, of the training
// part of "Pen-Based Recognition of Handwritten Digits" (E. Alpaydin, F. Alimoglu, UCI, CC BY 4.0).
import { make } from '../../shared/elements.js';

const DIGITS = [
  '41 15,37 12,34 15,27 29,21 55,23 81,37 90,58 83,75 65,79 41,69 17,51 10,35 26,27 50,30 64',
  '39 49,40 43,47 35,55 24,60 13,61 10,60 21,56 42,55 63,55 78,56 87,56 90',
  '22 33,29 19,44 10,61 16,61 39,44 66,25 84,18 89,33 87,62 87,82 90',
  '38 29,41 21,54 13,72 10,80 15,74 28,62 39,58 43,67 44,80 51,86 64,76 79,51 88,26 90,14 84',
  '62 17,65 10,62 12,52 24,37 43,27 56,29 60,39 59,54 57,67 56,73 56,72 55,71 55;64 31,65 22,65 16,63 21,62 37,58 59,54 78,51 89,51 90',
  '27 19,26 27,25 40,26 49,33 47,46 41,61 40,71 49,70 67,61 83,48 90,41 89;25 36,25 26,35 18,51 13,70 10,75 10',
  '70 21,66 12,56 12,40 32,26 63,29 85,50 89,73 77,70 66,49 62,30 71,27 85',
  '34 11,39 10,50 12,62 17,67 27,63 43,56 63,50 78,50 87,50 90;35 73,29 69,30 65,44 64,65 63,72 63',
  '48 31,56 23,62 15,60 11,51 11,43 19,44 35,53 55,58 75,54 88,42 89,33 81,37 68,54 55,67 46',
  '29 90,30 90,38 85,48 74,61 57,71 34,69 15,55 10,39 20,37 35,50 46,62 49',
];
const INSET = .12;   // of the pad's side, on either side
const WIDTH = 20;    // the pad's medium brush

const strokes = digit => DIGITS[digit].split(';').map(stroke => stroke.split(',').map(point => point.split(' ').map(Number)));

// A heading and a button for each digit that the network knows, which puts it on the pad.
export function examples(pad, classes, label) {
  const { side } = pad;
  const buttons = DIGITS.map((_, digit) => String(digit)).filter(digit => classes.includes(digit)).map(digit => {
    const button = make('button', { type: 'button', 'aria-label': `${label}: ${digit}` });
    const lines = strokes(digit).map(stroke => `<polyline points="${stroke.join(' ')}"/>`).join('');
    button.innerHTML = `<svg viewBox="0 0 100 100" aria-hidden="true">${lines}</svg>`;   // numbers of this file alone
    const place = v => (INSET + (1 - 2 * INSET) * v / 100) * side;
    button.onclick = () => {
      pad.put(strokes(digit).map(points => ({ width: WIDTH, points: points.map(point => point.map(place)) })));
      pad.querySelector('canvas').focus({ preventScroll: true });   // the button goes
    };
    return button;
  });
  return buttons.length ? [make('small', {}, label), make('div', { class: 'examples', role: 'group', 'aria-label': label }, ...buttons)] : [];
}
