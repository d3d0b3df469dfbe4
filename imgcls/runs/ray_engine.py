"""A sweep on the machines of a Ray cluster: the same runs, each one a task of Ray's. Who runs where is Ray's business.

A run trains in a folder of its own on whatever machine it is given; what it saves comes back at once and lies in the
workspace as any run's does. Where a machine is lost, Ray gives its tasks to others, which go on from what came back.
Successive halving has the local engine's rungs: promoting whoever is first, as Ray Tune's ASHA does, would let the
speed of machines decide, and the result could not be repeated.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from imgcls.errors import InstallError, RunError
from imgcls.files import write_bytes
from imgcls.processes import ProcessId
from imgcls.runs import sweep as sweeps
from imgcls.runs.lifecycle import claim_run, mark_resuming
from imgcls.runs.state import RunState, locked, write_state
from imgcls.runs.store import Run, move_to_trash
from imgcls.runs.sweep import Rest, Sweep, Trial
from imgcls.runs.sweep_request import Request
from imgcls.runs.worker import finish
from imgcls.runs.worker import work as work_run
from imgcls.settings import NAME, TrainSettings
from imgcls.training import events
from imgcls.workspace import PACKAGE, Workspace

RETRIES = 3  # of a task whose machine or process was lost
POLL_SECONDS = 0.3  # between two looks at what has ended
STOP_LOOK_SECONDS = 1.0  # between two questions of a run whether it is to stop
STAYS = ("state.json", "stop", "log.txt")  # of a run's folder, that each machine has for itself
Files = dict[str, bytes]  # by their path under a workspace


class Keeper:
    """Lives beside the workspace and is the only one to write there: what runs elsewhere send, and what they go on
    from."""

    def __init__(self, root: str) -> None:
        self.workspace = Workspace(Path(root))

    def keep(self, files: Files) -> None:
        for name, content in files.items():
            write_bytes(self.workspace.root / name, content)

    def fetch(self, name: str) -> Files:
        """What there is of a run; {} where it has to begin anew."""
        run = Run(name, self.workspace)
        return _files(run) if run.can_resume else {}

    def files(self, name: str) -> Files:
        """All of a run that another one starts from; {} where the name is a file's or a shipped checkpoint's."""
        run = Run(name, self.workspace)
        return _files(run) if NAME.fullmatch(name) else {}

    def is_to_stop(self, name: str) -> bool:
        return Run(name, self.workspace).stop_requested()


def _files(run: Run) -> Files:
    files = {}
    for folder in (run.logs, run.checkpoints):
        for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if path.is_file() and path.name not in STAYS and not path.name.startswith("."):
                with contextlib.suppress(OSError):
                    files[path.relative_to(run.workspace.root).as_posix()] = path.read_bytes()
    return files


class _Sender:
    """A logger that sends what has changed whenever something was saved, and asks whether to stop."""

    def __init__(self, run: Run, keeper: Any, home: str) -> None:
        self.run, self.keeper, self.home = run, keeper, home
        self.sent: dict[str, int] = {}
        self.asked = time.monotonic()

    def __call__(self, event: events.Event) -> None:
        if isinstance(event, events.Saved) and event.kind == "resume":
            self.send()
        if time.monotonic() - self.asked > STOP_LOOK_SECONDS:
            import ray  # pyright: ignore[reportMissingImports]

            self.asked = time.monotonic()
            if ray.get(self.keeper.is_to_stop.remote(self.run.name)) and not self.run.stop_requested():
                with contextlib.suppress(RunError):
                    self.run.ask_to_stop()

    def send(self) -> None:
        """Until it has arrived: what is said to be saved is saved in the workspace."""
        import ray  # pyright: ignore[reportMissingImports]

        changed = {}
        for name, content in _files(self.run).items():
            if self.sent.get(name) == hash(content):
                continue
            self.sent[name] = hash(content)
            if name.endswith(".jsonl"):  # paths of this machine's own folder
                content = content.replace(str(self.run.workspace.root).encode(), self.home.encode())
            changed[name] = content
        ray.get(self.keeper.keep.remote(changed))


def train(name: str, values: dict[str, Any], until: int, keeper: Any, home: str) -> tuple[str, bool]:
    """The task: one run, on whatever machine. (How it ended, whether it rests only until others are as far.)"""
    import ray  # pyright: ignore[reportMissingImports]

    here = Path(tempfile.mkdtemp(prefix="imgcls-"))
    try:
        workspace = Workspace(here)
        for folder in ("data", "weight"):  # those of this machine, where it has some
            own = getattr(Workspace.from_environment(), folder)
            if own.is_dir():
                os.symlink(own, here / folder)
        run, state = Run(name, workspace), RunState(process=ProcessId.current(), until=until)
        files: Files = ray.get(keeper.fetch.remote(name))
        ancestor = str(values.get("start_from") or "").split("/")[0]
        if ancestor:
            for path, content in ray.get(keeper.files.remote(ancestor)).items():
                write_bytes(here / path, content)
        with locked(workspace):
            if files:
                for path, content in files.items():
                    write_bytes(here / path, content)
                mark_resuming(run, state)
            else:
                claim_run(TrainSettings.checked(values), workspace, state)
        rest, sender = Rest(run, until), _Sender(run, keeper, home)
        last = work_run(run, loggers=[rest, sender], resume=bool(files))
        sender.send()
        ended = {events.Finished: "finished", events.Failed: "failed"}.get(type(last), "stopped")
        return ended, rest.due
    finally:
        shutil.rmtree(here, ignore_errors=True)


def follow(sweep: Sweep, address: str, on_trial: Callable[[Trial], None]) -> Iterator[str]:
    """Run it there to its end, or until it is asked to stop. Yields its status at each look. `address`: "auto" for the
    cluster that this machine is part of, "" for one of this machine's own. Raises InstallError without Ray."""
    ray = connected(address)
    keeper = ray.remote(Keeper).options(num_cpus=0, scheduling_strategy=_here(ray)).remote(str(sweep.workspace.root))
    flying: dict[Any, Trial] = {}
    while True:
        request = sweep.request()
        if request.going:
            for trial, until in sweeps.due(sweep, request):
                if trial not in flying.values():
                    flying[_submit(ray, sweep, request, trial, until, keeper)] = trial
        ready, _ = ray.wait(list(flying), timeout=POLL_SECONDS) if flying else ([], [])
        for reference in ready:
            trial = flying.pop(reference)
            _ended(ray, sweep, trial, reference)
            if sweep.run(trial).read_state().state in ("finished", "failed"):  # pyright: ignore[reportOptionalMemberAccess]
                on_trial(trial)
        status = "running" if flying else sweep.status()
        yield status
        if status in ("finished", "stopped"):
            return


