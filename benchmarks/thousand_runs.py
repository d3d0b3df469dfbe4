"""How long a thousand runs take to open in the page: `python -m benchmarks.thousand_runs`.

Runs as they lie when they have ended, the lab's own server, one real Chromium. From the click on *All runs* until the
first rows are drawn; what of that was the server's answer, and how long the page's own script worked; and from the
first key of a search until the table shows what it finds. `index_ms`: processor time of the index that the answer is
made of, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import latency
from imgcls.runs import run_index
from imgcls.runs.store import list_runs
from imgcls.workspace import Workspace

SETTLE_MS = 6000  # after the page is there: what it loads in the background is done
# When the click came, and when rows have been laid out and drawn: two frames after they are in the page.
WATCHED = """() => {
  window.opened = {};
  const clicked = event => { if (event.target.closest('.rt > summary')) window.opened.click ??= performance.now(); };
  document.addEventListener('click', clicked, true);
  const drawn = () => { window.opened.rows = performance.now(); };
  new MutationObserver((_, watching) => {
    if (!document.querySelector('.rt-row')) return;
    watching.disconnect();
    requestAnimationFrame(() => requestAnimationFrame(drawn));
  }).observe(document.querySelector('.rt-rows'), { childList: true });
}"""
FOUND = """() => {
  const [shown, total] = document.querySelector('.rt-count').textContent.match(/[0-9]+/g);
  return shown !== total;
}"""
ANSWER = """() => performance.getEntriesByType('resource').filter(one => one.name.includes('component_server')
  && one.startTime >= window.opened.click - 5).map(one => one.duration)[0]"""


def fill(workspace: Workspace, runs: int) -> None:
    from tests.run_folders import a_run

    for i in range(runs):
        a_run(workspace, f"many-{i:04}", lr=0.01 if i % 2 else 0.3, accuracy=0.5 + i / 2.1 / runs, epochs=2, seed=i % 7)


def opened(url: str, times: int) -> list[dict[str, float]]:
    """Milliseconds of each part, each time in a page of its own."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    made = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=latency.FLAGS)
        for _ in range(times):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            page.goto(f"{url}?tab=train")
            page.wait_for_selector(".rt > summary")
            page.wait_for_timeout(SETTLE_MS)
            page.evaluate(WATCHED)
            told = page.context.new_cdp_session(page)
            told.send("Performance.enable", {"timeDomain": "threadTicks"})
            before = _script_ms(told)
            page.locator(".rt > summary").click()
            page.wait_for_function("window.opened.rows")
            script = _script_ms(told) - before
            times_of = page.evaluate("window.opened")
            answer = page.evaluate(ANSWER)
            began = time.perf_counter()
            page.locator(".rt-search").fill("many lr>0.1 seed=3")
            page.wait_for_function(FOUND)
            made.append(
                {
                    "open_ms": times_of["rows"] - times_of["click"],
                    "answer_ms": answer or 0.0,
                    "script_ms": script,
                    "search_ms": 1000 * (time.perf_counter() - began),
                }
            )
            page.close()
        browser.close()
    return made


def _script_ms(told: Any) -> float:
    values = {one["name"]: one["value"] for one in told.send("Performance.getMetrics")["metrics"]}
    return 1000 * values["ScriptDuration"]


def _index_ms(workspace: Workspace) -> int:
    began = time.process_time()
    run_index.rows(workspace)
    return round(1000 * (time.process_time() - began))


def measure(runs: int, times: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder))
        fill(workspace, runs)
        server, url, _ = latency.serve(Path(folder))
        try:
            time.sleep(latency.SETTLE / 1000)
            took = opened(url, times)
        finally:
            server.terminate()
            server.wait(60)
        assert len(list_runs(workspace)) == runs
        index = _index_ms(workspace)
    return {
        "runs": runs,
        "index_ms": index,
        **{
            name: {
                "first": round(took[0][name]),
                "median": round(statistics.median(one[name] for one in took)),
                "most": round(max(one[name] for one in took)),
            }
            for name in took[0]
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How long a thousand runs take to open in the page.")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--times", type=int, default=10)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.runs, asked.times), indent=2))


if __name__ == "__main__":
    main()
