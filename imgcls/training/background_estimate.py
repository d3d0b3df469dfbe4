"""Estimates for a server: timed one after another in a process of its own, never in the one that answers requests.

That process has its own threads and memory and some seconds to live. A timing is kept for ten minutes: one that was
made beside a busy run must not stand for ever. `python -m imgcls.training.background_estimate` is the process.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from collections import OrderedDict

from imgcls.plugins import load_plugins
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training.estimate import Estimate, Timing, time_step, with_seconds
from imgcls.workspace import Workspace, child_environment

FRESH = 600.0  # seconds that a timing counts
RETRY_S = 60.0  # seconds until one that failed is tried again
TIMEOUT_S = 90.0  # seconds that one may take, torch's own start on a busy machine included
WAITING = 8  # of them may wait; the oldest is given up
PAUSE = 20.0  # seconds in which a run that was just started has the machine to itself
CACHE_ENTRIES = 500
Key = tuple[object, ...]


class Waiting:
    """What is to be timed: what was asked for last comes first, somebody looks at it; what is asked `beside`, last."""

    def __init__(self) -> None:
        self._asked: OrderedDict[Key, TrainSettings] = OrderedDict()

    def __len__(self) -> int:
        return len(self._asked)

    def ask(self, key: Key, settings: TrainSettings, *, beside: bool = False) -> None:
        if beside and key in self._asked:
            return
        self._asked[key] = settings
        self._asked.move_to_end(key, last=not beside)
        while len(self._asked) > WAITING:
            self._asked.popitem(last=False)

    def take(self) -> tuple[Key, TrainSettings]:
        return self._asked.popitem(last=True)

    def clear(self) -> None:
        self._asked.clear()


class BackgroundEstimates:
    """Call it with settings: the answer comes at once, `pending` and without seconds while they are being measured.

    beside: one of many that are shown beside what is chosen.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._made: OrderedDict[Key, tuple[float, Timing | None]] = OrderedDict()
        self._waiting = Waiting()
        self._now: Key | None = None
        self._process: subprocess.Popen | None = None
        self._paused_until = 0.0

    def __call__(self, settings: TrainSettings, *, beside: bool = False) -> Estimate:
        """Raises ImgclsError where data, weights or device are not to be had."""
        key = _key(settings)
        with self._lock:
            until, timing = self._made.get(key, (0.0, None))
        made = with_seconds(settings, self._workspace, timing)
        if time.monotonic() < until:
            return made
        self._ask(key, settings, beside)
        return dataclasses.replace(made, pending=True)

    def known(self, settings: TrainSettings) -> float | None:
        """The run's seconds where a step of it has been timed; nothing is measured. Raises as a call does."""
        with self._lock:
            _, timing = self._made.get(_key(settings), (0.0, None))
        return with_seconds(settings, self._workspace, timing).seconds if timing else None

    def pause(self) -> None:
        """A run begins, and may be over in seconds: nothing is measured beside it for a while."""
        with self._lock:
            self._paused_until = time.monotonic() + PAUSE
            self._waiting.clear()
            if self._process is not None:
                self._process.kill()

    def _ask(self, key: Key, settings: TrainSettings, beside: bool) -> None:
        with self._lock:
            if key == self._now or time.monotonic() < self._paused_until:
                return
            self._waiting.ask(key, settings, beside=beside)
            if self._now is None:
                self._now = key
                threading.Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._now = None
                    return
                self._now, settings = self._waiting.take()
            timing = self._elsewhere(settings)
            with self._lock:
                if timing is None and time.monotonic() < self._paused_until:
                    continue  # asked again later
                self._made[self._now] = (time.monotonic() + (FRESH if timing else RETRY_S), timing)
                while len(self._made) > CACHE_ENTRIES:
                    self._made.popitem(last=False)

    def _elsewhere(self, settings: TrainSettings) -> Timing | None:
        """`time_step` in a process of its own. None where it found none, died, or took too long."""
        try:
            with self._lock:
                if time.monotonic() < self._paused_until:
                    return None
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "imgcls.training.background_estimate"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    env=child_environment(),
                )
            with self._process as process:
                try:
                    said, _ = process.communicate(settings.model_dump_json(), timeout=TIMEOUT_S)
                finally:
                    process.kill()
            return Timing(**json.loads(said))
        except (OSError, subprocess.SubprocessError, ValueError, TypeError):
            return None
        finally:
            with self._lock:
                self._process = None


def _key(settings: TrainSettings) -> Key:
    """Everything that decides how long a step takes."""
    names = ("model", "batch_size", "optimizer", "precision", "device", "threads", "augment", "activation", "pool")
    # From scratch and fine-tuned, every layer learns: one timing stands for both.
    return (preprocess_for(settings), settings.transfer == "head", *(getattr(settings, name) for name in names))


def main() -> None:
    if hasattr(os, "nice"):
        os.nice(5)  # whoever draws or trains comes first
    load_plugins()
    timing = time_step(TrainSettings.checked(json.load(sys.stdin)))
    print(json.dumps(None if timing is None else dataclasses.asdict(timing)))


if __name__ == "__main__":
    main()
