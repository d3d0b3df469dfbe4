"""What a person waits for, in a real Chromium: pen to answer, process start to first page, Start to first progress.

    python -m benchmarks.latency [--drawings 40] [--seconds 8] [--json]

frame:   from the first pen move of a frame to the end of the frame that shows its answer, which the page computes
drawers: requests and the server's processor time while one draws: what thirty or a hundred at once cost it
server:  drawings that the server reads a second, for networks that the page does not compute (server_answers.py)
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import server_answers

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROJECT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-sync".split()
)
SETTLE = 15_000  # ms in which torch and the process that stands by are loaded
# A message that is posted in an animation frame arrives once the frame is drawn.
WATCH = """() => {
  const pad = document.querySelector('#pad .pad'), read = pad.read, drawn = new MessageChannel();
  let moved = null;
  window.frames_ms = [];
  window.addEventListener('pointermove', event => { moved ??= event.timeStamp; }, true);
  pad.read = () => {
    read();
    if (moved !== null) drawn.port2.postMessage(moved);
    moved = null;
  };
  drawn.port1.onmessage = ({ data }) => window.frames_ms.push(performance.now() - data);
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--drawings", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=8, help="in which the server reads drawings")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    imports = _seconds([sys.executable, "-c", "import gradio, torch, torchvision"])
    with tempfile.TemporaryDirectory() as folder:
        server, url, first_page = serve(Path(folder))
        try:
            frames, cost = drawing(url, arguments.drawings, psutil.Process(server.pid))
            start = started(url)
            answered = server_answers.measure(url, server.pid, arguments.seconds)
        finally:
            server.terminate()
            server.wait()
    made = {
        "frame_ms": {
            "median": statistics.median(frames),
            "p95": statistics.quantiles(frames, n=20)[-1],
            "moves": len(frames),
        },
        "drawing": cost,
        "server": answered,
        "first_page_s": first_page,
        "imports_s": imports,
        "first_page/imports": first_page / imports,
        "start_to_progress_s": start,
    }
    if arguments.json:
        print(json.dumps(made))
        return
    frame = made["frame_ms"]
    print(f"pen move to answer    median {frame['median']:.0f} ms, p95 {frame['p95']:.0f} ms ({frame['moves']} moves)")
    print(
        f"while one draws       {cost['requests']} requests in {cost['seconds']:.0f} s; the server used "
        f"{cost['server_core']:.1%} of a core ({cost['server_core_idle']:.1%} when nobody draws)"
    )
    print(
        f"answers by the server {answered['answers_per_second']:.0f} a second, "
        f"{answered['server_ms_of_processor']:.1f} ms of processor each; "
        f"median {answered['answer_ms_median']:.0f} ms, p95 {answered['answer_ms_95']:.0f} ms"
    )
    print(f"start to first page   {first_page:.1f} s, {first_page / imports:.2f} of the imports' {imports:.1f} s")
    print(f"Start to first curve  {start:.1f} s")


def _seconds(command: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, check=True, cwd=PROJECT)
    return time.perf_counter() - began


def serve(workspace: Path) -> tuple[subprocess.Popen, str, float]:
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


@contextmanager
def page_of(url: str) -> Iterator[Page]:
    """A real Chromium that has opened the page and lets it settle."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(url)
        page.wait_for_selector("[data-testid=nothing]")
        page.wait_for_timeout(SETTLE)
        yield page
        browser.close()


def drawing(url: str, drawings: int, server: psutil.Process) -> tuple[list[float], dict[str, Any]]:
    """(milliseconds of each frame with a pen move, what drawing cost the server)."""
    with page_of(url) as page:
        page.evaluate(WATCH)
        box = page.locator("#pad canvas").bounding_box()
        for i in range(3):  # the first ones warm up
            _draw(page, box, random.Random(-i))
        page.evaluate("window.frames_ms = []")
        idle = cores_used(server, lambda: page.wait_for_timeout(5000))
        requests: list[str] = []
        # What an open page asks now and then, drawing or not, is no part of it.
        page.on("request", lambda r: None if r.url.endswith("/changes") else requests.append(r.url))
        began = time.perf_counter()
        busy = cores_used(server, lambda: [_draw(page, box, random.Random(i)) for i in range(drawings)])
        cost = {"requests": len(requests), "seconds": time.perf_counter() - began, "server_core": busy,
                "server_core_idle": idle}  # fmt: skip
        return page.evaluate("window.frames_ms"), cost


def started(url: str) -> float:
    """Seconds from the click on Start training to the first curve of that run."""
    with page_of(url) as page:
        page.get_by_role("tab", name="Train", exact=True).click()
        page.wait_for_timeout(3000)
        began = time.perf_counter()
        page.get_by_role("button", name="Start training").click()
        page.wait_for_selector("section.run[data-state=running] polyline", timeout=60_000)
        took = time.perf_counter() - began
        page.locator("#stop").click()
        page.wait_for_selector("section.run[data-state=stopped], section.run[data-state=finished]", timeout=60_000)
    return took


def cores_used(server: psutil.Process, work: Callable[[], object]) -> float:
    """Of one processor core, what the server uses while `work` goes on."""
    began, used = time.perf_counter(), sum(server.cpu_times()[:2])
    work()
    return (sum(server.cpu_times()[:2]) - used) / (time.perf_counter() - began)


def _draw(page, box: dict, hand: random.Random) -> None:
    """One drawing of one curved stroke."""
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
    page.wait_for_timeout(100)


if __name__ == "__main__":
    main()
