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
