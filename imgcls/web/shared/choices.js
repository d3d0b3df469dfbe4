// What a person did last stands. Each thing that a person changes is counted; a question to the server is about the
// change that made it be asked, however late it goes out, and when its answer comes, a field that was changed since
// keeps its value: only the answer's other news (choices, a sentence, whether it is shown) is taken. Holds for every event of every tab, for it stands where answers
// come in. And the answer to something that nobody asked for never takes the place of a later one. What it reads of
// Gradio's configuration is checked before the lab is served (server/refusals.py).
const FIELDS = ['checkbox', 'checkboxgroup', 'dropdown', 'number', 'radio', 'tabs', 'textbox'];
const changed = new Map();   // component -> the count at which a person changed it last
const questions = new Map(); // event of the queue -> what was asked
const joining = new Set();   // questions on their way to the queue
const written = new Map();   // component -> the question whose answer it shows
const answeredAt = new Map(); // component -> the count at which an answer wrote into it
let count = 0, turn = 0, pages = null;

function known() {
  if (pages) return pages;
  const { components, dependencies } = window.gradio_config, kinds = new Map(components.map(one => [one.id, one.type]));
  const fields = new Map(components.filter(one => FIELDS.includes(one.type) && one.props.elem_id).map(one => [one.props.elem_id, one.id]));
  const of = which => new Map(dependencies.map(one => [one.id, one[which]]));
  const names = new Map(components.map(one => [one.id, one.props.elem_id]));
  return pages = { kinds, fields, names, outputs: of('outputs'), inputs: of('inputs') };
}

// The field that an element belongs to.
function fieldOf(target) {
  const { fields } = known();
  for (let node = target; node; node = node.parentElement) {
    const id = node.dataset?.chooses ?? node.id; // a table whose lines choose for a field
    if (fields.has(id)) return fields.get(id);
  }
  return null;
}
function changes(event) {
  if (!event.isTrusted || !(event.target instanceof Element)) return;
  const field = fieldOf(event.target);
  if (field === null) return;
  changed.set(field, ++count);
  blockOf(field)?.querySelector(':scope > .choice-gone')?.remove();
  if (event.target.type !== 'radio') return;
  picked.set(field, event.target.value);
  labels.set(field, event.target.closest('label')?.textContent.trim() ?? event.target.value);
}

// What a person had chosen and cannot choose any more is told at its field, until something else is chosen there.
const picked = new Map(), labels = new Map(); // radio -> what a person chose, and what it is called
const blockOf = field => document.getElementById(known().names.get(field));
function tellGone(field, names) {
  const block = blockOf(field), sentence = document.querySelector('[data-choice-gone]')?.dataset.choiceGone;
  if (!block || !sentence) return;
  const told = block.querySelector(':scope > .choice-gone') ?? block.appendChild(document.createElement('p'));
  told.className = 'hint choice-gone';
  told.setAttribute('role', 'status');
  told.textContent = sentence.replace('{choice}', names.join(', '));
}
// Of a list: what it was asked with, and the answer's new choices do not have.
function tellGoneFrom(field, news, asked) {
  if (!asked.quiet || !isNews(news) || !news.choices || !('value' in news)) return;
  const there = new Set(news.choices.map(one => (Array.isArray(one) ? one[1] : one)));
  const gone = [asked.before.get(field) ?? []].flat().filter(one => one !== '' && !there.has(one));
  if (gone.length) tellGone(field, gone);
}
// Of buttons, which the page takes away itself.
function tellGoneButton(node) {
  const field = fieldOf(node), block = picked.has(field) ? blockOf(field) : null;
  if (!block || [...block.querySelectorAll('input')].some(one => one.value === picked.get(field))) return;
  if (!block.querySelector('input')) return; // it is being built anew
  picked.delete(field);
  tellGone(field, [labels.get(field)]);
}
document.addEventListener('input', changes, true);
// Lists and tabs have no input of their own; Enter takes what the arrow keys reached.
const PRESSED = '[role=option], [role=tab], .token-remove, .remove-all, [data-chooses] tbody button';
for (const name of ['mousedown', 'click']) {
  document.addEventListener(name, event => { if (event.target instanceof Element && event.target.closest(PRESSED)) changes(event); }, true);
}
document.addEventListener('keydown', event => {
  // A number that is selected to be typed over is theirs: an answer would take the selection away, and be typed behind.
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'a' && event.target.matches?.('input, textarea')) changes(event);
  if (event.key === 'Enter' && event.target instanceof Element && event.target.matches('input[role=combobox], input[role=listbox]')) changes(event);
}, true);

