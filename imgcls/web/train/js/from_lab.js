// Where a page of the lab has everything from: engine, worker and images, and the lab's own networks.
// `props`: { words, language, engines, shared }.
import { named } from '../../classroom/classroom.js';

export function fromLab(props) {
  const at = path => new URL(`../${path}`, document.baseURI);
  const fetched = async (path, options) => {
    const answer = await fetch(at(path), options).catch(() => { throw new Error(props.words.no_lab); });
    const said = answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : null;
    if (!answer.ok || said?.error) throw new Error(said?.error ?? props.words.no_lab);
    return said ?? answer.arrayBuffer();
  };
  const language = `language=${props.language}`;
  const source = {
    worker: async () => new Worker(new URL('../../engine/js/worker.js', import.meta.url), { type: 'module' }),
    engine: build => fetched(`engine/${props.engines[build]}`),
    // A run that goes on asks for the very file that it began with, which the browser still has.
    data: async wanted => {
      const there = wanted.url && await fetched(wanted.url).catch(() => null);
      if (there) return there;
      const { dataset, images, start_from = '' } = wanted, asked = new URLSearchParams({ dataset, images, start_from });
      wanted.url = (await fetched(`training-data?${asked}&${language}`)).url;
      return fetched(wanted.url);
    },
  };
  const lab = {
    weights: async url => {
      const answer = await fetch(url);
      if (!answer.ok) throw new Error(props.words.no_lab);
      return answer.arrayBuffer();
    },
    keep: body => fetched(`page-runs?${language}`, { method: 'POST', body }),
    checkpoints: dataset => fetched(`page-checkpoints?dataset=${encodeURIComponent(dataset)}&${language}`),
  };
  const board = props.shared && {
    named,
    seen: () => fetched(`class/board?${language}`),
    ask: said => fetched(`class/board?${language}`, { method: 'POST', body: JSON.stringify(said) }),
  };
  return { source, lab, board };
}
