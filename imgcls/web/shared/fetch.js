// A data set that is not here: asks how far its fetching is, and begins or stops it.
import { AWAY_MS, redraw, wait } from './redraw.js';

const AGAIN = 500;   // ms between two looks while it is fetched

export function start({ element, trigger, props, server, watch }) {
  const said = { ...props }, view = element.querySelector('.fetch-view');
  let timer = null, turn = 0, going = false;

  async function ask(name, more = {}) {
    let answer = null;
    try { answer = await server[name]({ dataset: props.value, ...more }); } catch { /* the sentence below */ }
    return answer || { error: said.no_answer, isAway: true };
  }

  async function look(start = false) {
    clearTimeout(timer);
    const mine = ++turn, answer = props.value ? await ask('fetch_look', { start }) : { state: 'here' };
    if (mine !== turn || !element.isConnected) return;
    if (answer.isAway) timer = setTimeout(look, AWAY_MS);
    if (answer.error) { tell(answer.error); return; }
    view.hidden = !answer.html;
    redraw(view, answer.html || '');
    const begin = view.querySelector('.begin'), stop = view.querySelector('.stop');
    if (begin) begin.onclick = () => { wait(view, begin); look(true); };
    if (stop) stop.onclick = async () => { wait(view, stop); await ask('fetch_stop'); look(); };
    inSight();
    if (answer.state === 'running') timer = setTimeout(look, AGAIN);
    if (going && answer.state === 'here') trigger('submit');
    going = answer.state !== 'here';
  }

  function tell(sentence) {
    const line = view.querySelector('.failure') || view.appendChild(Object.assign(document.createElement('p'), { className: 'failure' }));
    line.setAttribute('role', 'alert');
    const isNew = line.textContent !== sentence;
    if (isNew) line.textContent = sentence;
    view.querySelectorAll('button').forEach(button => { button.disabled = false; });
    view.hidden = false;
    if (isNew) inSight();
  }

  // The bar with the button to start stays at the window's end, over what stands there.
  function inSight() {
    if (going) view.querySelector('[role=alert], .failure')?.scrollIntoView({ block: 'center' });
  }

  watch('value', () => { going = false; look(); });
  addEventListener('imgcls:changed', () => { if (element.isConnected && going) look(); });
  look();
}
