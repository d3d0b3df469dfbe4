"""What a person waits for, in a real Chromium: pen-up to answer, process start to first page, Start to first progress.

    python -m benchmarks.latency [--drawings 40] [--json]

pen-up:  from lifting the pen to the last change of the answer that it causes, each drawing another one of a hand's
page:    from starting `python app.py` to its first page, beside `import gradio, torch, torchvision` in a fresh process
start:   from the click on Start training to the first curve on the page
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
WATCH = """() => {
  window.changed = 0; window.lifted = 0;
  new MutationObserver(() => { window.changed = performance.now(); })
    .observe(document.querySelector('#result'), { childList: true, subtree: true, attributes: true });
  window.addEventListener('pointerup', () => { window.lifted = performance.now(); }, true);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=int, default=40)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    imports = _seconds([sys.executable, "-c", "import gradio, torch, torchvision"])
    with tempfile.TemporaryDirectory() as folder:
        server, url, first_page = _serve(Path(folder))
        try:
            pen, start = _in_browser(url, arguments.drawings)
        finally:
            server.terminate()
            server.wait()
    made = {
        "pen_up_ms": {"median": statistics.median(pen), "p95": sorted(pen)[int(len(pen) * 0.95)], "drawings": len(pen)},
        "first_page_s": first_page,
        "imports_s": imports,
        "first_page/imports": first_page / imports,
        "start_to_progress_s": start,
    }
    if arguments.json:
        print(json.dumps(made))
        return
    print(f"pen-up to answer      median {made['pen_up_ms']['median']:.0f} ms, p95 {made['pen_up_ms']['p95']:.0f} ms")
    print(f"start to first page   {first_page:.1f} s, {first_page / imports:.2f} of the imports' {imports:.1f} s")
    print(f"Start to first curve  {start:.1f} s")


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=PROJECT)
    return time.perf_counter() - began


def _serve(workspace: Path) -> tuple[subprocess.Popen, str, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"IMGCLS_HOME": str(workspace), "IMGCLS_PORT": str(port)}
    began = time.perf_counter()
    server = subprocess.Popen([sys.executable, "app.py"], cwd=PROJECT, env=environment, stdout=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}/en/"
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return server, url, time.perf_counter() - began
        except OSError:
            if server.poll() is not None or time.perf_counter() - began > 120:
                raise
            time.sleep(0.02)


def _in_browser(url: str, drawings: int) -> tuple[list[float], float]:
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("#pad canvas")
        page.evaluate(WATCH)
        box = page.locator("#pad canvas").bounding_box()
        pen = [_draw(page, box, random.Random(i)) for i in range(drawings + 3)][3:]  # the first ones warm up
        page.get_by_role("tab", name="Train", exact=True).click()
        page.wait_for_timeout(3000)
        began = time.perf_counter()
        page.get_by_role("button", name="Start training").click()
        page.wait_for_selector("#card polyline", timeout=60_000)
        start = time.perf_counter() - began
        page.locator("#stop").click()
        page.wait_for_selector("section.run[data-state=stopped], section.run[data-state=finished]", timeout=60_000)
        browser.close()
    return pen, start


def _draw(page, box: dict, hand: random.Random) -> float:
    """One drawing of one curved stroke; milliseconds from pen-up to the last change that follows."""
    page.locator(".pad-clear").click()
    page.wait_for_timeout(250)
    x, y = hand.uniform(0.3, 0.6), hand.uniform(0.15, 0.25)
    page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
    page.mouse.down()
    for _ in range(12):
        x, y = min(0.85, max(0.15, x + hand.uniform(-0.12, 0.12))), min(0.9, y + hand.uniform(0.02, 0.08))
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=3)
        page.wait_for_timeout(15)
    page.mouse.up()
    page.wait_for_timeout(900)
    return max(0.0, page.evaluate("window.changed - window.lifted"))


if __name__ == "__main__":
    main()
