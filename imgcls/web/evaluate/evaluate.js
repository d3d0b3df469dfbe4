// Evaluate: asks how far the evaluation is, shows it, and opens its images. What is evaluated stands in the value.
import { make, say } from '../shared/elements.js';

const AGAIN = 700;   // ms between two looks at an evaluation that goes on

export function start({ element, trigger, props, server, watch }) {
  const said = { ...props }, view = element.querySelector('.evaluate-view');
  let begun = null, asked = null, timer = null, which = 0, classes = [], turn = 0, opened = null, opening = 0;   // opening: which image was asked for last


  async function ask(name, more = {}) {
    let answer = null;
    try { answer = await server[name]({ ...asked, which, ...more }); } catch { /* the sentence below */ }
    return answer || { error: said.no_answer };
  }

  // What cannot be evaluated is told where the result would be.
  function refused(sentence) {
    const told = make('div', { class: 'nothing problem', role: 'alert' }, make('strong', {}, sentence));
    view.replaceChildren(told);
  }

  function nothing(title, more) {
    view.replaceChildren(make('div', { class: 'nothing' }, make('strong', {}, title),
      ...(more ? [make('span', {}, more)] : [])));
  }

  async function look(start) {
    clearTimeout(timer);
    const mine = ++turn, answer = await ask('evaluate_look', { start });
    if (mine !== turn || !element.isConnected) return;
    if (answer.error) { refused(answer.error); return; }
    if (answer.state === 'none') { nothing(said.nothing, said.nothing_more); return; }
    if (answer.state === 'stopped') { nothing(said.stopped); return; }
    view.innerHTML = answer.html;   // made by the lab's own templates, escaped there
    if (answer.state === 'running') {
      view.querySelector('.stop').onclick = async () => { const told = await ask('evaluate_stop'); if (told.error) tell(told.error, true); else look(''); };
      timer = setTimeout(() => look(start && 'on'), AGAIN);
      return;
    }
    ({ classes, which } = answer);
    wire();
  }

  function wire() {
    view.querySelectorAll('[data-which]').forEach(button => { button.onclick = () => { which = +button.dataset.which; look(''); }; });
    view.querySelector('.report').onclick = report;
    const mirrors = view.querySelector('.mirrors');
    if (mirrors) mirrors.onclick = () => { asked = { ...asked, tta: !asked.tta }; look('again'); };
    view.querySelectorAll('button[data-true]').forEach(button => { button.onclick = () => choose(button.dataset); });
    const filters = view.querySelector('.filters');
    filters.onchange = () => images();
    filters.onsubmit = event => event.preventDefault();
    const more = view.querySelector('button.more');
    more.onclick = () => images(+more.dataset.next);
    matrix(view.querySelector('.matrix'));
    sorting(view.querySelector('.sortable'));
    images();
  }

  // All that is shown, as one file to keep or to hand in.
  async function report() {
    const answer = await ask('evaluate_report');
    if (answer.error) { tell(answer.error, true); return; }
    const url = URL.createObjectURL(new Blob([answer.html], { type: 'text/html' }));
    make('a', { href: url, download: answer.name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 10000);
  }

  // A cell or a class: its images.
  function choose({ true: row, predicted }) {
    const filters = view.querySelector('.filters').elements;
    filters.true.value = row ?? '';
    filters.predicted.value = predicted ?? '';
    filters.verdict.value = filters.sure.value = '';
    filters.confidence.value = '0 1';
    images();
    view.querySelector('.evaluation-images').scrollIntoView({ behavior: 'smooth', block: 'nearest' });
  }

  // One cell is in the tab order; arrows move, Enter or Space opens.
  function matrix(table) {
    const rows = [...table.tBodies[0].rows].map(row => [...row.querySelectorAll('td')]);
    let at = [0, 0];
    const focus = (y, x) => {
      rows[at[0]][at[1]].tabIndex = -1;
      at = [Math.min(Math.max(y, 0), rows.length - 1), Math.min(Math.max(x, 0), rows[0].length - 1)];
      const cell = rows[at[0]][at[1]];
      cell.tabIndex = 0;
      return cell;
    };
    focus(0, 0);
    table.onclick = event => {
      const cell = event.target.closest('td[data-true]');
      if (!cell) return;
      const y = rows.findIndex(row => row.includes(cell));
      focus(y, rows[y].indexOf(cell));
      table.querySelector('.chosen')?.classList.remove('chosen');
      cell.classList.add('chosen');
      choose(cell.dataset);
    };
    table.onkeydown = event => {
      const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (step) { event.preventDefault(); focus(at[0] + step[0], at[1] + step[1]).focus(); }
      else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); event.target.click(); }
    };
  }

  function sorting(table) {
    const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      head.querySelector('button').onclick = () => {
        const up = head.getAttribute('aria-sort') !== 'ascending';
        heads.forEach(other => other.setAttribute('aria-sort', 'none'));
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const number = text => (Number.isNaN(parseFloat(text)) ? -1 : parseFloat(text));  // a dash lies below 0 %
        const value = row => (column ? number(row.cells[column].textContent) : row.cells[0].textContent);
        const rows = [...body.rows].sort((a, b) => (column ? value(a) - value(b) : value(a).localeCompare(value(b), undefined, { numeric: true })));
        body.replaceChildren(...(up ? rows : rows.reverse()));
      };
    });
  }

  async function images(start = 0) {
    const form = Object.fromEntries(new FormData(view.querySelector('.filters')));
    const list = view.querySelector('[data-slot=images]'), more = view.querySelector('button.more'), mine = ++turn;
    const answer = await ask('evaluate_images', { ...form, start_at: start });
    if (mine !== turn || !list.isConnected) return;
    if (answer.error) { tell(answer.error, true); return; }
    if (!start) { list.replaceChildren(); close(); }
    const named = value => (value === '' ? said.any : classes[+value]);
    const title = form.true === '' && form.predicted === '' ? said.images_all : said.images_of;
    view.querySelector('[data-slot=images-title]').textContent = answer.total
      ? say(title, { count: answer.total.toLocaleString(document.documentElement.lang), true: named(form.true), predicted: named(form.predicted) }) : said.none;
    list.append(...answer.images.map(one => {
      const button = make('button', { type: 'button', class: one.right ? 'right' : 'wrong', title: `${one.true} → ${one.predicted}, ${one.confidence}` },
        make('img', { src: one.url, alt: '', loading: 'lazy' }),
        make('span', { class: 'labels' }, one.right ? one.true : `${one.true} → ${one.predicted}`),
        make('span', { class: 'share' }, one.confidence + (one.sure ? '' : ' ?')));
      const item = make('li', {}, button);
      button.onclick = () => open(one, item);
      return item;
    }));
    more.hidden = answer.next >= answer.total;
    more.dataset.next = answer.next;
  }

  function close() { opening += 1; opened?.remove(); opened = null; }

  // One image, in the list beneath its thumbnail.
  async function open(one, item) {
    const mine = ++opening, answer = await ask('evaluate_image', { place: one.place });
    if (mine !== opening || !item.isConnected) return;
    if (answer.error) { tell(answer.error, true); return; }
    close();
    opened = make('li', { class: 'open' });
    opened.innerHTML = answer.html;
    item.after(opened);
    const back = () => { close(); item.querySelector('button')?.focus(); };
    opened.querySelector('.close').onclick = back;
    opened.onkeydown = event => { if (event.key === 'Escape') back(); };
    opened.querySelector('.close').focus({ preventScroll: true });
    opened.scrollIntoView({ behavior: 'smooth', block: 'nearest' });
    opened.querySelector('.to-classify').onclick = () => explain(one.place);
    const move = opened.querySelector('.move'), gone = opened.querySelector('.delete');
    if (!move) return;
    move.onclick = () => { const label = opened.querySelector('.mend select').value; mend('evaluate_move', { place: one.place, label }, say(said.moved, { label }), item); };
    gone.onclick = () => mend('evaluate_delete', { place: one.place }, said.deleted, item);
  }

  // In Classify, which explains it: a drawing lies on the pad already when that room opens; a photo is put there by the server.
  async function explain(place) {
    const given = await ask('evaluate_hand_over', { place });
    if (given.error) { tell(given.error, true); return; }
    if (given.drawing) {
      const pad = document.querySelector('#pad .pad'), drawing = [{ picture: given.drawing }];
      if (pad?.put) pad.put(drawing); else try { sessionStorage.setItem('imgcls-drawing', JSON.stringify(drawing)); } catch { /* private mode */ }
    }
    trigger('submit', { checkpoint: given.checkpoint, photo: given.photo || '' });
  }

  async function mend(name, values, sentence, item) {
    const answer = await ask(name, values);
    if (answer.error) { tell(answer.error, true); return; }
    close();
    item.hidden = true;
    tell(sentence, false, async () => {
      const undone = await ask('evaluate_undo', { change: answer.change });
      if (undone.error) { tell(undone.error, true); return; }
      item.hidden = false;
      tell(said.undone);
    });
  }

  function tell(sentence, bad = false, undo = null) {
    const line = view.querySelector('.said') || view.firstElementChild.appendChild(make('p', { class: 'said' }));
    line.replaceChildren(sentence, ...(undo ? [' ', make('button', { type: 'button', onclick: undo }, said.undo)] : []));
    line.classList.toggle('bad', bad);
    line.hidden = false;
    line.scrollIntoView({ block: 'nearest' });
  }

  function begin() {
    const value = props.value || '';
    if (value === begun) return;   // the same again, with the late answer about a link: the cell that was chosen stays
    begun = value;
    try { asked = JSON.parse(props.value || 'null'); } catch { asked = null; }
    which = 0;
    if (asked) look(asked.asked ? 'again' : ''); else nothing(said.nothing, said.nothing_more);
  }
  watch('value', begin);
  begin();
}
