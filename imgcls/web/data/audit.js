// Look for mistakes: asks how far the audit is, shows what it found, and mends it. What is audited stands in the value.
import { make } from '../shared/elements.js';
import { AWAY_MS, keepingFocus, redraw } from '../shared/redraw.js';

const AGAIN = 700;   // ms between two looks at an audit that goes on

export function start({ element, props, server, watch }) {
  const said = { ...props }, view = element.querySelector('.audit-view');
  let asked = null, timer = null, kind = 'label', turn = 0, about = '', shown = '';
  let mended = 0;   // how often something was begun or done to an image: a list from before is asked for anew


  async function ask(name, more = {}) {
    let answer = null;
    try { answer = await server[name]({ ...asked, ...more }); } catch { /* the sentence below */ }
    return answer || { error: said.no_answer, isAway: true };
  }

  async function look(start) {
    clearTimeout(timer);
    const mine = ++turn, state = mended, answer = await ask('audit_look', { start });
    if (mine !== turn || !element.isConnected) return;
    if (state !== mended) { look(false); return; }
    if (answer.isAway) timer = setTimeout(() => look(false), AWAY_MS);
    const told = answer.error || (answer.state === 'stopped' && said.stopped);
    view.hidden = !told && answer.state === 'none' || !asked.begin && answer.state === 'stopped';
    const before = shown;
    shown = answer.html || '';
    if (view.hidden) return;
    if (answer.state === 'finished' && shown === before) { list(0); return; }   // what is there stays until the list has come
    if (told) { view.replaceChildren(make('p', { class: 'said', role: 'status' }, told)); view.firstChild.classList.toggle('bad', !!answer.error); return; }
    if (answer.state === 'running') {
      redraw(view, answer.html);
      const stop = view.querySelector('.stop');
      if (stop) stop.onclick = async () => { await ask('audit_stop'); asked.begin = true; look(false); };
      timer = setTimeout(() => look(false), AGAIN);
      return;
    }
    const line = view.querySelector('.audit .said:not([hidden])');   // what was done last can be taken back
    keepingFocus(view, () => { view.innerHTML = answer.html; });   // made by the lab's own templates, escaped there
    if (line) view.querySelector('.said')?.replaceWith(line);
    kind = answer.kind;
    view.querySelectorAll('[data-kind]').forEach(button => { button.onclick = () => choose(button); });
    view.querySelector('.more').onclick = event => list(+event.target.dataset.next);
    const again = view.querySelector('.again');
    if (again) again.onclick = () => { asked.begin = true; look(true); };
    list(0);
  }

  function choose(button) {
    kind = button.dataset.kind;
    view.querySelectorAll('.kinds button').forEach(other => other.setAttribute('aria-pressed', other === button));
    view.querySelector('.said').hidden = true;
    list(0);
  }

  async function list(start) {
    const mine = ++turn, state = mended, answer = await ask('audit_list', { kind, start_at: start });
    if (mine !== turn || !element.isConnected) return;
    if (state !== mended) { list(0); return; }
    if (answer.error) { tell(answer.error, true); return; }
    const slot = view.querySelector('[data-slot=suspects]'), more = view.querySelector('.more');
    const page = make('ul', {});
    page.innerHTML = answer.html;
    const items = [...page.children];
    items.forEach((item, i) => {
      const [path, suggested] = answer.paths[i];
      item.querySelectorAll('button[data-do]').forEach(button => { button.onclick = () => mend(item, button, { kind, path, suggested }); });
      item.querySelectorAll('select[data-do]').forEach(list => {
        list.onchange = async () => { if (list.value) await mend(item, list, { kind, path, suggested, label: list.value }); list.value = ''; };
      });
    });
    if (start) slot.append(...items); else slot.replaceChildren(...items);
    view.querySelector('.none').hidden = answer.total > 0;
    more.hidden = answer.next >= answer.total;
    more.dataset.next = answer.next;
  }

  // Done at once, and can be taken back; the item after it has the focus, so that the keyboard goes through the list.
  async function mend(item, button, which) {
    const what = button.dataset.do;
    item.querySelectorAll('[data-do]').forEach(other => { other.disabled = true; });
    mended += 1;
    const answer = await ask(`audit_${what}`, { ...which, twin: !!button.dataset.twin });
    mended += 1;
    item.querySelectorAll('[data-do]').forEach(other => { other.disabled = false; });
    if (!item.isConnected) look(false);   // the list was drawn anew meanwhile
    if (answer.error) { tell(answer.error, true); return; }
    item.hidden = true;
    if (item.isConnected) count(-1);
    let next = item.nextElementSibling;
    while (next?.hidden) next = next.nextElementSibling;
    next?.querySelector(`[data-do=${what}]`)?.focus({ preventScroll: true });
    tell({ move: said.moved.replace('{label}', () => which.label ?? button.dataset.label), delete: said.deleted, right: said.right }[what], false, async () => {
      mended += 1;
      const undone = await ask('audit_undo', answer);
      mended += 1;
      if (undone.error) { tell(undone.error, true); return; }
      if (item.isConnected) { item.hidden = false; count(+1); } else look(false);
      tell(said.undone);
    });
  }

  function count(more) {
    const number = view.querySelector(`.kinds [data-kind=${kind}] b`), next = view.querySelector('.more');
    number.textContent = Math.max(0, +number.textContent + more);
    next.dataset.next = Math.max(0, +next.dataset.next + more);   // the server's list is shorter now
  }

  function tell(sentence, bad = false, undo = null) {
    const line = view.querySelector('.said');
    line.replaceChildren(sentence, ...(undo ? [' ', make('button', { type: 'button', onclick: undo }, said.undo)] : []));
    line.classList.toggle('bad', bad);
    line.hidden = false;
  }

  function begin() {
    try { asked = JSON.parse(props.value || 'null'); } catch { asked = null; }
    clearTimeout(timer);
    turn += 1;
    const before = about;
    about = asked ? `${asked.dataset} ${asked.flip} ${asked.train_images}` : '';
    if (about !== before) {
      view.hidden = true;
      view.replaceChildren();
      shown = '';
    }
    if (asked) look(asked.begin);
  }
  watch('value', begin);
  begin();
}