// quiet: not what a person waits for, which goes through the queue
function question(body, quiet) {
  const { fn_index: event, trigger_id: by, data } = JSON.parse(body), { outputs, inputs } = known();
  const takes = inputs.get(event) ?? [], before = new Map(takes.map((field, i) => [field, data?.[i]]));
  return { at: count, about: changeOf(by, takes), before, turn: ++turn, quiet, outputs: outputs.get(event) ?? [] };
}
// The change that a question is about: { at: its count; of: the fields that it is older than, null for all; chosen:
// whether a person chose what is asked about }. A component that asks in the name of fields says so (data-follows):
// what else it asks about and was changed since the last of those follows from none of them.
function changeOf(by, takes) {
  const { kinds, fields, names } = known(), name = names.get(by);
  const follows = name ? document.getElementById(name)?.querySelector('[data-follows]')?.dataset.follows.split(' ') : null;
  if (follows) return { at: Math.max(0, ...follows.map(one => changed.get(fields.get(one)) ?? 0)), of: takes };
  if (!FIELDS.includes(kinds.get(by)) || !changed.has(by)) return { at: count, of: null };
  return { at: Math.max(changed.get(by), answeredAt.get(by) ?? 0), of: null, chosen: true };
}
const since = (field, { at, about }) => (about.of === null || about.of.includes(field) ? Math.min(at, about.at) : at);
const isLate = (field, asked) => (changed.get(field) ?? 0) > since(field, asked);
const isPast = (field, asked) => asked.quiet && (written.get(field) ?? 0) > asked.turn;
const isNews = value => value?.__type__ === 'update';

// `data` without the values of fields that were changed after it was asked for.
function current(data, asked) {
  const { kinds } = known(), all = asked.outputs;
  const fields = data.length === all.length ? all : all.filter(one => kinds.get(one) !== 'state');
  return data.map((value, i) => {
    if (isPast(fields[i], asked)) return { __type__: 'update' };
    if (!isNews(value) || 'value' in value) written.set(fields[i], asked.quiet ? asked.turn : ++turn);
    if (!isLate(fields[i], asked)) {
      tellGoneFrom(fields[i], value, asked);
      if (isNews(value) && !('value' in value)) return value;
      answeredAt.set(fields[i], count);
      // What follows from a choice was chosen with it.
      if (asked.about.chosen) changed.set(fields[i], Math.max(changed.get(fields[i]) ?? 0, asked.about.at));
      return value;
    }
    if (!isNews(value)) return { __type__: 'update' };
    const { value: _, selected: __, ...news } = value;
    return news;
  });
}

async function answered(answer, asked) {
  if (!answer.ok) return answer;
  const said = await answer.json();
  if (Array.isArray(said.data)) said.data = current(said.data, asked);
  return new Response(JSON.stringify(said), { status: answer.status, headers: { 'Content-Type': 'application/json' } });
}

async function joined(answer, asked) {
  const { event_id: id } = await answer.clone().json().catch(() => ({}));
  if (id) questions.set(id, asked);
  return answer;
}

// The stream in which the queue answers, a line an event.
async function line(text) {
  if (!text.startsWith('data:') || !text.includes('"process_completed"')) return text;
  await Promise.all(joining);
  const said = JSON.parse(text.slice(5)), asked = questions.get(said.event_id);
  questions.delete(said.event_id);
  if (!asked || !Array.isArray(said.output?.data)) return text;
  said.output.data = current(said.output.data, asked);
  return `data: ${JSON.stringify(said)}`;
}
function lines(answer) {
  let rest = '';
  const cut = new TransformStream({
    async transform(text, out) {
      const all = (rest + text).split('\n');
      rest = all.pop();
      for (const one of all) out.enqueue(`${await line(one)}\n`);
    },
    async flush(out) { if (rest) out.enqueue(await line(rest)); },
  });
  const body = answer.body.pipeThrough(new TextDecoderStream()).pipeThrough(cut).pipeThrough(new TextEncoderStream());
  return new Response(body, { status: answer.status, headers: answer.headers });
}

const get = window.fetch;
window.fetch = async function(input, init) {
  const path = new URL(input instanceof Request ? input.url : input, document.baseURI).pathname;
  const asks = typeof init?.body === 'string' && path.match(/\/gradio_api\/(run|queue\/join)\b/);
  if (asks) {
    const asked = question(init.body, asks[1] === 'run'), sent = get(input, init);
    if (asks[1] === 'run') return answered(await sent, asked);
    const waits = sent.then(answer => joined(answer, asked)), done = waits.then(() => {}, () => {});
    joining.add(done);
    done.then(() => joining.delete(done));
    return waits;
  }
  const answer = await get(input, init);
  return path.endsWith('/gradio_api/queue/data') && answer.ok && answer.body ? lines(answer) : answer;
};

// A field that is just being built takes no letters and clicks: Gradio writes its first value into it once more, in
// the frame after. What a script or a reader has put into it all the same is put into it again.
const FRAMES = 3, typed = new Map();
function settle(block, frames) {
  block.inert = frames > 0;
  if (frames > 0) { requestAnimationFrame(() => settle(block, frames - 1)); return; }
  for (const [input, value] of typed) {
    if (!block.contains(input)) continue;
    typed.delete(input);
    if (input.value === value) continue;
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
}
document.addEventListener('input', event => {
  const input = event.target;
  if (input instanceof Element && input.matches('input, textarea') && input.closest('[inert]')) typed.set(input, input.value);
}, true);
new MutationObserver(records => {
  for (const { addedNodes, removedNodes, target } of records) {
    if (picked.size && removedNodes.length && target instanceof Element) tellGoneButton(target);
    for (const node of addedNodes) {
      if (!(node instanceof Element) || !window.gradio_config) continue;
      const { fields, kinds } = known(), isField = one => fields.has(one.id) && kinds.get(fields.get(one.id)) !== 'tabs';
      for (const block of [node, ...node.querySelectorAll('.block[id]')]) if (isField(block)) settle(block, FRAMES);
    }
  }
}).observe(document.documentElement, { childList: true, subtree: true });
