"""A run is a folder: what is in it, ask it to stop, rename it, delete it, list what there is.

    train_logs/<run>/settings.json   what was asked
                     manifest.jsonl.gz   which images it is about
                     state.json      what it is doing, and whose process does it
                     events.jsonl    what the run has said, a line an event
                     log.txt         what its process printed
                     stop            there when somebody asked it to stop
    checkpoints/<run>/               what it has learnt

Whoever shows a run reads its folder; nobody needs to have started it. No process is started here: `launcher.py` does.
How a run begins, or goes on, is in `lifecycle.py`.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from imgcls import plugins
from imgcls.checkpoints.store import brought
from imgcls.errors import RunError, SettingsError, StorageError
from imgcls.filenames import nearest, shown, validate
from imgcls.files import DELETED, storage_error
from imgcls.messages import Setting
from imgcls.processes import ProcessId
from imgcls.runs import renaming
from imgcls.runs.state import RunState, locked, read_state, write_state
from imgcls.settings import NAME, ROWS, TrainSettings, is_known_row
from imgcls.training import events
from imgcls.workspace import PROJECT, Workspace


@dataclass(frozen=True)
class Job:
    """A folder under train_logs/ and the process that works on it, while there is one."""

    name: str
    workspace: Workspace

    @property
    def logs(self) -> Path:
        return self.workspace.train_logs / self.name

    def read_state(self) -> RunState | None:
        """Its state as it is written; None for a job of an earlier version."""
        return read_state(self.logs)

    def is_active(self) -> bool:
        """Whether a process works on it, or is on its way."""
        state = self.read_state()
        return state is not None and state.is_active

    def ask_to_stop(self) -> None:
        """Its process saves and ends after the step it is in. Raises RunError where there is none."""
        with locked(self.workspace):
            state = self.read_state()
            if state is None or not state.is_active:
                raise RunError("{name} is not running.", name=self.name)
            try:
                (self.logs / "stop").touch()
            except OSError as error:
                raise storage_error(self.logs / "stop", error) from None
            write_state(self.logs, state.to("stopping"))

    def stop(self) -> None:
        """Ask it to save and end; a waiting one is withdrawn."""
        state = self.read_state()
        if state is not None and state.state == "queued":
            withdraw(self)
        else:
            self.ask_to_stop()

    def stop_requested(self) -> bool:
        """True as well where somebody removed its folder: nobody would ever see what it learns."""
        return (self.logs / "stop").exists() or not self.logs.exists()

    def mark_running(self) -> None:
        """Be its process from now on. Raises RunError when another one is, or when nobody has started it."""
        me = ProcessId.current()
        with locked(self.workspace):
            if not self.logs.is_dir():  # whoever started this process could not write its state, and took it back
                raise RunError("{name} is not running.", name=self.name)
            state = self.read_state() or RunState(process=me)
            # On Windows a virtual environment's python.exe starts the real one and is what the launcher knows.
            mine = state.process is not None and state.process.pid in (me.pid, os.getppid())
            if state.is_active and not mine:
                raise RunError("{name} is already running in another process.", name=self.name)
            if not state.is_active:
                raise RunError("{name} is not running.", name=self.name)
            write_state(self.logs, state.to("stopping" if self.stop_requested() else "running", process=me))


@dataclass(frozen=True)
class Run(Job):
    """A run by its name; there may be nothing behind it yet."""

    @property
    def checkpoints(self) -> Path:
        return self.workspace.checkpoints / self.name

    @property
    def events(self) -> Path:
        return self.logs / "events.jsonl"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.safetensors"

    @property
    def can_resume(self) -> bool:
        return (self.checkpoints / "resume.safetensors").is_file()

    @property
    def can_train_longer(self) -> bool:
        """Whether its state is there, in the middle or at its end."""
        return self.can_resume or (self.checkpoints / "ended.state").is_file()

    def settings(self) -> TrainSettings:
        """Raises RunError where there is none, or where it names an optimizer or an augmentation of a plugin's that is
        not loaded here."""
        try:
            values = json.loads((self.logs / "settings.json").read_text("utf-8"))
            return TrainSettings.checked(values)
        except SettingsError as error:
            if error.field in ROWS and not is_known_row(error.field, str(values[error.field])):
                raise self.unregistered(error.field, str(values[error.field])) from None
            raise
        except (OSError, ValueError):
            raise RunError(
                "There is no run '{name}' in {folder}.", name=self.name, folder=self.workspace.train_logs
            ) from None

    def unregistered(self, setting: str, value: str) -> RunError:
        return RunError(
            "{name} cannot go on here, where {setting} {value} is not known: if a module of your own registers it, "
            "name that module in {variable}.",
            name=self.name,
            setting=Setting(setting),
            value=shown(value),
            variable=plugins.VARIABLE,
            field=setting,
        )

    def append_event(self, event: events.Event) -> None:
        try:
            with open(self.events, "a", encoding="utf-8") as file:
                file.write(events.to_line(event) + "\n")
        except OSError as error:
            raise storage_error(self.events, error) from None


def find_run(name: str, workspace: Workspace) -> Run:
    """The run of that name. Raises RunError when there is none."""
    if not NAME.fullmatch(name) or not (workspace.train_logs / name / "settings.json").is_file():
        near = nearest(name, (run.name for run in list_runs(workspace)))
        if near:
            raise RunError("There is no run '{name}': did you mean {near}?", name=name, near=near)
        raise RunError("There is no run '{name}': see `python -m imgcls runs` for those there are.", name=name)
    if renaming.begun(workspace.train_logs / name):
        with locked(workspace):
            renaming.finish(workspace.train_logs / name, workspace)
        if not (workspace.train_logs / name).is_dir():
            return find_run(name, workspace)
    return Run(name, workspace)


def name_in_use(name: str, workspace: Workspace) -> bool:
    return any(
        (folder / name).exists() for folder in (workspace.train_logs, workspace.checkpoints, PROJECT / "checkpoints")
    )


def withdraw(job: Job) -> None:
    """Take a waiting job out of the queue: a new one is gone then, a run that was to go on stays stopped."""
    with locked(job.workspace):
        state = job.read_state()
        if state is None or state.state != "queued":
            raise RunError("{name} is not waiting any more.", name=job.name)
        if state.resume:
            write_state(job.logs, state.to("stopped", resume=False))
            return
        hidden = move_to_trash(job.logs)
    shutil.rmtree(hidden, ignore_errors=True)


def rename_run(run: Run, name: str) -> Run:
    """A run at rest gets another name, its checkpoints with it; everything else of it stays. Raises RunError."""
    if not NAME.fullmatch(name) or validate(name) is not None:
        raise RunError(
            "A run's name begins with a letter or a digit and has letters, digits, dots, - and _ only, 80 at most."
        )
    with locked(run.workspace):
        state = run.read_state()
        if state is not None and (state.is_active or state.state == "queued"):
            raise RunError("Only a run at rest can be renamed: stop {name} first.", name=run.name)
        if state is not None and state.part_of:
            raise RunError("{name} belongs to a comparison of initialisations: it keeps its name.", name=run.name)
        if state is not None and state.parent:
            raise RunError("{name} belongs to the sweep {sweep}: it keeps its name.", name=run.name, sweep=state.parent)
        if not run.logs.is_dir():
            raise RunError("There is no run '{name}'.", name=run.name)
        if name_in_use(name, run.workspace):
            raise RunError("A run called {name} is there already: choose another name.", name=name)
        renaming.rename(run.logs, name, run.workspace)
    return Run(name, run.workspace)


def delete_run(run: Run) -> None:
    """Remove a run's folders, checkpoints too. Raises RunError while it runs."""
    with locked(run.workspace):
        state = run.read_state()
        if state is not None and state.is_active:
            raise RunError("{name} is still running: stop it first.", name=run.name)
        hidden = [move_to_trash(folder) for folder in (run.logs, run.checkpoints) if folder.exists()]
    for folder in hidden:
        shutil.rmtree(folder, ignore_errors=True)


