// What is open stands in the address: refresh, back, the other language and a link in a lesson plan bring the same view.
const root = document.documentElement;
const link = () => document.querySelector('#head a.language');

function show(url, push) {
  history[push ? 'pushState' : 'replaceState'](history.state, '', url);
  if (link()) link().search = url.search;
}
// One value; '' takes it out; whether that changed anything. `push`: the back button returns to what was there before.
export function put(name, value, push = false) {
  const url = new URL(location.href), before = url.search;
  const said = String(value ?? '');
  if (said) url.searchParams.set(name, said); else url.searchParams.delete(name);
  if (url.search !== before) show(url, push);
  return url.search !== before;
}
// For an event of a field: its value, where that is not the usual one.
export function follow(name, usual, value) { put(name, String(value) === String(usual) ? '' : value); }
// Every setting that is not the recipe's: data-query in `html` is a query string; what it does not name is taken out.
export function settings(names, html) {
  const made = document.createElement('template');
  made.innerHTML = html;
  const said = made.content.querySelector('[data-query]')?.dataset.query ?? '';
  const url = new URL(location.href), before = url.search;
  names.forEach(name => url.searchParams.delete(name));
  new URLSearchParams(said).forEach((value, name) => url.searchParams.set(name, value));
  if (url.search !== before) show(url, false);
}
// The tabs that the address speaks of; each of them that it does not name is its first.
const TABS = { tab: '#rooms', source: '#sources', part: '#data-rooms' };
const TRIES = 5;
// Tabs say that they were opened while the page is still being built, too: not before what the address says is there.
// And they say it late where the tab has something to ask the server first: another may be open by then.
let built = false, turn = 0, pushed = -1;   // turn: how often a person has done something; pushed: in which a way back began
export function open(name, tab) {
  const shown = document.querySelector(`${TABS[name]} > .tab-wrapper [role=tab][aria-selected=true]`)?.dataset.tabId;
  if (built && (!shown || shown === tab)) went(name, tab);
}
function went(name, tab) {
  const first = document.querySelector(`${TABS[name]} > .tab-wrapper [role=tab]`)?.dataset.tabId;
  // One thing a person does may open several tabs (an image of Evaluate in Classify's Photo): one way back for all.
  if (put(name, tab === first ? '' : tab, pushed !== turn)) pushed = turn;
}
// What the address says is there: from now on it follows the page.
export function ready() { setTimeout(() => { built = true; }, 300); }

root.classList.toggle('zoomed-charts', new URL(location.href).searchParams.get('zoom') === '1');
root.classList.toggle('projector', new URL(location.href).searchParams.get('projector') === '1');
// The page's head is there.
export function start() { show(new URL(location.href), false); }
addEventListener('popstate', () => {
  built = false;
  restore(++turn, TRIES);
  if (link()) link().search = location.search;
});
// A tab that is just being built opens itself once more: it is put right for a while, unless a person does something.
function restore(mine, tries) {
  if (mine !== turn) { built = true; return; }
  const said = new URL(location.href).searchParams;
  for (const [name, tabs] of Object.entries(TABS)) {
    const all = [...document.querySelectorAll(`${tabs} > .tab-wrapper [role=tab]`)];
    const tab = all.find(one => one.dataset.tabId === said.get(name)) || all[0];
    if (tab && tab.getAttribute('aria-selected') !== 'true') tab.click();
  }
  if (tries) setTimeout(() => restore(mine, tries - 1), 300); else built = true;
}
// A person's click counts at once, however long the page takes to be built.
document.addEventListener('click', event => {
  if (!event.isTrusted || !(event.target instanceof Element)) return;
  turn++;
  const tab = event.target.closest('[role=tab]');
  const named = tab && Object.entries(TABS).find(([, tabs]) => tab.matches(`${tabs} > .tab-wrapper [role=tab]`));
  if (!named) return;
  built = true;
  went(named[0], tab.dataset.tabId);
});
document.addEventListener('keydown', event => { if (event.isTrusted) turn++; });
// What the other rooms have chosen is no part of a link to this one; what no other room has is Train's.
const ROOMS = { classify: /^(source|checkpoint)$/, evaluate: /^(evaluated|on|of)$/, data: /^(part|set)$/, 'init-lab': /^lab(-|$)/ };
const EVERYWHERE = ['tab', 'projector', 'zoom'];
function shared() {
  const url = new URL(location.href), open = url.searchParams.get('tab') || 'classify';
  for (const name of new Set(url.searchParams.keys())) {
    const room = Object.keys(ROOMS).find(one => ROOMS[one].test(name)) || 'train';
    if (room !== open && !EVERYWHERE.includes(name)) url.searchParams.delete(name);
  }
  return url.href;
}
document.addEventListener('click', async event => {
  const button = event.target instanceof Element && event.target.closest('button[data-head]');
  if (!button) return;
  if (button.dataset.head === 'projector') put('projector', root.classList.toggle('projector') ? '1' : '');
  if (button.dataset.head === 'link') {
    try { await navigator.clipboard.writeText(shared()); } catch { prompt(button.textContent.trim(), shared()); return; }
    button.classList.add('copied'); setTimeout(() => button.classList.remove('copied'), 2000);
  }
});
