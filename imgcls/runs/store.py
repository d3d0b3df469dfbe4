"""A run is a folder: make it, start it as a process of its own, stop it, resume it, list what there is.

    train_logs/<run>/settings.json   what was asked
                     events.jsonl    what the run has said, a line an event
                     log.txt         what its process printed
                     stop            there when somebody asked it to stop
                     lock            held by the run's process while it lives
    checkpoints/<run>/               what it has learnt

Whoever shows a run reads its folder; nobody needs to have started it. Knows no torch: what happens in the process is
`worker.py`'s.
"""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from imgcls.errors import RunError, SettingsError
from imgcls.files import write_bytes
from imgcls.messages import Message, Setting
from imgcls.recipes import preprocess_for
from imgcls.settings import NAME, TrainSettings
from imgcls.training import events
from imgcls.workspace import PROJECT, Workspace

SMALLEST = 16  # pixels: below it LeNet has nothing left to convolve
ON_ITS_WAY = 30.0  # seconds in which a process that was just started takes its run's lock


@dataclass(frozen=True)
class Job:
    """A folder under train_logs/ and the process that works on it, while there is one."""

    name: str
    workspace: Workspace

    @property
    def logs(self) -> Path:
        return self.workspace.train_logs / self.name

    def lock(self) -> FileLock:
        return FileLock(self.logs / "lock")

    def alive(self) -> bool:
        """Whether a process holds it. The system lets go of the lock however the process ends."""
        if not (self.logs / "lock").exists():
            return False
        try:
            with self.lock().acquire(timeout=0):
                return False
        except Timeout:
            return True

    def ask_to_stop(self) -> None:
        (self.logs / "stop").touch()

    def stop_asked(self) -> bool:
        return (self.logs / "stop").exists()


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

    def settings(self) -> TrainSettings:
        try:
            return TrainSettings.checked(json.loads((self.logs / "settings.json").read_text("utf-8")))
        except (OSError, ValueError):
            raise RunError(
                "There is no run '{name}' in {folder}.", name=self.name, folder=self.workspace.train_logs
            ) from None

    def say(self, event: events.Event) -> None:
        with open(self.events, "a", encoding="utf-8") as file:
            file.write(events.to_line(event) + "\n")

    def stop(self) -> None:
        """Ask it to save and end; it does so after the step it is in."""
        self.settings()
        self.ask_to_stop()


def find_run(name: str, workspace: Workspace) -> Run:
    """The run of that name. Raises RunError when there is none."""
    if not NAME.fullmatch(name) or not (workspace.train_logs / name / "settings.json").is_file():
        raise RunError("There is no run '{name}': see `python -m imgcls runs` for those there are.", name=name)
    return Run(name, workspace)


def check_run(settings: TrainSettings, workspace: Workspace) -> None:
    """All that can be said against a run before it is made: data, device, weights. Raises ImgclsError."""
    from imgcls.data.catalog import check_dataset
    from imgcls.models.pretrained import check_weights
    from imgcls.training.device import check_device

    size = preprocess_for(settings).size
    if size < SMALLEST:
        raise SettingsError(
            "{setting} is {size}, but the networks need at least {least}.",
            setting=Setting("image_size"),
            size=size,
            least=SMALLEST,
            field="image_size",
        )
    check_dataset(settings, workspace)
    check_device(settings)
    if settings.weights:
        check_weights(settings.weights, model=settings.model, folder=workspace.weight)


def create_run(settings: TrainSettings, workspace: Workspace) -> Run:
    """Check, then claim the run's folders. On an error nothing is made."""
    check_run(settings, workspace)
    name = settings.name
    if name and (taken(name, workspace) or not claim(name, workspace)):
        raise RunError("A run called {name} is there already: choose another name.", name=name)
    if not name:
        wanted = settings.default_name()
        names = [wanted, *(f"{wanted}-{i}" for i in range(2, 100))]
        name = next((n for n in names if not taken(n, workspace) and claim(n, workspace)), "")
    run = Run(name, workspace)
    settings = settings.model_copy(update={"name": name})
    write_bytes(run.logs / "settings.json", settings.model_dump_json(indent=2).encode())
    run.events.touch()
    return run


def taken(name: str, workspace: Workspace) -> bool:
    return any(
        (folder / name).exists() for folder in (workspace.train_logs, workspace.checkpoints, PROJECT / "checkpoints")
    )


def claim(name: str, workspace: Workspace) -> bool:
    """Making the folder is what decides between two that ask for one name at once."""
    try:
        (workspace.train_logs / name).mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise RunError(
            "{folder} cannot be written ({reason}).", folder=workspace.train_logs, reason=error.strerror
        ) from None
    return True


def prepare_resume(run: Run) -> None:
    """Check that a stopped or dead run can go on, and mark it as going on."""
    if run.alive():
        raise RunError("{name} is still running.", name=run.name)
    if not run.can_resume:
        raise RunError(
            "{name} has nothing to go on from: it is finished, or ended before it first saved; start a new run.",
            name=run.name,
        )
    (run.logs / "stop").unlink(missing_ok=True)
    run.say(events.Note(code="resuming", message=Message("going on from where it was saved")))


def delete_run(run: Run) -> None:
    """Remove a run's folders, checkpoints too. Raises RunError while it runs."""
    if run.alive():
        raise RunError("{name} is still running: stop it first.", name=run.name)
    for folder in (run.logs, run.checkpoints):
        shutil.rmtree(folder, ignore_errors=True)


def list_runs(workspace: Workspace) -> list[Run]:
    """Every run, newest first."""
    made = [p for p in workspace.train_logs.glob("*/settings.json") if NAME.fullmatch(p.parent.name)]
    return [Run(p.parent.name, workspace) for p in sorted(made, key=lambda p: -p.stat().st_mtime)]


def running(workspace: Workspace) -> list[Run]:
    """Those that a process holds, and those whose process is still on its way."""
    return [run for run in list_runs(workspace)[:50] if run.alive() or _young(run)]


def _young(run: Run) -> bool:
    try:
        made = (run.logs / "settings.json").stat().st_mtime
        return time.time() - made < ON_ITS_WAY and not run.events.stat().st_size
    except OSError:
        return False
