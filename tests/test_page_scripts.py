"""The page's modules under Node, where no browser is needed to see that they do what they say."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine import evaluated

DOM = (Path(__file__).parent / "dom.mjs").as_uri()
OPENED = "const { element } = await import(dom);"
STORAGE = """
  const kept = new Map(), refused = () => { if (how === 'blocked') throw new Error('blocked'); };
  globalThis.localStorage = {
    getItem(key) { refused(); return kept.get(key) ?? null; },
    setItem(key, text) { refused(); kept.set(key, String(text)); },
    removeItem(key) { refused(); kept.delete(key); },
  };
"""


@pytest.mark.parametrize("how", ["open", "blocked"])
def test_consent_that_is_taken_back_is_not_sent_and_each_keeper_has_a_token(how):
    body = """
      const { Wrong } = await import(`${WEB}/classify/js/wrong.js`), sent = [];
      const words = new Proxy({}, { get: (_, name) => String(name) });
      const answer = { set: 'mine', count: 0, pictures: [], classes: ['a', 'b'], ask: true };
      const ask = async (name, asked) => { sent.push([name, asked]); return answer; };
      const desk = { ask, picture: () => ({ drawing: 'x' }) };
      const wrong = new Wrong(words, desk), box = wrong.agree.querySelector('input');
      wrong.about = 'one/best';
      await wrong.open();
      const tick = on => { box.checked = on; box.says('change'); };
      const count = () => sent.filter(([name]) => name === 'wrong_keep').length;
      const keeps = async () => { await wrong.keep(0, 'a'); return count(); };
      const never = await keeps();
      tick(true); tick(false);
      const withdrawn = await keeps();
      tick(true);
      const agreed = await keeps();
      await wrong.remove('one.png');
      return [never, withdrawn, agreed, sent.map(([, { token }]) => token).filter(token => token !== undefined)];
    """
    never, withdrawn, agreed, tokens = evaluated(OPENED + STORAGE + body, dom=DOM, how=how)
    assert (never, withdrawn, agreed) == (0, 0, 1)
    assert len(tokens) == 2 and len(set(tokens)) == 1 and len(tokens[0]) == 32


def test_a_run_is_watched_on_after_the_lab_was_away():
    body = """
      const { Wrong } = await import(`${WEB}/classify/js/wrong.js`), { Desk } = await import(`${CLASSIFY}/desk.js`);
      const words = new Proxy({}, { get: (_, name) => String(name) }), shown = [];
      const thrown = () => { throw new Error('network'); };
      const answers = [thrown, () => null, () => ({ share: 0.5 }), () => ({ error: 'gone' })];
      const server = { wrong_look: async () => answers.shift()() }, pad = { png: () => 'none' };
      globalThis.setTimeout = act => { wrong.later = act; return 1; };
      document.querySelector = () => null;
      const wrong = new Wrong(words, new Desk(words, server, pad));
      wrong.run = 'one';
      for (let act = () => wrong.look(); act; act = wrong.later) {
        wrong.later = null;
        await act();
        await new Promise(setImmediate);
        shown.push(wrong.said.textContent);
      }
      return shown;
    """
    assert evaluated(OPENED + STORAGE + body, dom=DOM, how="open") == ["no_answer", "no_answer", "", "gone"]


def test_no_text_is_a_formula_in_a_spreadsheet():
    made = evaluated(
        "return (await import(`${WEB}/shared/csv.js`)).csv(rows);",
        rows=[["note", "lr"], ["=1+1", -0.5], ["@x", None], ['a "b",\nc', True], [["one", "two"], 0]],
    )
    lines = ['"note","lr"', '"\'=1+1",-0.5', '"\'@x",', '"a ""b"",\nc",true', '"one two",0']
    assert made == "".join(line + "\r\n" for line in lines)


def test_a_duration_has_no_sixtieth_second():
    body = "return seconds.map((await import(`${WEB}/runs_table/run_figures.js`)).duration);"
    made = evaluated(body, seconds=[0.04, 59.44, 59.96, 119.7, 600])
    assert made == ["0.0 s", "59.4 s", "1:00 min", "2:00 min", "10:00 min"]


@pytest.mark.parametrize(("status", "asked"), [(200, 1), (404, 1), (429, 2), (0, 2)])
def test_what_a_network_has_more_is_asked_for_again_where_it_did_not_come(status, asked):
    body = """
      let asked = 0;
      globalThis.fetch = async () => {
        asked++;
        if (!status) throw new Error('dropped');
        return { ok: status === 200, status, arrayBuffer: async () => new ArrayBuffer(0) };
      };
      document.querySelector = () => null;
      const { more } = await import(`${CLASSIFY}/more.js`);
      const reader = { url: 'x', meta: {} }, units = more('units', () => 'read');
      const answers = [await units(reader), await units(reader)];
      return [asked, answers];
    """
    assert evaluated(OPENED + body, dom=DOM, status=status) == [asked, ["read" if status == 200 else None] * 2]


def test_why_follows_a_network_that_learns_and_keeps_the_class_that_was_chosen():
    body = """
      const { Why } = await import(`${CLASSIFY}/why.js`), words = new Proxy({}, { get: (_, name) => String(name) });
      globalThis.ImageData = class { constructor(w, h) { this.data = new Uint8ClampedArray(4 * w * h); } };
      globalThis.requestAnimationFrame = act => setTimeout(act, 1);
      const why = new Why(words);
      why.canvas.getContext = () => ({ putImageData() {} });
      const meta = { classes: ['a', 'b'], preprocess: { stored: 8, mean: [0.5], std: [0.5], channels: 1, size: 8 } };
      const stored = () => Float32Array.from({ length: 64 }, (_, i) => (i === 27 ? 255 : 0));
      const net = { logits: x => [x[27], 0] }, probabilities = [0.9, 0.1];
      const step = () => why.show({ stored: stored(), probabilities }, { meta, net });
      step();
      const [, button] = why.buttons;
      button.says('click');
      const until = Date.now() + 1500;
      let made = 0, last = null;
      while (Date.now() < until && made < 2) {   // a report each 30 ms, as often as three workers send them
        step();
        await new Promise(done => setTimeout(done, 30));
        if (why.heat && why.heat !== last) { made++; last = why.heat; }
      }
      return [made, why.about, why.buttons[1] === button];
    """
    assert evaluated(OPENED + body, dom=DOM) == [2, 1, True]


def test_a_chart_that_gets_the_focus_says_its_newest_values():
    body = """
      const svg = element('svg'), hair = element(), reading = element('figcaption');
      globalThis.Element = svg.constructor;
      Object.assign(hair, { removeAttribute() {} });
      const figure = { querySelector: () => reading };
      svg.viewBox = { baseVal: { width: 640 } };
      svg.closest = selector => (selector === 'figure.chart svg' ? svg : figure);
      svg.querySelector = () => hair;
      const points = [[50, '1', '80%'], [300, '2', '90%'], [600, '3', '95%']];
      svg.dataset.values = JSON.stringify([{ name: 'val', points }]);
      globalThis.location = { href: 'http://lab/', search: '' };
      document.documentElement = element();
      const heard = {};
      document.addEventListener = (name, act) => { heard[name] = act; };
      await import(`${WEB}/shared/charts.js`);
      heard.focusin({ target: svg });
      return reading.textContent;
    """
    assert evaluated(OPENED + body, dom=DOM) == "3 · val 95%"
