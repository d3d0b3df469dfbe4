"""Estimates for a server: timed one after another in a process of its own, never in the one that answers requests.

A timing is kept for ten minutes, one that was made while the machine had much else to do for one minute.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections import OrderedDict

import psutil

from imgcls.processes import available_cores
from imgcls.recipes import preprocess_for
from imgcls.settings import TrainSettings
from imgcls.training.estimate import Estimate, Timing, with_seconds
from imgcls.training.step_timer import StepTimer
from imgcls.workspace import Workspace

TIMING_TTL_S = 600.0  # that a timing counts
BUSY_TTL_S = 60.0  # that a timing counts which was made beside others' work
BUSY = 0.75  # of the cores at work over the last minute: a step then takes longer than it would
RETRY_S = 60.0  # seconds until one that failed is tried again
IDLE_S = 30.0  # that the process waits for more, with torch in memory: who changes one setting changes another
WAITING = 8  # of them may wait; the oldest is given up
START_PAUSE_S = 20.0  # in which a run that was just started has the machine to itself
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
        self._arrival = threading.Condition(self._lock)
        self._made: OrderedDict[Key, tuple[float, Timing | None]] = OrderedDict()
        self._waiting = Waiting()
        self._now: Key | None = None
        self._worker: threading.Thread | None = None
        self._timer = StepTimer()
        self._paused_until = 0.0

    def __call__(self, settings: TrainSettings, *, beside: bool = False, measure: bool = True) -> Estimate:
        """`measure`: have a step timed that has not been. Raises ImgclsError where data, weights or device are not to
        be had."""
        key = _key(settings)
        with self._lock:
            until, timing = self._made.get(key, (0.0, None))
        made = with_seconds(settings, self._workspace, timing)
        if time.monotonic() < until or not measure:
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
            self._paused_until = time.monotonic() + START_PAUSE_S
            self._waiting.clear()
            self._timer.stop()

    def _ask(self, key: Key, settings: TrainSettings, beside: bool) -> None:
        with self._lock:
            if key == self._now or time.monotonic() < self._paused_until:
                return
            self._waiting.ask(key, settings, beside=beside)
            self._arrival.notify()
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, daemon=True)
                self._worker.start()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            key, settings = taken
            ttl_s = BUSY_TTL_S if _is_busy() else TIMING_TTL_S
            timing = self._elsewhere(settings)
            with self._lock:
                self._now = None
                if timing is None and time.monotonic() < self._paused_until:
                    continue  # asked again later
                self._made[key] = (time.monotonic() + (ttl_s if timing else RETRY_S), timing)
                while len(self._made) > CACHE_ENTRIES:
                    self._made.popitem(last=False)

    def _next(self) -> tuple[Key, TrainSettings] | None:
        """What is to be timed next; None, and no process any more, where nobody has asked for a while."""
        with self._lock:
            if not self._arrival.wait_for(lambda: len(self._waiting), IDLE_S):
                self._worker = None
                self._timer.stop()
                return None
            self._now, settings = self._waiting.take()
            return self._now, settings

    def _elsewhere(self, settings: TrainSettings) -> Timing | None:
        """`time_step` in the other process. None where that found none, died, or took too long."""
        with self._lock:
            if time.monotonic() < self._paused_until:
                return None
            try:
                self._timer.start()
            except OSError:
                return None
        return self._timer.time(settings)


def _is_busy() -> bool:
    return psutil.getloadavg()[0] > BUSY * available_cores()


def _key(settings: TrainSettings) -> Key:
    """Everything that decides how long a step takes."""
    names = (
        "model", "batch_size", "accumulate", "optimizer", "precision", "device", "threads", "augment", "activation",
        "pool",
    )  # fmt: skip
    # From scratch and fine-tuned, every layer learns: one timing stands for both.
    return (preprocess_for(settings), settings.transfer == "head", *(getattr(settings, name) for name in names))
