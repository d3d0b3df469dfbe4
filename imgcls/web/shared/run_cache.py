"""What every open page asks again and again, answered once: runs as they stand, checkpoints to choose from.

Thirty students watching one run cost one reader of its file. Nothing is read while another run's page waits for it.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from imgcls.checkpoints.store import CheckpointInfo, find_checkpoint, is_shipped, list_checkpoints
from imgcls.data.registry import DATASETS, absent
from imgcls.errors import RunError
from imgcls.messages import N_
from imgcls.progress import Interrupted
from imgcls.runs import queue
from imgcls.runs.init_lab import list_labs
from imgcls.runs.reader import EventLogReader, RunView
from imgcls.runs.store import Run, find_run, list_runs
from imgcls.web.i18n.labels import PARTS
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.work_gate import LINE_POLL_S, work_here
from imgcls.workspace import Workspace

SHIPPED = {
    "lenet-digits": N_("reads drawings"),
    "lenet-mnist": N_("MNIST only, to compare"),
    "imagenet": N_("names 1,000 things in photos"),
}
CHECKPOINT_LABELS = {"best": N_("best"), "last": N_("last")}
NO_FILE = (0, 0)  # the stamp of a file that is not there
TTL_S = 0.4  # seconds in which the last answer is good enough
LISTED = 40  # runs and checkpoints in a list; the rest are reached from the terminal
READERS = 4 * LISTED  # every listed run's, and those of the labs that people look at
CACHE_ENTRIES = 32  # reports and samples, up to some MB each
T = TypeVar("T")


class RunCache:
    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._lock = threading.Lock()  # of the tables below; nothing is read or made under it
        self._readers: OrderedDict[str, _Reader] = OrderedDict()
        self._made: OrderedDict[tuple, tuple[float, Future]] = OrderedDict()
        self._runs = _Recent(lambda: list_runs(workspace))
        self._checkpoints = _Recent(lambda: list_checkpoints(workspace))
        self._turns = _Recent(lambda: queue.turns(workspace, self._look))
        self._version = _Recent(self._as_it_stands)

    def view(self, name: str | None) -> RunView | None:
        """The run as it stands; None where there is none of that name."""
        if not name:
            return None
        try:
            run = find_run(name, self.workspace)
            created = (run.logs / "settings.json").stat().st_mtime_ns
        except (RunError, OSError):
            with self._lock:
                self._readers.pop(name, None)
            return None
        with self._lock:
            reader = self._readers.get(name)
            if reader is None or reader.created != created:  # another run of that name may have been there
                reader = self._readers[name] = _Reader(run, created)
            self._readers.move_to_end(name)
            while len(self._readers) > READERS:
                self._readers.popitem(last=False)
        return reader.view()

    def forget(self, name: str) -> None:
        """The next view is looked up anew: something has just been done to the run."""
        self._turns.forget()
        self._checkpoints.forget()
        with self._lock:
            reader = self._readers.get(name)
        if reader:
            reader.looked = 0.0
        self._runs.forget()

    def once(
        self,
        data_set: str,
        what: tuple,
        make: Callable[[], T],
        user: str = "",
        *,
        in_line: Callable[[], None] = lambda: None,
    ) -> T:
        """What `make` makes of a data set: its report, a sample. Made anew when photos have come or gone, and once for
        all who ask at the same time; where the one who makes it goes away, the next of them makes it.

        in_line: called now and then while the caller waits for its turn, or for somebody else; what it raises ends
        that. Raises what `make` raises.
        """
        stamp, key, mine = _touched(self.workspace, data_set), (data_set, *what), False
        with self._lock:
            stamp_of_entry, future = self._made.get(key, (0.0, None))
            if future is None or stamp_of_entry != stamp:
                future, mine = Future(), True
                self._made[key] = (stamp, future)
                while len(self._made) > CACHE_ENTRIES:
                    self._made.popitem(last=False)
        if mine:
            try:
                future.set_result(work_here("dataset", None, make, user, in_line=in_line))
            except BaseException as error:
                with self._lock:
                    if self._made.get(key) == (stamp, future):
                        del self._made[key]
                future.set_exception(error)
        while not wait([future], timeout=LINE_POLL_S).done:
            in_line()
        try:
            return future.result()
        except Interrupted:
            if mine:
                raise
            return self.once(data_set, what, make, user, in_line=in_line)

    def runs(self) -> list[Run]:
        """The newest; those of an initialisation lab are shown there and nowhere else."""
        of_labs = self._of_labs()
        return [run for run in self._runs() if run.name not in of_labs][:LISTED]

    def _of_labs(self) -> set[str]:
        return {lab.run(init).name for lab in list_labs(self.workspace)[:LISTED] for init in lab.inits}

    def lab_of(self, name: str) -> str | None:
        """The initialisation lab that a run belongs to."""
        labs = list_labs(self.workspace)[:LISTED]
        return next((lab.name for lab in labs if any(lab.run(init).name == name for init in lab.inits)), None)

    def turns(self) -> list[queue.Turn]:
        """What goes on and what waits, the next one first."""
        return self._turns()

    def _look(self, run: Run) -> RunView:
        return self.view(run.name) or RunView(run)  # a lab is no run

    def latest(self) -> str | None:
        """The run that a page opens with: the newest that is going on, otherwise the newest."""
        listed = self.runs()
        live = (run.name for run in listed if (view := self.view(run.name)) and view.is_active)
        return next(live, listed[0].name if listed else None)

    def version(self) -> str:
        """Another one when a run, a comparison, a checkpoint or a known data set has come, gone, or changed its state
        or best figure."""
        return hashlib.sha256(repr(self._version()).encode()).hexdigest()[:16]

    def _as_it_stands(self) -> list[tuple]:
        views = [view for run in self.runs() if (view := self.view(run.name))]
        runs = [(view.run.name, view.state, view.best and view.best.epoch) for view in views]
        labs = [(lab.name, lab.state()) for lab in list_labs(self.workspace)[:LISTED]]
        line = (queue.is_closed(self.workspace), *(turn.name for turn in self.turns()))
        sets = tuple(name for name in DATASETS if absent(name, self.workspace))
        return [*runs, *labs, line, sets, *((key(info), info.created) for info in self.checkpoints())]

    def checkpoints(self) -> list[CheckpointInfo]:
        """The shipped ones that read drawings first, then the newest."""
        all_checkpoints = self._checkpoints()
        shipped = [info for info in all_checkpoints if is_shipped(info.path) and info.kind == "best"]
        of_labs = self._of_labs()
        own = [
            info
            for info in all_checkpoints
            if not is_shipped(info.path)
            and info.run not in of_labs
            and not (info.kind == "last" and self._of_a_sweep(info.run))  # of dozens of runs the best is enough
        ]
        return shipped + own[:LISTED]

    def _of_a_sweep(self, name: str) -> bool:
        view = self.view(name)
        return bool(view and view.written and view.written.parent)

    def checkpoint(self, chosen: str | None) -> Path:
        """The file behind a choice of the list: only what could be listed can be opened. Raises CheckpointError.

        Every stroke asks: it costs a look at one folder entry.
        """
        return find_checkpoint(str(chosen), self.workspace).path


@dataclass
class _Reader:
    """One run's reader: whoever asks while somebody reads waits for what that one finds."""

    run: Run
    created: int
    looked: float = 0.0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._log: EventLogReader | None = None
        self._view: RunView | None = None

    def view(self) -> RunView:
        with self._lock:
            if self._view is None or time.monotonic() - self.looked > TTL_S:
                self._log = self._log or EventLogReader(self.run)
                self.looked = time.monotonic()
                self._view = self._log.read()
            return self._view


