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
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

from imgcls import events
from imgcls.checkpoint import write_bytes
from imgcls.errors import RunError, SettingsError
from imgcls.home import PROJECT, Home
from imgcls.recipes import preprocess_for
from imgcls.settings import NAME, TrainSettings
from imgcls.standby import Keeper

_keeper: Keeper | None = None
SMALLEST = 16  # pixels: below it LeNet has nothing left to convolve
ON_ITS_WAY = 30.0  # seconds in which a process that was just started takes its run's lock


@dataclass(frozen=True)
class Job:
    """A folder under train_logs/ and the process that works on it, while there is one."""

    name: str
    home: Home

    @property
    def logs(self) -> Path:
        return self.home.train_logs / self.name

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
        return self.home.checkpoints / self.name

    @property
    def events(self) -> Path:
        return self.logs / "events.jsonl"

    @property
    def best(self) -> Path:
        return self.checkpoints / "best.safetensors"

    @property
    def can_go_on(self) -> bool:
        return (self.checkpoints / "resume.safetensors").is_file()

    def settings(self) -> TrainSettings:
        try:
            return TrainSettings.checked(json.loads((self.logs / "settings.json").read_text("utf-8")))
        except (OSError, ValueError):
            raise RunError(f"There is no run '{self.name}' in {self.home.train_logs}.") from None

    def say(self, event: events.Event) -> None:
        with open(self.events, "a", encoding="utf-8") as file:
            file.write(events.to_line(event) + "\n")

    def stop(self) -> None:
        """Ask it to save and end; it does so after the step it is in."""
        self.settings()
        self.ask_to_stop()


def find(name: str, home: Home) -> Run:
    """The run of that name. Raises RunError when there is none."""
    if not NAME.fullmatch(name) or not (home.train_logs / name / "settings.json").is_file():
        raise RunError(f"There is no run '{name}': see `python -m imgcls runs` for those there are.")
    return Run(name, home)


def check(settings: TrainSettings, home: Home) -> None:
    """All that can be said against a run before it is made: data, device, weights. Raises ImgclsError."""
    from imgcls import devices
    from imgcls.data import sets
    from imgcls.models import weights

    size = preprocess_for(settings).size
    if size < SMALLEST:
        raise SettingsError(f"image_size is {size}, but the networks need at least {SMALLEST}.", field="image_size")
    sets.check(settings, home)
    devices.check(settings)
    if settings.weights:
        weights.check(settings.weights, model=settings.model, folder=home.weight)


def create(settings: TrainSettings, home: Home) -> Run:
    """Check, then claim the run's folders. On an error nothing is made."""
    check(settings, home)
    name = settings.name
    if name and (taken(name, home) or not claim(name, home)):
        raise RunError(f"name is {name}, but a run of that name is there already: choose another name.")
    if not name:
        wanted = settings.default_name()
        names = [wanted, *(f"{wanted}-{i}" for i in range(2, 100))]
        name = next((n for n in names if not taken(n, home) and claim(n, home)), "")
    run = Run(name, home)
    settings = settings.model_copy(update={"name": name})
    write_bytes(run.logs / "settings.json", settings.model_dump_json(indent=2).encode())
    run.events.touch()
    return run


def taken(name: str, home: Home) -> bool:
    return any((folder / name).exists() for folder in (home.train_logs, home.checkpoints, PROJECT / "checkpoints"))


def claim(name: str, home: Home) -> bool:
    """Making the folder is what decides between two that ask for one name at once."""
    try:
        (home.train_logs / name).mkdir(parents=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise RunError(f"{home.train_logs} cannot be written ({error.strerror}).") from None
    return True


def start(settings: TrainSettings, home: Home) -> Run:
    """Create a run and start its process. Raises ImgclsError with nothing left behind."""
    run = create(settings, home)
    try:
        spawn(run.logs, home, "work", run.name)
    except OSError as error:
        delete(run)
        raise RunError(f"The run's process could not be started ({error.strerror}).") from None
    return run


def prepare_resume(run: Run) -> None:
    """Check that a stopped or dead run can go on, and mark it as going on."""
    if run.alive():
        raise RunError(f"{run.name} is still running.")
    if not run.can_go_on:
        raise RunError(
            f"{run.name} has nothing to go on from: it is finished, or ended before it first saved; start a new run."
        )
    (run.logs / "stop").unlink(missing_ok=True)
    run.say(events.Note(code="resuming"))


def go_on(run: Run) -> Run:
    """Start a stopped or dead run again from where it last saved."""
    prepare_resume(run)
    spawn(run.logs, run.home, "work", run.name, "--go-on")
    return run


def delete(run: Run) -> None:
    """Remove a run's folders, checkpoints too. Raises RunError while it runs."""
    if run.alive():
        raise RunError(f"{run.name} is still running: stop it first.")
    for folder in (run.logs, run.checkpoints):
        shutil.rmtree(folder, ignore_errors=True)


def spawn(logs: Path, home: Home, *arguments: str) -> None:
    """A process that outlives the page, the server and the terminal; one that stands by, or a new one."""
    if _keeper and _keeper.hand_over(home, arguments, logs / "log.txt"):
        return
    with open(logs / "log.txt", "ab") as log:
        _apart(home, arguments, stdin=subprocess.DEVNULL, output=log)


def keep_one_ready(home: Home) -> None:
    """From now on a process stands by, until this one ends."""
    global _keeper
    _keeper = Keeper(home, lambda arguments, stdin: _apart(home, arguments, stdin=stdin, output=subprocess.DEVNULL))
    _keeper.ready()


def _apart(home: Home, arguments: Sequence[str], *, stdin: int, output: IO[bytes] | int) -> subprocess.Popen:
    """In a session of its own, where no terminal's Ctrl-C reaches it."""
    environment = os.environ | {"IMGCLS_HOME": str(home.root), "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))
    apart: dict[str, object] = {"start_new_session": True}
    if os.name == "nt":
        apart = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    process = subprocess.Popen(
        [sys.executable, "-m", "imgcls", *arguments],
        stdin=stdin,
        stdout=output,
        stderr=subprocess.STDOUT if output is not subprocess.DEVNULL else output,
        env=environment,
        **apart,
    )
    # Waited for, so that a run that ends while the server lives leaves no zombie.
    threading.Thread(target=process.wait, daemon=True).start()
    return process


def list_runs(home: Home) -> list[Run]:
    """Every run, newest first."""
    made = [p for p in home.train_logs.glob("*/settings.json") if NAME.fullmatch(p.parent.name)]
    return [Run(p.parent.name, home) for p in sorted(made, key=lambda p: -p.stat().st_mtime)]


def running(home: Home) -> list[Run]:
    """Those that a process holds, and those whose process is still on its way."""
    return [run for run in list_runs(home)[:50] if run.alive() or _young(run)]


def _young(run: Run) -> bool:
    try:
        made = (run.logs / "settings.json").stat().st_mtime
        return time.time() - made < ON_ITS_WAY and not run.events.stat().st_size
    except OSError:
        return False
