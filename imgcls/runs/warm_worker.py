"""One process that has imported everything and waits for a run: Start is then seconds sooner.

The server keeps it from when somebody first looks at Train. It says `ready` on its standard output when everything is
imported; what it is to do comes as one line on its standard input, and it answers `taken`. Without that answer the run
gets a process of its own. When the input ends instead, because the server has stopped however it stopped, the process
ends too. Costs the memory of the imports (docs/speed.md).
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue

from imgcls.workspace import Workspace

LOG = ".standby.log"  # in train_logs/: what it printed while it waited, should it ever die there
ANSWER_TIMEOUT_S = 5.0  # to wait for `taken`, which takes a few milliseconds
RESTART_DELAY_S = 20.0  # until the next one is started: the run starts up first, and the cores are its

Launch = Callable[..., subprocess.Popen]


class WarmWorker:
    """`launch(workspace, arguments, stdin=, output=, errors=)` starts a process of the lab apart from this one."""

    def __init__(self, workspace: Workspace, launch: Launch) -> None:
        self.workspace, self._launch = workspace, launch
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        self.ready_to_work = threading.Event()  # everything is imported
        self._not_before = 0.0  # on the monotonic clock, in seconds

    def ready(self) -> None:
        """Have one waiting, unless a run has just begun: then soon."""
        with self._lock:
            if time.monotonic() < self._not_before or (self._process is not None and self._process.poll() is None):
                return
            with self._log() as log:
                self._process = self._launch(
                    self.workspace, ["standby"], stdin=subprocess.PIPE, output=subprocess.PIPE, errors=log
                )
            self.ready_to_work, self._lines = threading.Event(), SimpleQueue()
            listening = (self._process, self.ready_to_work, self._lines)
            threading.Thread(target=_listen, args=listening, daemon=True).start()

    def hand_over(self, workspace: Workspace, arguments: Sequence[str], log: Path) -> int | None:
        """Give the waiting process its work, and have one ready for the next. The pid of the process that has taken
        it; None where none waits, or is still importing, or does not answer."""
        if workspace.root != self.workspace.root:
            return None
        with self._lock:
            process, lines = self._process, self._lines
            if process is None or process.stdin is None or not self.ready_to_work.is_set():
                if process is None:
                    self._soon(RESTART_DELAY_S)
                return None
            self._process = None
        try:
            process.stdin.write(json.dumps({"arguments": list(arguments), "log": str(log)}).encode() + b"\n")
            process.stdin.close()
            accepted = lines.get(timeout=ANSWER_TIMEOUT_S) == b"taken\n"
        except (OSError, Empty):
            accepted = False
        if not accepted:
            process.kill()  # it must not begin after another process has
        with self._lock:
            self._soon(RESTART_DELAY_S if accepted else 0.0)
        return process.pid if accepted else None

    def _soon(self, seconds: float) -> None:
        self._not_before = time.monotonic() + seconds
        later = threading.Timer(seconds, self.ready)
        later.daemon = True
        later.start()

    @contextlib.contextmanager
    def _log(self):
        try:
            self.workspace.train_logs.mkdir(parents=True, exist_ok=True)
            file = open(self.workspace.train_logs / LOG, "wb")
        except OSError:
            yield subprocess.DEVNULL
            return
        with file:
            yield file


def _listen(process: subprocess.Popen, ready: threading.Event, lines: SimpleQueue[bytes]) -> None:
    assert process.stdout is not None
    with process.stdout as output:
        for line in output:
            if line == b"ready\n":
                ready.set()
            else:
                lines.put(line)
    ready.clear()
    lines.put(b"")


def wait() -> list[str] | None:
    """In the waiting process, with everything imported: what to do, with its output going where it was told."""
    os.write(1, b"ready\n")
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return None
    request = json.loads(line)
    with open(request["log"], "ab") as log, open(os.devnull, "rb") as nothing:
        os.write(1, b"taken\n")
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return request["arguments"]
