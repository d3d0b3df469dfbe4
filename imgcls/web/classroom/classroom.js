// A class that shares the lab: who one is, the queue, the address to join. All of it is asked of /class.
import { inUse } from '../shared/changes.js';

const AGAIN = 15000;   // ms between two looks at estimates, while somebody uses the page and something goes on
let opened, root = null, shared = false;
const here = new Promise(resolve => { opened = resolve; });   // the dialogs are there
const dialog = name => root.querySelector(`dialog[data-dialog=${name}]`);
let me = { nickname: '', host: false, html: '', busy: false }, timer = null, first = null;

async function call(path, body = null) {
  const { language, away } = root.dataset;
  const url = new URL(`../class${path}`, document.baseURI);
  if (!body) url.searchParams.set('language', language);
  const sent = body && { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ ...body, language }) };
  try {
    const answer = await fetch(url, sent || { cache: 'no-store' });
    return await answer.json();
  } catch { return { error: away }; }
}

// The queue wherever it stands; whoever is on one of its buttons by keyboard stays there.
function show(answer) {
  if (answer.error) return;
  me = answer;
  document.querySelectorAll('.queue-slot').forEach(slot => {
    if (slot.shown === me.html && slot.firstChild) return;
    const at = slot.contains(document.activeElement) ? document.activeElement : null;
    const run = at?.closest('[data-run]')?.dataset.run, what = at?.dataset.do;
    const unfolded = slot.querySelector('details')?.open;
    slot.innerHTML = slot.shown = me.html;   // made by the lab's own templates, escaped there
    const fold = slot.querySelector('details');
    if (fold && unfolded) fold.open = true;
    if (what) (slot.querySelector(run ? `[data-run="${CSS.escape(run)}"] [data-do=${what}]:enabled` : `[data-do=${what}]`) || slot.querySelector('button'))?.focus();
  });
}

export async function refresh() {
  await here;
  if (!shared) return;
  clearTimeout(timer);
  const asked = call('').then(answer => { show(answer); later(); });
  first ??= asked;
  await asked;
}

function later() {
  clearTimeout(timer);
  if (me.busy && root.isConnected) timer = setTimeout(() => (inUse() ? refresh() : later()), AGAIN);
}

function tell(box, sentence) {
  const line = box.querySelector('.failure');
  if (!line) return;
  line.textContent = sentence;
  line.hidden = !sentence;
}

// Opens a dialog with a form; true when it was answered, false when it was closed.
function ask(name, send) {
  const box = dialog(name), form = box.querySelector('form'), input = form.querySelector('input');
  tell(box, '');
  input.value = name === 'nickname' ? me.nickname : '';
  return new Promise(resolve => {
    form.onsubmit = async event => {
      event.preventDefault();
      const answer = await send(input.value);
      if (answer.error) { tell(box, answer.error); input.focus(); return; }
      box.onclose = null;
      box.close();
      show(answer);
      resolve(true);
    };
    form.querySelector('[value=cancel]').onclick = () => box.close();
    box.onclose = () => resolve(false);
    box.showModal();
    input.focus();
  });
}

async function join() {
  const box = dialog('join'), answer = await call('/join');
  const body = box.querySelector('.join-body');
  if (answer.error) body.textContent = answer.error; else body.innerHTML = answer.html;
  box.showModal();
}

const asks = {
  nickname: () => ask('nickname', nickname => call('/nickname', { nickname })),
  // What one may do is drawn into the whole page: it is opened anew.
  host: async () => { dialog('join').close(); if (await ask('host', password => call('/host', { password }))) location.reload(); },
  leave: async () => { await call('/leave', {}); location.reload(); },
};

// Whoever begins something says a nickname first, and only once; throws where the question was closed.
export async function named() {
  await here;
  await (first || refresh());
  if (shared && !me.nickname && !await asks.nickname()) throw new Error('kept');
}

document.addEventListener('click', async event => {
  const button = event.target instanceof Element && event.target.closest('[data-head=join], .queue-slot button, .join-body button');
  if (!button || !root?.isConnected) return;
  if (button.dataset.head) join();
  else if (button.dataset.ask) asks[button.dataset.ask]();
  else if (!button.dataset.sure || confirm(button.dataset.sure)) {
    button.disabled = true;
    const slot = button.closest('.queue-slot'), answer = await call('/do', { what: button.dataset.do, run: button.closest('[data-run]')?.dataset.run });
    button.disabled = false;
    if (answer.error) { await refresh(); tell(slot, answer.error); } else show(answer);
  }
});
addEventListener('imgcls:changed', () => { if (root?.isConnected) refresh(); });

// For the `js` of a button that starts something: whose it is, is asked first.
export async function namedFirst(...given) {
  await named();
  return given;
}

// The queue has a place on the page.
export function fill() { refresh(); }

export function start({ element }) {
  root = element.querySelector('.class-dialogs');
  shared = root.dataset.shared === 'yes';
  opened();
  refresh();
}
