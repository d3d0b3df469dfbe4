// A file that the page itself has made, for the visitor to keep.
import { make } from './elements.js';

const REVOKE_MS = 10_000;   // after which it has been saved

export function download(content, name, type) {
  const href = URL.createObjectURL(new Blob([content], { type }));
  make('a', { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), REVOKE_MS);
}
