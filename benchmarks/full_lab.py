"""What one waits for in a lab that is full: `python -m benchmarks.full_lab`.

Sixty runs and their checkpoints in the workspace, one run training, thirty browsers that watch it (their requests, from
a process of their own), and one real Chromium in which a person goes from tab to tab and draws; then, once nothing
trains, starts a run. After that ten thousand drawings are answered by the server, whose memory is looked at before and
after.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks import class_of_thirty, latency, server_answers
from imgcls.workspace import PROJECT

TABS = ("Train", "Evaluate", "Data", "Init lab", "Classify")
# What a person looks for when a tab opens.
SHOWN = {
    "Train": "#start",
    "Evaluate": "#evaluate-run",
    "Data": "[data-testid=report]",
    "Init lab": "#lab-start",
    "Classify": "#pad canvas",
}


def fill(home: Path, runs: int) -> None:
    """One real run of a few steps, and copies of it under other names: a `best` and a `last` checkpoint each."""
    asked = ["--name", "full-00", "--epochs", "3", "--train-images", "500", "--threads", "1"]
    subprocess.run(
        [sys.executable, "-m", "imgcls", "train", *asked],
        cwd=PROJECT,
        env=os.environ | {"IMGCLS_HOME": str(home)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for number in range(1, runs):
        name = f"full-{number:02}"
        for kind in ("train_logs", "checkpoints"):
            made = home / kind / name
            shutil.copytree(home / kind / "full-00", made)
            for file in made.glob("*.json*"):
                file.write_text(file.read_text("utf-8").replace("full-00", name), "utf-8")


def watch(port: int, clients: int, seconds: float, said: Any) -> None:
    said.send(asyncio.run(class_of_thirty._watched(port, clients, seconds)))


def switched(url: str) -> dict[str, float]:
    """Seconds from the click on a tab until what it is for is there, the first time and the second."""
    from playwright.sync_api import sync_playwright

    from tests.browser.conftest import chromium

    made = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=latency.FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        began = time.perf_counter()
        page.goto(url)
        page.wait_for_selector("[data-testid=nothing]")
        made["open the page"] = time.perf_counter() - began
        for turn in ("first", "again"):
            for tab in TABS:
                page.wait_for_timeout(1500)
                began = time.perf_counter()
                page.get_by_role("tab", name=tab, exact=True).click()
                page.locator(SHOWN[tab]).first.wait_for(timeout=60_000)
                made[f"{tab}, {turn}"] = time.perf_counter() - began
        browser.close()
    return made


def measure(runs: int, clients: int, drawings: int, answers: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        fill(home, runs)
        server, url, first_page = latency.serve(home)
        port, process, training = int(url.split(":")[2].split("/")[0]), psutil.Process(server.pid), None
        try:
            time.sleep(latency.SETTLE / 1000)
            training = subprocess.Popen(
                [sys.executable, "-m", "imgcls", "train", "--name", class_of_thirty.RUN, "--epochs", "1000"]
                + ["--threads", "1"],
                cwd=PROJECT,
                env=os.environ | {"IMGCLS_HOME": str(home)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(15)
            watched = 110.0 + 2 * drawings
            here, there = multiprocessing.Pipe(duplex=False)
            watching = multiprocessing.Process(target=watch, args=(port, clients, watched, there))
            watching.start()
            tabs = switched(url)
            frames, cost = latency.drawing(url, drawings, process)
            training.terminate()  # another one would wait for it
            training.wait(60)
            training = None
            start = latency.started(url)
            looks, took = here.recv()
            watching.join()
            before, asked, answered = process.memory_info().rss, server_answers._requests(url), 0
            while answered < answers:
                answered += len(asyncio.run(server_answers._all(url, asked, 20.0)))
            after = process.memory_info().rss
        finally:
            for one in filter(None, (training, server)):
                one.terminate()
                one.wait(60)
    return {
        "runs": runs,
        "watching": clients,
        "first_page_s": round(first_page, 1),
        "tab_s": {tab: round(seconds, 2) for tab, seconds in tabs.items()},
        "frame_ms_median": round(statistics.median(frames)),
        "frame_ms_95": round(statistics.quantiles(frames, n=20)[-1]),
        "requests_while_drawing": cost["requests"],
        "start_to_curve_s": round(start, 1),
        "looks_a_second": round(looks / watched, 1),
        "look_ms_95": round(1000 * statistics.quantiles(took, n=20)[-1]),
        "answers": answered,
        "memory_mb_before": round(before / 1e6),
        "memory_mb_after": round(after / 1e6),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--drawings", type=int, default=15)
    parser.add_argument("--answers", type=int, default=10_000)
    asked = parser.parse_args()
    print(json.dumps(measure(asked.runs, asked.clients, asked.drawings, asked.answers), indent=2))


if __name__ == "__main__":
    main()
