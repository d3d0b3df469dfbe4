"""A process that times steps for a server, one after another: it has its own threads and memory, and starting torch,
most of what timing costs, is paid once.

It reads settings as JSON, a line each, and answers each with a line; it ends when its input does, however the server
stopped. `python -m imgcls.training.step_timer` is the process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
from queue import Empty, SimpleQueue

from imgcls.plugins import load_plugins
from imgcls.settings import TrainSettings
from imgcls.training.estimate import Timing, time_step
from imgcls.workspace import child_environment

TIMEOUT_S = 90.0  # that one step may take, torch's own start on a busy machine included


class StepTimer:
    """The process, started when it is needed. One thread asks; any may `stop` it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._answers: SimpleQueue[str] = SimpleQueue()

    def start(self) -> None:
        """Have it running. Raises OSError where no process can be made."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            self._process = subprocess.Popen(
                [sys.executable, "-m", "imgcls.training.step_timer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env=child_environment(),
            )
            self._answers = SimpleQueue()
            threading.Thread(target=_listen, args=(self._process, self._answers), daemon=True).start()

    def time(self, settings: TrainSettings) -> Timing | None:
        """None where no step could be tried, or the process was stopped, died, or took too long."""
        with self._lock:
            process, answers = self._process, self._answers
        try:
            if process is None or process.stdin is None:
                return None
            process.stdin.write(settings.model_dump_json() + "\n")
            process.stdin.flush()
            answer = json.loads(answers.get(timeout=TIMEOUT_S))
            return None if answer is None else Timing(**answer)
        except (OSError, Empty, ValueError, TypeError):
            self.stop()
            return None

    def stop(self) -> None:
        with self._lock:
            process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()


def _listen(process: subprocess.Popen[str], answers: SimpleQueue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        answers.put(line)
    answers.put("")  # it has ended


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(5)  # whoever draws or trains comes first
    load_plugins()
    for line in sys.stdin:
        timing = time_step(TrainSettings.checked(json.loads(line)))
        print(json.dumps(None if timing is None else dataclasses.asdict(timing)), flush=True)


if __name__ == "__main__":
    main()
