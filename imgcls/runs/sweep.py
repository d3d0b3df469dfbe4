"""A sweep: one training with several values of some settings, each with several seeds. Its runs are ordinary runs.

    train_logs/<sweep>/sweep.json          what was asked, and whether it is to go on
    train_logs/<sweep>_<values>_s<seed>/   its runs; each one's state names the sweep as its parent

Nobody directs it. Whoever looks, under the workspace's lock, sees from the runs' own states which come next and starts
as many as may go on side by side: the process of a run that has ended, a terminal that waits, a server. So it goes on
whoever was killed, and what is done is done.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imgcls.errors import ImgclsError, RunError
from imgcls.filenames import nearest
from imgcls.files import write_bytes
from imgcls.messages import Message
from imgcls.recipes import with_recipe
from imgcls.runs import queue, search
from imgcls.runs.launcher import TURN, admitted, start_claimed, start_next
from imgcls.runs.lifecycle import check_run, claim_run, mark_resuming, new_folder
from imgcls.runs.reader import view
from imgcls.runs.search import Combination
from imgcls.runs.state import ENDED, Owner, RunState, locked, write_state
from imgcls.runs.store import Run, delete_run, move_to_trash, name_in_use
from imgcls.runs.sweep_request import Request, check_name, default_name, digest, enlarged
from imgcls.runs.worker import Logger
from imgcls.runs.worker import work as work_run
from imgcls.settings import NAME, TrainSettings
from imgcls.training import events
from imgcls.workspace import Workspace

FILE = "sweep.json"
MOST_KILLS = 3  # of one run's process: a fourth would end the same way
POLL_SECONDS = 0.2  # between two looks of whoever waits
SETTLE_SECONDS = 2.0  # the process of a run that has just ended is about to take the next one itself
READY_NAME = re.compile(r"[A-Za-z0-9.+-]+")  # a value that can stand in a folder's name


@dataclass(frozen=True)
class Trial:
    """One run of a sweep: `name` is its folder's, made from the rest."""

    combination: Combination
    seed: int
    name: str