def connected(address: str) -> Any:
    """Ray, connected."""
    try:
        import ray  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise InstallError("Ray is not installed: pip install imgcls[ray].") from None
    if not ray.is_initialized():
        paths = os.pathsep.join(filter(None, (str(PACKAGE.parent), os.environ.get("PYTHONPATH"))))
        environment = {"env_vars": {"PYTHONPATH": paths}}
        try:
            ray.init(address=address or None, runtime_env=environment, log_to_driver=False, logging_level="ERROR")
        except ConnectionError as error:
            raise RunError("There is no Ray cluster at {address} ({reason}).", address=address, reason=error) from None
    return ray


def _here(ray: Any) -> Any:
    from ray.util.scheduling_strategies import (  # pyright: ignore[reportMissingImports]
        NodeAffinitySchedulingStrategy,
    )

    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _submit(ray: Any, sweep: Sweep, request: Request, trial: Trial, until: int, keeper: Any) -> Any:
    """The run's folder in the workspace, as if this process trained it, and its task."""
    run, settings = sweep.run(trial), sweep.settings(trial, request)
    with locked(sweep.workspace):
        saved_state = run.read_state()
        state = RunState(owner=request.owner) if saved_state is None else saved_state
        state = state.to("running", parent=sweep.name, until=until, process=ProcessId.current(), message=None)
        if run.can_resume:
            (run.logs / "stop").unlink(missing_ok=True)
            write_state(run.logs, state)
        else:
            for folder in (run.logs, run.checkpoints):
                if folder.exists():
                    shutil.rmtree(move_to_trash(folder), ignore_errors=True)
            claim_run(settings, sweep.workspace, state)
    gpus = 1 if settings.device != "cpu" and ray.cluster_resources().get("GPU") else 0
    task = ray.remote(train).options(num_cpus=max(1, settings.threads), num_gpus=gpus, max_retries=RETRIES)
    return task.remote(trial.name, settings.model_dump(), until, keeper, str(sweep.workspace.root))


def _ended(ray: Any, sweep: Sweep, trial: Trial, reference: Any) -> None:
    """What came of a task, written into the run's state."""
    run = sweep.run(trial)
    stop_requested = run.stop_requested()
    try:
        ended, rested = ray.get(reference)
    except ray.exceptions.RayError as error:  # its machines were lost once too often, or the task is broken
        print(f"{trial.name}: {error}", file=sys.stderr, flush=True)
        ended, rested = "failed", False
        run.append_event(sweeps.killed(RETRIES + 1))
    finish(run, ended)
    if ended == "stopped" and stop_requested and not rested:
        sweeps.leave_out(sweep, run)
