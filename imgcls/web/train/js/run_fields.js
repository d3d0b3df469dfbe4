// The settings of a run in the page. Learning rate, momentum, batch size and epochs may be changed while it goes on.
import { make } from '../../shared/elements.js';

const LIVE = ['lr', 'momentum', 'batch_size', 'epochs'];
const BATCHES = [16, 32, 64, 128, 256, 512];
const rate = exponent => Number((10 ** exponent).toPrecision(2));

export class RunFields {
  // `choices`: { optimizer: [[value, label], ...], ... }; `changed(values)`: of LIVE, when a person has moved one.
  constructor(words, choices, changed) {
    Object.assign(this, { words, changed, fields: {} });
    const slider = (name, min, max, step, shown, inner, outer) => this.add(name, () => {
      const said = make('output'), input = make('input', { type: 'range', min, max, step });
      const tell = () => { said.textContent = shown(inner(Number(input.value))); input.setAttribute('aria-valuetext', said.textContent); };
      input.addEventListener('input', tell);
      return { input, extra: said, get: () => inner(Number(input.value)), set: value => { input.value = outer(value); tell(); } };
    });
    const number = (name, limits) => this.add(name, () => {
      const input = make('input', { type: 'number', inputmode: 'decimal', ...limits });
      const get = () => {
        const value = Math.min(limits.max, Math.max(limits.min, Number(input.value) || limits.min));
        return limits.step === 1 ? Math.round(value) : value;
      };
      input.addEventListener('change', () => { input.value = get(); });   // what is shown is what is learnt with
      return { input, get, set: value => { input.value = value; } };
    });
    const select = (name, options) => this.add(name, () => {
      const input = make('select', {}, ...options.map(([value, label]) => make('option', { value }, label)));
      const values = options.map(([value]) => value);
      return { input, get: () => values.find(value => String(value) === input.value), set: value => { input.value = String(value); } };
    });
    slider('lr', -4, 0.5, 0.05, value => String(value), rate, value => Math.log10(value).toFixed(2));
    slider('momentum', 0, 0.99, 0.01, value => value.toFixed(2), value => value, value => value);
    select('batch_size', BATCHES.map(size => [size, String(size)]));
    number('epochs', { min: 1, max: 200, step: 1 });
    for (const [name, options] of Object.entries(choices)) select(name, options);
    number('weight_decay', { min: 0, max: 10, step: 'any' });
    number('seed', { min: 0, max: 2 ** 31 - 1, step: 1 });
    const [first, more] = [LIVE, Object.keys(this.fields).filter(name => !LIVE.includes(name))];
    this.element = make('div', { class: 'here-fields' }, ...first.map(name => this.fields[name].element),
      make('details', { class: 'here-more' }, make('summary', {}, words.more_settings), ...more.map(name => this.fields[name].element)));
  }

  add(name, build) {
    const field = build(), id = `here-${name}`;
    field.input.id = id;
    field.input.addEventListener('change', () => { if (LIVE.includes(name)) this.changed({ [name]: field.get() }); });
    field.element = make('div', { class: 'here-field' }, make('label', { for: id }, this.words[`set_${name}`], ...(field.extra ? [' ', field.extra] : [])), field.input);
    this.fields[name] = field;
  }

  get values() {
    const said = Object.fromEntries(Object.entries(this.fields).map(([name, { get }]) => [name, get()]));
    const { network, ...rest } = said;
    return { ...rest, widths: network === 'lenet-16-32' ? [16, 32] : [6, 16] };
  }

  // Those that may be changed while a run goes on.
  get live() { return Object.fromEntries(LIVE.map(name => [name, this.fields[name].get()])); }

  set values({ widths, ...values }) {
    if (widths) this.fields.network.set(widths[0] === 16 ? 'lenet-16-32' : 'lenet');
    for (const [name, value] of Object.entries(values)) this.fields[name]?.set(value);
  }

  // What a run cannot change any more is greyed out while there is one.
  lock(locked) {
    for (const [name, { input }] of Object.entries(this.fields)) input.disabled = locked && !LIVE.includes(name);
  }
}