@dataclass(frozen=True)
class Sweep:
    """A sweep by its name; there may be nothing behind it."""

    name: str
    workspace: Workspace

    @property
    def folder(self) -> Path:
        return self.workspace.train_logs / self.name

    def request(self) -> Request:
        try:
            return Request.from_json((self.folder / FILE).read_text("utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            raise RunError(
                "There is no sweep '{name}' in {folder}.", name=self.name, folder=self.workspace.train_logs
            ) from None

    def trials(self, request: Request | None = None) -> list[Trial]:
        """Every run that it may come to, in order: all seeds of a combination together."""
        request = request or self.request()
        return [self._trial(one, seed) for one in request.combinations for seed in request.seeds]

    def _trial(self, combination: Combination, seed: int) -> Trial:
        return Trial(combination, seed, run_name(self.name, combination, seed))

    def run(self, trial: Trial) -> Run:
        return Run(trial.name, self.workspace)

    def settings(self, trial: Trial, request: Request | None = None) -> TrainSettings:
        """Everything that this run is told."""
        request = request or self.request()
        return with_recipe({**request.base, **trial.combination, "seed": trial.seed, "name": trial.name})

    def status(self) -> str:
        """running, finished, stopped (somebody asked), or interrupted (its processes are gone)."""
        request = self.request()
        standings = [_standing(self.run(trial)) for trial in self.trials(request)]
        if any(standing.in_flight for standing in standings):
            return "running"
        if not due(self, request):
            return "finished"
        return "interrupted" if request.going else "stopped"

    def write(self, request: Request) -> None:
        """Under the workspace's lock."""
        write_bytes(self.folder / FILE, request.to_json())


def run_name(sweep: str, combination: Combination, seed: int) -> str:
    """<sweep>_0.1_xavier-uniform_s1, or a digest where the values make no good folder name."""
    values = [_word(value) for value in combination.values()]
    name = "_".join((sweep, *values, f"s{seed}"))
    if all(READY_NAME.fullmatch(value) for value in values) and NAME.fullmatch(name):
        return name
    return f"{sweep}_{digest(search.key(combination))}_s{seed}"


def _word(value: search.Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def create(
    request: Request,
    workspace: Workspace,
    *,
    name: str = "",
    at_once: int | None = None,
    owner: Owner | None = None,
) -> Sweep:
    """A new sweep, or one that is there and is asked for again, with more values, seeds or trials if they are more.

    Everything is checked beforehand. Nothing is started. Raises ImgclsError with nothing changed.
    """
    name = check_name(name or default_name(request))
    sweep, request = Sweep(name, workspace), joined(request, workspace, name=name)
    request = replace(request, going=True, left_out=(), at_once=at_once, owner=owner or request.owner)
    trials = sweep.trials(request)
    for trial in trials:
        check_run(sweep.settings(trial, request), workspace)
    with locked(workspace):
        own = (sweep.folder / FILE).is_file()
        strangers = [trial.name for trial in trials if _is_strangers(sweep.run(trial), name)]
        if strangers or (not own and name_in_use(name, workspace)):
            raise RunError("A run called {name} is there already: choose another name.", name=(*strangers, name)[0])
        if own:
            sweep.write(request)
        else:
            with new_folder(sweep.folder):
                sweep.write(request)
        _give_another_chance(sweep, trials)
    return sweep


def joined(request: Request, workspace: Workspace, *, name: str = "") -> Request:
    """With what the sweep of that name has already, where there is one. Raises SettingsError where they are two
    questions."""
    sweep = Sweep(check_name(name or default_name(request)), workspace)
    return enlarged(sweep.request(), request, sweep.name) if (sweep.folder / FILE).is_file() else request


def _is_strangers(run: Run, sweep: str) -> bool:
    state = run.read_state()
    return name_in_use(run.name, run.workspace) and not (state and state.parent == sweep)


def _give_another_chance(sweep: Sweep, trials: Sequence[Trial]) -> None:
    """Under the workspace's lock: what a person could mend in the meantime is tried again."""
    for trial in trials:
        run = sweep.run(trial)
        state = run.read_state()
        if state is not None and state.state == "failed" and not _has_diverged(run):
            write_state(run.logs, state.to("stopped", kills=0, message=None))


def _has_diverged(run: Run) -> bool:
    ending = view(run).ending
    return isinstance(ending, events.Failed) and ending.error == "DivergedError"


def is_one(name: str, workspace: Workspace) -> bool:
    return bool(NAME.fullmatch(name)) and (workspace.train_logs / name / FILE).is_file()


def find(name: str, workspace: Workspace) -> Sweep:
    """Raises RunError where there is none of that name."""
    if is_one(name, workspace):
        return Sweep(name, workspace)
    near = nearest(name, (sweep.name for sweep in list_sweeps(workspace)))
    if near:
        raise RunError("There is no sweep '{name}': did you mean {near}?", name=name, near=near)
    raise RunError("There is no sweep '{name}' in {folder}.", name=name, folder=workspace.train_logs)


def list_sweeps(workspace: Workspace) -> list[Sweep]:
    """Every sweep, newest first."""
    made: list[tuple[float, str]] = []
    for path in workspace.train_logs.glob(f"*/{FILE}"):
        with contextlib.suppress(OSError):  # deleted in the meantime
            if NAME.fullmatch(path.parent.name):
                made.append((-path.stat().st_mtime, path.parent.name))
    return [Sweep(name, workspace) for _, name in sorted(made)]


def delete(sweep: Sweep) -> None:
    """Remove a sweep with its runs. Raises RunError while one of them goes on."""
    if sweep.status() == "running":
        raise RunError("{name} is still running: stop it first.", name=sweep.name)
    with locked(sweep.workspace):  # a server would start again what is missing
        sweep.write(replace(sweep.request(), going=False))
    for trial in sweep.trials():
        if not _is_strangers(sweep.run(trial), sweep.name):
            delete_run(sweep.run(trial))
    with locked(sweep.workspace):
        hidden = move_to_trash(sweep.folder)
    shutil.rmtree(hidden, ignore_errors=True)


# It goes on.


@dataclass(frozen=True)
class _Standing:
    """Where a run is. `reached`: it has been as far as it was told to go."""

    state: RunState | None = None
    in_flight: bool = False
    ended: bool = False
    reached: bool = False


def _standing(run: Run) -> _Standing:
    state = run.read_state()
    if state is None:
        return _Standing()
    # Killed between its last word and its last state it has ended all the same.
    ended = state.status == "interrupted" and isinstance(view(run).ending, events.Finished | events.Failed)
    return _Standing(
        state,
        in_flight=state.is_active or state.state == "queued",
        ended=ended or state.state in ("finished", "failed"),
        reached=state.state == "stopped" and state.until > 0 and _epochs(run) >= state.until,
    )


def _epochs(run: Run) -> int:
    return max((epoch.epoch for epoch in view(run).epochs), default=0)


def score(sweep: Sweep, request: Request, combination: Combination, share: float) -> float | None:
    """Its validation accuracy at the end of a rung, the mean over its seeds; None until all of its runs are there.

    Only the epochs up to the rung's end count: how far a kill let a run go decides nothing.
    """
    accuracies = []
    for seed in request.seeds:
        trial = sweep._trial(combination, seed)
        seen = view(sweep.run(trial))
        last = search.until(share, sweep.settings(trial, request).epochs) or sys.maxsize
        epochs = [epoch for epoch in seen.epochs if epoch.epoch <= last]
        there = seen.state in ("finished", "failed") or trial.name in request.left_out
        if not there and (not epochs or epochs[-1].epoch < last):
            return None
        accuracies.append(max((epoch.val_accuracy for epoch in epochs), default=0.0))
    return sum(accuracies) / len(accuracies)


def due(sweep: Sweep, request: Request) -> list[tuple[Trial, int]]:
    """The runs that are to begin or to go on, in order, each with the epoch after which it rests (0: none)."""
    epochs = with_recipe({**request.base, **request.combinations[0]}).epochs
    rungs = search.shares(request.search, len(request.combinations), epochs)
    alive, share = search.survivors(request.combinations, rungs, lambda one, at: score(sweep, request, one, at))
    found = []
    for trial in (sweep._trial(request.combinations[i], seed) for i in alive for seed in request.seeds):
        standing = _standing(sweep.run(trial))
        if standing.in_flight or standing.ended or trial.name in request.left_out:
            continue
        last = 0 if share >= 1 else search.until(share, sweep.settings(trial, request).epochs)
        if not (standing.reached and last and standing.state and standing.state.until >= last):
            found.append((trial, last))
    return found


def advance(sweep: Sweep, *, after: Collection[Run] = (), at_once: int | None = None) -> tuple[Run, bool] | None:
    """Start what may go on now. In a process whose runs `after` have ended the first of them is left to it: (run,
    whether it goes on)."""
    mine = None
    with locked(sweep.workspace):
        request = sweep.request()
        if not request.going:
            return None
        request = replace(request, at_once=request.at_once or at_once)
        for trial, until in due(sweep, request)[: _free(sweep, request, after)]:
            started = _start(sweep, request, trial, until, here=bool(after) and mine is None)
            mine = mine or started
    return mine


def _free(sweep: Sweep, request: Request, after: Collection[Run] = ()) -> int:
    """How many more may go on now."""
    runs = [sweep.run(trial) for trial in sweep.trials(request)]
    busy = sum(_standing(run).in_flight or _just_ended(run) for run in runs if run not in after)
    return max(0, request.jobs - busy)


def _just_ended(run: Run) -> bool:
    state = run.read_state()
    if state is None or state.state not in ENDED:
        return False
    try:
        return 0 <= time.time() - (run.logs / "state.json").stat().st_mtime < SETTLE_SECONDS
    except OSError:
        return False


def _start(sweep: Sweep, request: Request, trial: Trial, until: int, *, here: bool) -> tuple[Run, bool] | None:
    """Under the workspace's lock: this run begins, goes on, or waits in the queue."""
    run = sweep.run(trial)
    before = run.read_state()
    kills = 0
    if before is not None and before.status == "interrupted":
        kills = 1 if _saved_since(run) else before.kills + 1
        if kills >= MOST_KILLS:
            write_state(run.logs, before.to("failed", process=None, message=killed(kills).message))
            return None
    resume = before is not None and run.can_resume
    state = RunState(owner=request.owner) if before is None or not resume else before
    state = state.to("starting", parent=sweep.name, until=until, kills=kills, resume=resume, message=None)
    state = _admitted(state, sweep.workspace, request)
    if resume:
        mark_resuming(run, state)
    else:
        if before is not None:  # it was killed before it first saved
            for folder in (run.logs, run.checkpoints):
                if folder.exists():
                    shutil.rmtree(move_to_trash(folder), ignore_errors=True)
        claim_run(sweep.settings(trial, request), sweep.workspace, state)
    if state.state == "queued":
        return None
    if here:
        return run, resume
    start_claimed(run, state, "work", run.name, *(["--resume"] if resume else []), previous=before if resume else None)
    return None


def killed(times: int) -> events.Failed:
    """The last word of a run that cannot say one."""
    return events.Failed(
        message=Message(
            "Its process was ended from outside {count} times: probably there is not enough memory.", count=times
        ),
        error="RunError",
    )


def _saved_since(run: Run) -> bool:
    """Whether it has saved since its process began: it was killed, but it comes on."""
    try:
        return (run.checkpoints / "resume.safetensors").stat().st_mtime > (run.logs / "state.json").stat().st_mtime
    except OSError:
        return False


def _admitted(state: RunState, workspace: Workspace, request: Request) -> RunState:
    """Starting, or queued where a lab of several people has no place for it, or others wait already."""
    waiting = queue.waiting(workspace)
    at_once = request.at_once or (waiting[-1][1].at_once if waiting else None)
    return admitted(state, workspace, at_once, wait=True, each=queue.MAX_WAITING)


def work(run: Run, *, resume: bool = False, loggers: Sequence[Logger] = ()) -> events.Event:
    """The process of a sweep's run: this run, and then whichever of the sweep's is left to this process."""
    done: set[Run] = set()
    while True:
        done.add(run)
        state = run.read_state()
        sweep = Sweep(state.parent if state else "", run.workspace)
        rest = Rest(run, state.until if state else 0)
        last = work_run(run, loggers=[*loggers, rest], resume=resume)
        start_next(run.workspace)
        if isinstance(last, events.Stopped) and not rest.due:
            if not rest.asked:  # a signal: the process is to end
                return last
            leave_out(sweep, run)
        try:
            following = advance(sweep, after=done)
        except RunError:  # the sweep was deleted
            return last
        if following is None:
            return last
        run, resume = following
        _print_to(run.logs / "log.txt")


class Rest:
    """Asks a run to stop after the epoch that its rung ends with. asked: whether somebody else had done so."""

    def __init__(self, run: Run, until: int) -> None:
        self.run, self.until = run, until
        self.due = self.asked = False

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.EpochEnded) and self.until and event.epoch >= self.until:
            self.due = True
            with contextlib.suppress(RunError):
                self.run.ask_to_stop()
        if isinstance(event, events.Stopped):
            self.asked = self.run.stop_requested()


def leave_out(sweep: Sweep, run: Run) -> None:
    """Somebody stopped this run alone: the others go on without it, until the sweep is asked for again."""
    with contextlib.suppress(ImgclsError), locked(sweep.workspace):
        request = sweep.request()
        if request.going:
            sweep.write(replace(request, left_out=(*request.left_out, run.name)))


def _print_to(log: Path) -> None:
    """What this process says from now on stands in this run's log. Where it has a terminal it stays there."""
    if sys.stdout.isatty():
        return
    sys.stdout.flush()
    sys.stderr.flush()
    with open(log, "ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def stop(sweep: Sweep) -> None:
    """Those of its runs that go on save and end, those that wait leave the queue; nothing new begins."""
    with locked(sweep.workspace):
        request = sweep.request()
        sweep.write(replace(request, going=False))
    for trial in sweep.trials(request):
        if _standing(sweep.run(trial)).in_flight:
            with contextlib.suppress(RunError):  # it has ended in the meantime
                sweep.run(trial).stop()


def keep_going(workspace: Workspace, at_once: int | None = None) -> None:
    """Every sweep that is to go on has as many runs as it may: its processes may have been killed, or the machine.
    `at_once`: as in `create`, for those that were asked for without one."""
    for sweep in list_sweeps(workspace):
        with contextlib.suppress(ImgclsError):
            if sweep.request().engine == "local":
                push(sweep, at_once)


def push(sweep: Sweep, at_once: int | None = None) -> None:
    """As `advance`, but the lock is taken only where there is something to start."""
    request = sweep.request()
    if request.going and _free(sweep, request) and due(sweep, request):
        advance(sweep, at_once=at_once)


def keep_all_going(workspace: Workspace, at_once: int) -> None:
    """From now on, as long as this process lives."""

    def move() -> None:
        while True:
            keep_going(workspace, at_once)
            time.sleep(TURN)

    threading.Thread(target=move, daemon=True).start()


def follow(sweep: Sweep, on_trial: Callable[[Trial], None]) -> Iterator[str]:
    """Wait for its end, and have it go on. `on_trial` is called with each run that has ended. Yields its status at each
    look."""
    known: set[tuple[str, str]] = set()
    while True:
        for trial in sweep.trials():
            state = sweep.run(trial).read_state()
            if state and state.state in ("finished", "failed") and (trial.name, state.id) not in known:
                known.add((trial.name, state.id))
                on_trial(trial)
        push(sweep)
        status = sweep.status()
        yield status
        if status in ("finished", "stopped"):
            return
        time.sleep(POLL_SECONDS)
