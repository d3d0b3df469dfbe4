"""How soon one can draw on a page that has just been opened, and what its opening costs, in a real Chromium.

    python -m benchmarks.first_stroke [--opens 9] [--json]

Every opening is a first visit: nothing is cached. The pen comes down as soon as there is a pad.

stroke:   from the navigation to the end of the frame that shows the first stroke
built:    until the answer stands where Gradio's page has been built
longest:  the longest time in which the page was busy while one drew
bytes:    on the wire, with how many requests, until nothing has come for two seconds
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.latency import FLAGS, serve

SETTLE = 15  # seconds in which the server loads torch
QUIET_MS = 2_000
WATCH = """() => {
  const drawn = new MessageChannel(), stroke = CanvasRenderingContext2D.prototype.stroke;
  window.tasks = [];
  const busy = new PerformanceObserver(list => tasks.push(...list.getEntries().map(one => one.duration)));
  busy.observe({ type: 'longtask' });
  drawn.port1.onmessage = () => { window.stroke_ms ??= performance.now(); };
  CanvasRenderingContext2D.prototype.stroke = function(...given) {
    stroke.apply(this, given);
    if (this.canvas.isConnected) requestAnimationFrame(() => drawn.port2.postMessage(null));
  };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opens", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server, url, _ = serve(Path(folder))
        try:
            time.sleep(SETTLE)
            opened = openings(url, arguments.opens)
            answers = [_seconds(url) for _ in range(20)]
        finally:
            server.terminate()
            server.wait()
    made = {name: [one[name] for one in opened] for name in opened[0]} | {"html_ms": [1000 * s for s in answers]}
    if arguments.json:
        print(json.dumps(made))
        return
    for name, unit in (("stroke", "ms"), ("built", "ms"), ("longest", "ms"), ("bytes", ""), ("requests", "")):
        said = made[name]
        print(f"{name:9}{statistics.median(said):>10,.0f} {unit} ({min(said):,.0f} to {max(said):,.0f})")
    print(f"the page's HTML from the server: median {statistics.median(made['html_ms']):.1f} ms")


def openings(url: str, count: int) -> list[dict[str, float]]:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        return [_opened(browser, url) for _ in range(count + 1)][1:]  # the first warms the server


def _opened(browser: Any, url: str) -> dict[str, float]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.add_init_script(f"({WATCH})()")
    wire, network = {"bytes": 0.0, "requests": 0.0}, context.new_cdp_session(page)
    last = time.monotonic()

    def came(event: dict[str, Any]) -> None:
        nonlocal last
        last = time.monotonic()
        wire["bytes"] += event["encodedDataLength"]
        wire["requests"] += 1

    network.on("Network.loadingFinished", came)
    network.send("Network.enable")
    page.goto(url, wait_until="commit")
    pad = page.locator(".pad canvas").first
    pad.wait_for()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200, steps=10)
    page.mouse.up()
    page.get_by_test_id("answer").wait_for()
    built = page.evaluate("performance.now()")
    while time.monotonic() - last < QUIET_MS / 1000:
        page.wait_for_timeout(200)
    made = {**page.evaluate("({ stroke: stroke_ms, longest: Math.max(0, ...tasks) })"), "built": built, **wire}
    context.close()
    return made


def _seconds(url: str) -> float:
    began = time.perf_counter()
    asked = urllib.request.Request(url, headers={"Accept-Encoding": "gzip"})
    urllib.request.urlopen(asked, timeout=10).read()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
