"""What training in the browser leaves of the page and of the server: `python -m benchmarks.browser_class`.

    python -m benchmarks.browser_class [--pages 30] [--seconds 20] [--rounds 3]

frames:  milliseconds between two frames of a page that trains, with curve, kernels and bars shown
change:  in the Init lab, from a press on another activation until all of the networks side by side show a new figure
pages:   of one processor core, what the server uses for that many pages that train and have their images: each a
         client that asks for what a real page was seen to ask for, for two cores cannot train in thirty pages
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.latency import FLAGS, cores_used, serve

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

LONG_MS = 120_000
FRAMES = """ms => new Promise(resolve => {
  const gaps = [], end = performance.now() + ms;
  let before = performance.now();
  const look = () => {
    const now = performance.now();
    gaps.push(now - before);
    before = now;
    if (now < end) requestAnimationFrame(look); else resolve(gaps);
  };
  requestAnimationFrame(look);
})"""
# From the change of the field until as many other networks as before show the first figure of a layer.
CHANGED = """activation => new Promise(resolve => {
  const shown = () => [...document.querySelectorAll('.side-network')], before = shown();
  const field = document.querySelector('#side-activation'), began = performance.now();
  field.value = activation;
  field.dispatchEvent(new Event('change', { bubbles: true }));
  const look = () => {
    const now = shown();
    const all = now.length === before.length
      && now.every(one => !before.includes(one) && one.querySelector('.side-bar b').textContent);
    if (all) resolve(performance.now() - began); else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
})"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=20, help="in which frames and the server are watched")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with tempfile.TemporaryDirectory() as folder:
        server, url, _ = serve(Path(folder))
        try:
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
                paths = in_a_browser(browser, url, arguments.seconds, arguments.rounds)
                browser.close()
            process = psutil.Process(server.pid)
            for _ in range(arguments.rounds):
                idle = cores_used(process, lambda: time.sleep(arguments.seconds))
                asked = _ask(url, paths, arguments.pages, arguments.seconds)
                busy = cores_used(process, lambda asked=asked: asyncio.run(asked))
                print(f"pages   {arguments.pages} of them: the server uses {busy:.1%} of a core ({idle:.1%} without)")
        finally:
            server.terminate()
            server.wait()


def in_a_browser(browser: Browser, url: str, seconds: float, rounds: int) -> list[str]:
    """Prints frames and changes; what a page asks for while it trains."""
    for _ in range(rounds):
        gaps = frames(browser, url, seconds)
        print(
            f"frames  median {statistics.median(gaps):.0f} ms, p95 {statistics.quantiles(gaps, n=20)[-1]:.0f} "
            f"ms, longest {max(gaps):.0f} ms ({len(gaps)} frames)"
        )
    waits = changes(browser, url, rounds)
    print(f"change  median {statistics.median(waits):.0f} ms, longest {max(waits):.0f} ms ({len(waits)} changes)")
    paths = asked_while_training(browser, url, seconds)
    print(f"asked   by a page in {seconds:.0f} s: {', '.join(paths)}")
    return paths


def ready(browser: Browser, url: str) -> Page:
    """A page of a browser of its own that has its images and can begin."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}?tab=train", timeout=LONG_MS)
    page.get_by_test_id("train-browser").click(timeout=LONG_MS)
    page.get_by_test_id("train-start").wait_for(timeout=LONG_MS)
    return page


def start(page: Page, epochs: int) -> None:
    page.locator("#here-epochs").fill(str(epochs))
    page.locator("#here-epochs").press("Tab")
    page.get_by_test_id("train-start").click()
    page.locator(".browser-training[data-phase=playing]").wait_for(timeout=LONG_MS)


def frames(browser: Browser, url: str, seconds: float) -> list[float]:
    page = ready(browser, url)
    page.wait_for_timeout(5000)
    start(page, 40)
    page.wait_for_timeout(1500)
    gaps = page.evaluate(FRAMES, 1000 * seconds)
    assert page.locator(".browser-training[data-phase=playing]").count(), "it was done before the time was over"
    page.context.close()
    return gaps


def changes(browser: Browser, url: str, rounds: int) -> list[float]:
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.goto(f"{url}?tab=init-lab", timeout=LONG_MS)
    page.get_by_test_id("side-open").click(timeout=LONG_MS)
    page.get_by_test_id("side-start").click(timeout=LONG_MS)
    page.wait_for_timeout(8000)
    waits = []
    for i in range(2 * rounds):
        waits.append(page.evaluate(CHANGED, ("tanh", "relu")[i % 2]))
        page.wait_for_timeout(2000)
    page.context.close()
    return waits


def asked_while_training(browser: Browser, url: str, seconds: float) -> list[str]:
    """The paths that a page which trains asks its server for, in the order in which it does."""
    page = ready(browser, url)
    start(page, 90)
    page.wait_for_timeout(5000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urllib.parse.urlsplit(request.url).path))
    page.wait_for_timeout(1000 * seconds)
    page.context.close()
    return asked


async def _ask(url: str, paths: list[str], pages: int, seconds: float) -> None:
    """As many clients as pages, each of which asks for `paths` once in `seconds`, on a connection that stays open."""
    port = urllib.parse.urlsplit(url).port

    async def client() -> None:
        await asyncio.sleep(random.uniform(0, seconds / max(1, len(paths))))
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for path in paths:
            head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nSec-Fetch-Site: same-origin\r\n\r\n"
            writer.write(head.encode())
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            length = next(line for line in answer.split("\r\n") if line.startswith("content-length"))
            await reader.readexactly(int(length.split(":")[1]))
            await asyncio.sleep(seconds / len(paths))
        writer.close()

    await asyncio.gather(*(client() for _ in range(pages)))


if __name__ == "__main__":
    main()
