"""What thirty browsers cost that watch one run: `python -m benchmarks.class_of_thirty`.

A lab as `python app.py` serves it, in a process of its own, and a real run in another. The clients ask over HTTP what
an open page asks (live_card.js each second, changes.js every five) from one small process, whose cost is not
the lab's. Training is measured in turns, watched and not, so that a drift of the machine
meets both; the server's processor time is psutil's, training speed what the run says of its steps.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from imgcls.runs.store import Run
from imgcls.training import events
from imgcls.workspace import PROJECT, Workspace

LOOK, CHANGES = 1.0, 5.0  # seconds, as the page's scripts have them
SETTLE = 4.0  # seconds at the start of a turn that do not count
RUN = "watched"
READY = 180.0  # seconds for the server, and for the run's first step


@dataclass
class Turn:
    """`core`: of one processor core, what the server used; `speed`: images/s; `looks`: answered a second."""

    watched: bool
    core: float
    speed: float
    looks: float = 0.0


class Watcher:
    """One browser's connection, kept open."""

    def __init__(self, port: int) -> None:
        self.port, self.tag, self.answered, self.late = port, "", 0, []

    async def watch(self) -> None:
        await asyncio.sleep(random.uniform(0, LOOK))
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        changes = time.monotonic() + random.uniform(0, CHANGES)
        try:
            while True:
                began = time.monotonic()
                status, body = await self._ask(reader, writer, f"/look/run/{RUN}?language=en&known={self.tag}")
                if status not in (200, 204):
                    raise SystemExit(f"The lab answered {status}.")
                if status == 200:
                    self.tag = _tag(body)
                self.answered += 1
                if began >= changes:
                    await self._ask(reader, writer, "/changes")
                    changes = began + CHANGES
                self.late.append(time.monotonic() - began)
                await asyncio.sleep(LOOK)  # the page's timer begins when an answer is there
        finally:
            writer.close()

    async def _ask(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> tuple[int, bytes]:
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAccept-Encoding: gzip\r\n"
            "Sec-Fetch-Site: same-origin\r\n\r\n".encode()
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = next((int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length")), 0)
        return int(head.split()[1]), await reader.readexactly(length)


def _tag(body: bytes) -> str:
    return json.loads(gzip.decompress(body))["tag"]


async def _watched(port: int, clients: int, seconds: float) -> tuple[int, list[float]]:
    """(looks that were answered, how long each took)."""
    watchers = [Watcher(port) for _ in range(clients)]
    tasks = [asyncio.create_task(watcher.watch()) for watcher in watchers]
    done, _ = await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()  # none ends by itself but with an error
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return sum(w.answered for w in watchers), [second for w in watchers for second in w.late]


def _processor(server: psutil.Process) -> float:
    used = server.cpu_times()
    return used.user + used.system


def _speed(run: Run, since: float) -> float:
    """Median images/s of what the run has said since then."""
    said = map(events.from_line, run.events.read_text("utf-8").splitlines())
    told = [e.images_per_second for e in said if isinstance(e, events.Progress) and e.time >= since]
    return statistics.median(told or [0.0])


def measure(clients: int, seconds: float, turns: int, *, say: bool = True) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        environment = os.environ | {"IMGCLS_HOME": folder, "IMGCLS_PORT": str(port)}
        command = [sys.executable, "-m", "imgcls"]
        quiet = {"cwd": PROJECT, "env": environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        server = subprocess.Popen([*command, "serve"], **quiet)
        training = None
        try:
            _wait(lambda: _answers(f"http://127.0.0.1:{port}/changes"), server)
            time.sleep(15)  # torch and the process that stands by are loaded meanwhile
            asked = ["--name", RUN, "--epochs", "1000", "--threads", "1"]
            training = subprocess.Popen([*command, "train", *asked], **quiet)
            run = Run(RUN, Workspace(Path(folder)))
            _wait(lambda: run.events.is_file() and '"Progress"' in run.events.read_text("utf-8"), training)
            made, late = [], []
            for turn in range(2 * turns):
                watched = turn % 2 == 1
                asyncio.run(_turn(port, clients if watched else 0, SETTLE))
                began, used = time.time(), _processor(psutil.Process(server.pid))
                looks, took = asyncio.run(_turn(port, clients if watched else 0, seconds))
                passed, used = time.time() - began, _processor(psutil.Process(server.pid)) - used
                made.append(Turn(watched, used / passed, _speed(run, began), looks / passed))
                late += took
                if say:
                    print(made[-1], flush=True)
        finally:
            for process in filter(None, (training, server)):
                process.terminate()
                process.wait(60)
    with_them, without = ([t for t in made if t.watched is which] for which in (True, False))
    return {
        "clients": clients,
        "looks_a_second": round(statistics.median(t.looks for t in with_them), 1),
        "core_watched": round(statistics.median(t.core for t in with_them), 3),
        "core_alone": round(statistics.median(t.core for t in without), 3),
        "images_per_second_watched": round(statistics.median(t.speed for t in with_them)),
        "images_per_second_alone": round(statistics.median(t.speed for t in without)),
        "slower_by_turn": [round(1 - w.speed / a.speed, 3) for a, w in zip(without, with_them, strict=True)],
        "answer_ms_median": round(1000 * statistics.median(late), 1),
        "answer_ms_95": round(1000 * statistics.quantiles(late, n=20)[-1], 1),
    }


async def _turn(port: int, clients: int, seconds: float) -> tuple[int, list[float]]:
    if clients:
        return await _watched(port, clients, seconds)
    await asyncio.sleep(seconds)
    return 0, []


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


def _wait(there: Callable[[], bool], process: subprocess.Popen) -> None:
    until = time.monotonic() + READY
    while not there():
        if process.poll() is not None or time.monotonic() > until:
            raise SystemExit("A process of the lab ended, or did not begin: run it by hand to see why.")
        time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=15, help="of each turn")
    parser.add_argument("--turns", type=int, default=4, help="with and without, each")
    asked = parser.parse_args()
    print(json.dumps(measure(asked.clients, asked.seconds, asked.turns), indent=2))


if __name__ == "__main__":
    main()
