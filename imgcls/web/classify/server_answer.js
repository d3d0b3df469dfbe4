// The answer by the server to what is drawn, or before the camera: the `js` of both events.
let turn = 0;   // of what was asked last, or chosen

// An answer that is on its way comes too late: something else was chosen.
export function late() { turn += 1; }

// `about`: { name, path: what is sent under that name where, root: selects what waits for the answer, away: what is said
// where there is none }. Where a later one was asked for meanwhile what stands on the page stays.
export async function ask({ name, path, root, away }, picture, checkpoint) {
  const mine = ++turn, now = () => document.querySelector('#result .answer')?.outerHTML ?? '';
  try {
    const body = JSON.stringify({ [name]: picture, checkpoint }), headers = { 'Content-Type': 'application/json' };
    const said = await fetch(new URL(`../${path}`, document.baseURI), { method: 'POST', headers, body });
    const html = await said.text();
    return mine !== turn ? now() : said.ok ? html : away;
  } catch {
    return mine === turn ? away : now();
  } finally {
    setTimeout(() => document.querySelector(root)?.dispatchEvent(new Event('answered')));
  }
}
