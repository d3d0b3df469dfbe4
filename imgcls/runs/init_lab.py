"""The initialisation lab: one network, data and seed under several initialisations, one run after another.

    train_logs/<lab>/lab.json          what was asked: settings, initialisations
                     statistics.json   {initialisation: [what each layer's signal and gradient are before step 1]}
                     ended.json        how it ended
                     lock, stop, log.txt   as a run's

Each initialisation is an ordinary run called <lab>-<initialisation>, seen, stopped and tried like any other. Knows no
page and no terminal.
"""

from __future__ import annotations

import json
import shutil
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from filelock import Timeout

from imgcls.errors import ImgclsError, RunError, SettingsError
from imgcls.files import write_bytes
from imgcls.messages import Message, Setting
from imgcls.runs.launcher import launch_detached
from imgcls.runs.store import Job, Run, check_run, claim, create_run, delete_run, taken
from imgcls.settings import NAME, TrainSettings, choices
from imgcls.training import events
from imgcls.training.layer_statistics import LayerStatistics
from imgcls.workspace import Workspace

LONGEST = 60  # characters of a lab's name: its runs' names are longer


class Lab(Job):
    """A lab by its name."""

    @property
    def settings(self) -> TrainSettings:
        return TrainSettings.checked(self._asked()["settings"])

    @property
    def inits(self) -> tuple[str, ...]:
        return tuple(self._asked()["inits"])

    def run(self, init: str) -> Run:
        """The run of one initialisation; there may be nothing behind it yet."""
        return Run(f"{self.name}-{init}", self.workspace)

    def statistics(self) -> dict[str, list[LayerStatistics]]:
        said = _read(self.logs / "statistics.json") or {}
        return {init: [LayerStatistics(**row) for row in rows] for init, rows in said.items()}

    def state(self) -> str:
        """starting, running, stopping, finished, stopped, failed, or died."""
        if self.alive():
            return "stopping" if self.stop_asked() else "running"
        ended = _read(self.logs / "ended.json")
        if ended:
            return ended["state"]
        return "died" if (self.logs / "lock").exists() else "starting"

    def failure(self) -> Message | None:
        """Why it failed."""
        said = (_read(self.logs / "ended.json") or {}).get("message")
        return Message.from_dict(said) if said else None

    def stop(self) -> None:
        """Ask the lab, and the run it is at, to save and end."""
        self.ask_to_stop()
        for init in self.inits:
            if self.run(init).alive():
                self.run(init).stop()

    def _asked(self) -> dict:
        asked = _read(self.logs / "lab.json")
        if asked is None:
            raise RunError("There is no lab '{name}' in {folder}.", name=self.name, folder=self.workspace.train_logs)
        return asked


def create_lab(settings: TrainSettings, inits: Sequence[str], workspace: Workspace) -> Lab:
    """Check all that can be checked beforehand, then make the lab's folder. On an error nothing is made."""
    known = choices("init") or ()
    inits = tuple(dict.fromkeys(inits))
    for init in inits:
        if init not in known:
            raise SettingsError(
                "{setting} is {init}, but must be some of {known}.",
                setting=Setting("inits"),
                init=init or '""',
                known=", ".join(known),
                field="inits",
            )
    if not inits:
        raise SettingsError("Choose at least one initialisation.", field="inits")
    if settings.transfer != "scratch":
        raise SettingsError(
            "{setting} is '{transfer}', but initialisations are compared with '{scratch}'.",
            setting=Setting("transfer"),
            transfer=Setting("transfer", settings.transfer),
            scratch=Setting("transfer", "scratch"),
            field="transfer",
        )
    check_run(settings, workspace)
    name = settings.name or f"inits-{settings.default_name()}"[:LONGEST]
    if len(name) > LONGEST:
        raise SettingsError(
            "{setting} is longer than {most} characters: choose a shorter one.",
            setting=Setting("name"),
            most=LONGEST,
            field="name",
        )
    if any(taken(n, workspace) for n in (name, *(f"{name}-{init}" for init in inits))) or not claim(name, workspace):
        raise RunError("A run called {name} is there already: choose another name.", name=name)
    lab = Lab(name, workspace)
    asked = {"settings": settings.model_copy(update={"name": ""}).model_dump(), "inits": inits}
    write_bytes(lab.logs / "lab.json", json.dumps(asked, indent=2).encode())
    return lab


def start_lab(settings: TrainSettings, inits: Sequence[str], workspace: Workspace) -> Lab:
    """Create a lab and start its process. Raises ImgclsError with nothing left behind."""
    lab = create_lab(settings, inits, workspace)
    try:
        launch_detached(lab.logs, workspace, "work-lab", lab.name)
    except OSError as error:
        delete_lab(lab)
        raise RunError("The run's process could not be started ({reason}).", reason=error.strerror) from None
    return lab


def find_lab(name: str, workspace: Workspace) -> Lab:
    """Raises RunError when there is none of that name."""
    if not NAME.fullmatch(name) or not (workspace.train_logs / name / "lab.json").is_file():
        raise RunError("There is no lab '{name}' in {folder}.", name=name, folder=workspace.train_logs)
    return Lab(name, workspace)


def list_labs(workspace: Workspace) -> list[Lab]:
    """Every lab, newest first."""
    made = [p for p in workspace.train_logs.glob("*/lab.json") if NAME.fullmatch(p.parent.name)]
    return [Lab(p.parent.name, workspace) for p in sorted(made, key=lambda p: -p.stat().st_mtime)]


def delete_lab(lab: Lab) -> None:
    """Remove a lab with its runs. Raises RunError while it runs."""
    if lab.alive():
        raise RunError("{name} is still running: stop it first.", name=lab.name)
    for init in lab.inits:
        delete_run(lab.run(init))
    shutil.rmtree(lab.logs, ignore_errors=True)


def work(lab: Lab, *, sinks: Sequence[object] = ()) -> dict[str, events.Event]:
    """Be the lab's process: look at every layer, then train each initialisation. Returns each one's last event.

    A run that fails is a result as well: the next one follows. Raises RunError when somebody else works on the lab.
    """
    from imgcls.runs.worker import unexpected

    lock = lab.lock()
    try:
        lock.acquire(timeout=5)
    except Timeout:
        raise RunError("{name} is already running in another process.", name=lab.name) from None
    with lock:
        try:
            ended, state = _work(lab, sinks)
            said = {"state": state}
        except ImgclsError as error:
            ended, said = {}, {"state": "failed", "message": error.message.as_dict()}
        except Exception as error:
            traceback.print_exc()
            ended, said = {}, {"state": "failed", "message": unexpected(error).as_dict()}
        write_bytes(lab.logs / "ended.json", json.dumps(said).encode())
    return ended


def _work(lab: Lab, sinks: Sequence[object]) -> tuple[dict[str, events.Event], str]:
    from imgcls.runs.worker import work as work_run
    from imgcls.training.layer_statistics import layer_statistics

    settings, ended, found = lab.settings, {}, {}
    for init in lab.inits:
        if lab.stop_asked():
            return ended, "stopped"
        found[init] = [
            asdict(row) for row in layer_statistics(settings.model_copy(update={"init": init}), lab.workspace)
        ]
        write_bytes(lab.logs / "statistics.json", json.dumps(found).encode())
    for init in lab.inits:
        made = create_run(settings.model_copy(update={"init": init, "name": lab.run(init).name}), lab.workspace)
        if lab.stop_asked():  # asked while this run was being made: it could not be told
            made.stop()
        ended[init] = work_run(made, sinks=sinks)
        if isinstance(ended[init], events.Stopped):
            return ended, "stopped"
    return ended, "finished"


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
