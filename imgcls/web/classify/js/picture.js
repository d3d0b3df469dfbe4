// Values as a picture: the colours of maps and of weights, and the canvas that they are painted on.
import { make } from '../../shared/elements.js';

// Black, indigo, white: light is much, as in the picture that the network saw.
export const RAMP = Array.from({ length: 256 }, (_, i) => {
  const t = i / 255, u = Math.min(1, t * 1.6), v = Math.max(0, (t - 0.45) / 0.55);
  return [12 + u * 87 * (1 - v) + v * 243, 14 + u * 88 * (1 - v) + v * 241, 24 + u * 217 * (1 - v) + v * 231];
});
// Orange below zero, blue above.
export const signed = t => (t < 0 ? [255 + t * 10, 255 + t * 95, 255 + t * 185] : [255 - t * 140, 255 - t * 130, 255 - t * 5]);

// One picture of `width` x `height` values, kept and painted again and again.
export class Picture {
  constructor(width, height, attributes = {}) {
    this.canvas = make('canvas', { width, height, ...attributes });
    this.context = this.canvas.getContext('2d');
    this.image = this.context.createImageData(width, height);
  }

  paint(values, colour) {
    const { data } = this.image;
    for (let i = 0; i < values.length; i++) {
      const [r, g, b] = colour(values[i]);
      data[4 * i] = r; data[4 * i + 1] = g; data[4 * i + 2] = b; data[4 * i + 3] = 255;
    }
    this.context.putImageData(this.image, 0, 0);
    return this.canvas;
  }
}