def delete_brought(name: str, workspace: Workspace) -> None:
    """Remove a network that no run here made, with what is kept of it. Raises RunError where there is none."""
    with locked(workspace):
        if name not in brought(workspace):
            raise RunError("There is no network '{name}' that somebody kept or imported.", name=shown(name))
        hidden = move_to_trash(workspace.checkpoints / name)
    shutil.rmtree(hidden, ignore_errors=True)


def move_to_trash(folder: Path) -> Path:
    """At once gone for everybody, however long deleting takes; what a killed process leaves of it goes at the next
    start."""
    gone = folder.with_name(f"{DELETED}{secrets.token_hex(6)}")
    try:
        os.rename(folder, gone)
    except OSError as error:
        raise StorageError(
            "{folder} could not be deleted ({reason}): close what has its files open.",
            folder=folder,
            reason=error.strerror,
        ) from None
    return gone


def list_runs(workspace: Workspace) -> list[Run]:
    """Every run, newest first. As plain text: every page asks twice a second, and a thousand paths are 30 ms."""
    root = str(workspace.train_logs)
    created: list[tuple[float, str]] = []
    try:
        names = [name for name in os.listdir(root) if NAME.fullmatch(name)]
    except OSError:
        return []
    for name in names:
        with contextlib.suppress(OSError):  # no run, or deleted in the meantime
            created.append((os.stat(f"{root}/{name}/settings.json").st_mtime, name))
    return [Run(name, workspace) for _, name in sorted(created, reverse=True)]


def made_at(run: Run) -> float:
    try:
        return (run.logs / "settings.json").stat().st_mtime
    except OSError:  # deleted in the meantime
        return 0.0


def states(workspace: Workspace) -> dict[str, RunState]:
    """Every job's state, runs and labs, by name."""
    run_states = {path.parent.name: read_state(path.parent) for path in workspace.train_logs.glob("*/state.json")}
    return {name: state for name, state in run_states.items() if state is not None and NAME.fullmatch(name)}


def running(workspace: Workspace) -> list[str]:
    """The jobs that processes work on, or are about to; a lab counts once, whichever of its runs it is at."""
    return [name for name, state in states(workspace).items() if state.is_active and not state.part_of]
