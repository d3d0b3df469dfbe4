"""The initialisation lab: one network, data and seed under several initialisations, one run after another.

    train_logs/<lab>/lab.json          what was asked: settings, initialisations
                     statistics.json   {initialisation: [what each layer's signal and gradient are before step 1]}
                     state.json, stop, log.txt   as a run's

Each initialisation is an ordinary run called <lab>-<initialisation>, seen, stopped and tried like any other.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from imgcls.errors import ImgclsError, RunError, SettingsError
from imgcls.files import remove_leftovers, write_bytes
from imgcls.messages import Message, Setting
from imgcls.processes import ProcessId
from imgcls.runs import queue
from imgcls.runs.launcher import admitted, start_claimed
from imgcls.runs.lifecycle import check_run, create_run, new_folder
from imgcls.runs.state import Owner, RunState, locked, write_state
from imgcls.runs.store import Job, Run, delete_run, move_to_trash, name_in_use
from imgcls.runs.worker import Logger, failure, finish
from imgcls.runs.worker import work as work_run
from imgcls.settings import NAME, TrainSettings, choices
from imgcls.training import events
from imgcls.training.layer_statistics import LayerStatistics
from imgcls.workspace import Workspace

MAX_NAME_CHARS = 60  # characters of a lab's name: its runs' names are longer


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
        record = _read(self.logs / "statistics.json") or {}
        return {init: [LayerStatistics(**row) for row in rows] for init, rows in record.items()}

    def state(self) -> str:
        """queued, starting, running, stopping, finished, stopped, failed, or interrupted."""
        written = self.read_state()
        if written is not None:
            return written.status
        return (_read(self.logs / "ended.json") or {}).get("state", "interrupted")  # an earlier version's

    def failure(self) -> Message | None:
        """Why it failed."""
        written = self.read_state()
        if written is not None:
            return written.message
        record = (_read(self.logs / "ended.json") or {}).get("message")
        return (Message.from_dict(record) if isinstance(record, dict) else Message(record)) if record else None

    def ask_to_stop(self) -> None:
        """The lab saves and ends, and so does the run it is at."""
        super().ask_to_stop()
        for init in self.inits:
            with contextlib.suppress(RunError):  # it has ended, or not begun
                self.run(init).ask_to_stop()

    def _asked(self) -> dict:
        request = _read(self.logs / "lab.json")
        if request is None:
            raise RunError("There is no lab '{name}' in {folder}.", name=self.name, folder=self.workspace.train_logs)
        return request


def create_lab(settings: TrainSettings, inits: Sequence[str], workspace: Workspace) -> Lab:
    """Check all that can be checked beforehand, then make the lab's folder for this process. On an error nothing is
    made."""
    inits = _checked(settings, inits, workspace)
    with locked(workspace):
        return _claim(settings, inits, workspace, RunState(process=ProcessId.current()))


def start_lab(
    settings: TrainSettings,
    inits: Sequence[str],
    workspace: Workspace,
    *,
    at_once: int | None = None,
    wait: bool = False,
    each: int = queue.WAITING_EACH,
    owner: Owner | None = None,
    expected: float | None = None,
) -> Lab:
    """Create a lab and start its process, limits as for a run: a lab counts as one. Raises ImgclsError with nothing
    left behind."""
    inits = _checked(settings, inits, workspace)
    with locked(workspace):
        state = admitted(RunState(owner=owner, expected=expected), workspace, at_once, wait, each)
        lab = _claim(settings, inits, workspace, state)
        start_claimed(lab, state, "work-lab", lab.name)
    return lab


def _checked(settings: TrainSettings, inits: Sequence[str], workspace: Workspace) -> tuple[str, ...]:
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
    if len(settings.name) > MAX_NAME_CHARS:
        raise SettingsError(
            "{setting} is longer than {most} characters: choose a shorter one.",
            setting=Setting("name"),
            most=MAX_NAME_CHARS,
            field="name",
        )
    return inits


def _claim(settings: TrainSettings, inits: tuple[str, ...], workspace: Workspace, state: RunState) -> Lab:
    """Under the workspace's lock."""
    name = settings.name or f"inits-{settings.default_name()}"[:MAX_NAME_CHARS]
    if any(name_in_use(n, workspace) for n in (name, *(f"{name}-{init}" for init in inits))):
        raise RunError("A run called {name} is there already: choose another name.", name=name)
    lab = Lab(name, workspace)
    request = {"settings": settings.model_copy(update={"name": ""}).model_dump(), "inits": inits}
    with new_folder(lab.logs):
        write_bytes(lab.logs / "lab.json", json.dumps(request, indent=2).encode())
        write_state(lab.logs, state)
    return lab


def find_lab(name: str, workspace: Workspace) -> Lab:
    """Raises RunError when there is none of that name."""
    if not NAME.fullmatch(name) or not (workspace.train_logs / name / "lab.json").is_file():
        raise RunError("There is no lab '{name}' in {folder}.", name=name, folder=workspace.train_logs)
    return Lab(name, workspace)


def list_labs(workspace: Workspace) -> list[Lab]:
    """Every lab, newest first."""
    files = [p for p in workspace.train_logs.glob("*/lab.json") if NAME.fullmatch(p.parent.name)]
    return [Lab(p.parent.name, workspace) for p in sorted(files, key=lambda p: -p.stat().st_mtime)]


def delete_lab(lab: Lab) -> None:
    """Remove a lab with its runs. Raises RunError while it runs."""
    if lab.is_active():
        raise RunError("{name} is still running: stop it first.", name=lab.name)
    for init in lab.inits:
        delete_run(lab.run(init))
    with locked(lab.workspace):
        hidden = move_to_trash(lab.logs)
    shutil.rmtree(hidden, ignore_errors=True)


def work(lab: Lab, *, loggers: Sequence[Logger] = ()) -> dict[str, events.Event]:
    """Be the lab's process: look at every layer, then train each initialisation. Returns each one's last event.

    A run that fails is a result as well: the next one follows. Raises RunError when somebody else works on the lab.
    """
    lab.mark_running()
    remove_leftovers(lab.logs)
    try:
        ended, state = _work(lab, loggers)
        finish(lab, state)
        return ended
    except ImgclsError as error:
        finish(lab, "failed", message=error.message)
    except Exception as error:
        finish(lab, "failed", message=failure(error).message)
    return {}


def _work(lab: Lab, loggers: Sequence[Logger]) -> tuple[dict[str, events.Event], str]:
    from imgcls.training.layer_statistics import layer_statistics

    settings, ended, rows_of_init = lab.settings, {}, {}
    for init in lab.inits:
        if lab.stop_requested():
            return ended, "stopped"
        rows_of_init[init] = [
            asdict(row) for row in layer_statistics(settings.model_copy(update={"init": init}), lab.workspace)
        ]
        write_bytes(lab.logs / "statistics.json", json.dumps(rows_of_init).encode())
    for init in lab.inits:
        run_settings = settings.model_copy(update={"init": init, "name": lab.run(init).name})
        lab_run = create_run(run_settings, lab.workspace, lab=lab.name)
        if lab.stop_requested():  # asked while this run was being made: it could not be told
            lab_run.stop()
        ended[init] = work_run(lab_run, loggers=loggers)
        if isinstance(ended[init], events.Stopped):
            return ended, "stopped"
    return ended, "finished"


def _read(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