class _Recent(Generic[T]):
    """A list that is made anew at most every TTL_S seconds, by one of those who ask."""

    def __init__(self, make: Callable[[], list[T]]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._made: list[T] = []
        self._until = 0.0

    def __call__(self) -> list[T]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._made = self._make()
                self._until = time.monotonic() + TTL_S
            return self._made

    def forget(self) -> None:
        self._until = 0.0


def _touched(workspace: Workspace, name: str) -> float:
    """When a file last came or went in a folder of photos: its folders' own times tell, two levels down."""
    root = workspace.data / name
    try:
        return max(p.stat().st_mtime for p in (root, *root.glob("*/"), *root.glob("*/*/")))
    except (OSError, ValueError):
        return 0.0


def stamp_of(path: Path) -> tuple[int, int]:
    """Changes with a file's content: (when it was written, its size)."""
    try:
        stat = path.stat()
    except OSError:
        return NO_FILE
    return stat.st_mtime_ns, stat.st_size


def key(info: CheckpointInfo) -> str:
    return f"{info.run}/{info.kind}"


def checkpoint_title(info: CheckpointInfo, translate: Translator) -> str:
    """ "lenet-digits · reads drawings · test 99.4%"; one measure for all of a person's own, so that they compare."""
    facts = [info.run]
    if is_shipped(info.path):
        facts.append(translate(SHIPPED[info.run]))
    else:
        facts.append(translate(CHECKPOINT_LABELS[info.kind]))
    split = "test" if is_shipped(info.path) else "val"
    accuracy = info.metrics.get(f"{split}_accuracy")
    if accuracy is not None:
        facts.append(f"{translate(PARTS[split])} {accuracy:.1%}")
    return " · ".join(facts)
