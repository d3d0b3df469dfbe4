"""One process that has imported everything and waits for a run: Start is then seconds sooner.

The server keeps it. What it is to do comes as one line on its standard input; when that ends instead, because the
server has stopped however it stopped, the process ends too. Costs the memory of the imports (docs/speed.md). Knows no
page; whoever cannot be served from here starts a process of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from imgcls.workspace import Workspace

Start = Callable[[Sequence[str], int], subprocess.Popen]


class WarmWorker:
    """`start(arguments, stdin)` starts a process of the lab apart from this one."""

    def __init__(self, workspace: Workspace, start: Start) -> None:
        self.workspace, self._start = workspace, start
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None

    def ready(self) -> None:
        """Have one waiting."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._process = self._start(["standby"], subprocess.PIPE)

    def hand_over(self, workspace: Workspace, arguments: Sequence[str], log: Path) -> bool:
        """Give the waiting process its work, and have another one ready for the next; False where none waits."""
        with self._lock:
            process, self._process = self._process, None
        if process is None or workspace.root != self.workspace.root or process.poll() is not None:
            return False
        try:
            process.stdin.write(json.dumps({"arguments": list(arguments), "log": str(log)}).encode() + b"\n")
            process.stdin.close()
        except OSError:
            return False
        # Not at once: the run has a few seconds of starting up to do, and the cores are its.
        later = threading.Timer(20.0, self.ready)
        later.daemon = True
        later.start()
        return True


def wait() -> list[str] | None:
    """In the waiting process: everything imported, then what to do, with its output going where it was told."""
    import imgcls.runs.worker  # noqa: F401
    from imgcls.training.loggers.tensorboard import TensorBoard

    TensorBoard.writer_class()
    line = sys.stdin.readline()
    if not line.endswith("\n"):
        return None
    asked = json.loads(line)
    with open(asked["log"], "ab") as log, open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
    return asked["arguments"]
