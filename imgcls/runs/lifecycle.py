"""A run begins, or goes on: everything that can be said against it is said first, then its folders are claimed for a
process. No process is started here: `launcher.py` does.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from imgcls.data.catalog import folder_of
from imgcls.data.registry import is_builtin
from imgcls.errors import DatasetError, ImgclsError, RunError, SettingsError
from imgcls.files import remove_leftovers, storage_error, write_bytes
from imgcls.messages import Message, Setting
from imgcls.models.registry import REGISTRY, model_spec, network_options
from imgcls.processes import ProcessId
from imgcls.recipes import preprocess_for
from imgcls.runs.renaming import finish_all
from imgcls.runs.state import RunState, locked, read_state, write_state
from imgcls.runs.store import Run, made_at, name_in_use
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.workspace import Workspace


def remove_workspace_leftovers(workspace: Workspace) -> None:
    """Half-written files, half-unpacked uploads, half-deleted folders, and features of runs that nobody works on."""
    for folder in (workspace.data, workspace.weight, workspace.train_logs, workspace.checkpoints):
        remove_leftovers(folder)
    for folder in (*workspace.train_logs.glob("*/"), *workspace.checkpoints.glob("*/")):
        remove_leftovers(folder)
    with contextlib.suppress(ImgclsError):
        finish_all(workspace)
    for features in workspace.checkpoints.glob("*/features.f32"):
        state = read_state(workspace.train_logs / features.parent.name)
        if state is None or not state.is_active:
            with contextlib.suppress(OSError):
                features.unlink()


def check_run(settings: TrainSettings, workspace: Workspace) -> None:
    """All that can be said against a run before it is made: data, device, weights. Raises ImgclsError."""
    from imgcls.checkpoints.store import find_checkpoint
    from imgcls.data.catalog import check_dataset, own_folders
    from imgcls.models.pretrained import check_weights
    from imgcls.training.device import check_device
    from imgcls.training.learner import check_batch_size
    from imgcls.training.provenance import lineage_of

    size, options = preprocess_for(settings).size, network_options(settings)
    model_spec(settings.model).check(size, transfer=settings.transfer, options=options)
    check_dataset(settings, workspace)
    check_device(settings)
    check_batch_size(settings)
    if settings.start_from:
        run, _, kind = settings.start_from.partition("/")
        find_checkpoint(f"{run}/{kind or 'best'}", workspace)
        lineage_of(settings, workspace)
    if settings.corrections and settings.corrections not in own_folders(workspace):
        raise DatasetError(
            "There is no set of corrections {name} in {folder}.", name=settings.corrections, folder=workspace.data
        )
    if settings.weights and not settings.start_from:
        check_weights(settings.weights, model=settings.model, folder=workspace.weight)


def create_run(settings: TrainSettings, workspace: Workspace, *, lab: str = "") -> Run:
    """Check, then claim the run's folders for this process. On an error nothing is made."""
    check_run(settings, workspace)
    with locked(workspace):
        return claim_run(settings, workspace, RunState(process=ProcessId.current(), part_of=lab))


def claim_run(settings: TrainSettings, workspace: Workspace, state: RunState) -> Run:
    """Under the workspace's lock: a folder for the run, whole or not at all. Raises RunError or StorageError."""
    name = settings.name
    if name and name_in_use(name, workspace):
        raise RunError("A run called {name} is there already: choose another name.", name=name)
    if not name:
        default_name = settings.default_name()
        numbered = (default_name, *(f"{default_name}-{i}" for i in range(2, 1000)))
        name = next(n for n in numbered if not name_in_use(n, workspace))
    run = Run(name, workspace)
    with new_folder(run.logs):
        settings = settings.model_copy(update={"name": name})
        write_bytes(run.logs / "settings.json", settings.model_dump_json(indent=2).encode())
        run.events.touch()
        write_state(run.logs, state)
    return run


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """A new folder, removed again when what is put into it cannot be written: its name is then free for another try."""
    try:
        folder.mkdir(parents=True)
        try:
            yield
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise storage_error(folder, error) from None


def check_resumable(run: Run, *, longer: bool = False) -> RunState:
    """Its state. Raises RunError where a run cannot go on: it is going on, waiting, or has nothing to go on from.
    `longer`: with more epochs, which a finished one can have, too."""
    state = run.read_state() or RunState("stopped", created=made_at(run))
    if state.is_active:
        raise RunError("{name} is still running.", name=run.name)
    if state.state == "queued":
        raise RunError("{name} is waiting for its turn already.", name=run.name)
    ended = longer or state.state != "finished"
    if not (run.can_resume or (ended and run.can_train_longer)):
        if longer and state.state == "finished":
            raise RunError(
                "{name} has finished, and its state was too large to keep: start a new run from its weights ({flag} "
                "{name}).",
                name=run.name, flag=Setting("start_from"),
            )  # fmt: skip
        raise RunError(
            "{name} has nothing to go on from: it is finished, or ended before it first saved; start a new run.",
            name=run.name,
        )
    _check_rows(run)
    return state


def _check_rows(run: Run) -> None:
    """Raises RunError where its network or its data set is not known to this process."""
    settings = run.settings()
    if settings.model not in REGISTRY:
        raise run.unregistered("model", settings.model)
    if not is_builtin(settings.dataset):
        try:
            folder_of(settings.dataset, run.workspace)
        except DatasetError:
            raise run.unregistered("dataset", settings.dataset) from None


def with_epochs(run: Run, epochs: int | str) -> TrainSettings:
    """Its settings with another number of epochs, more than it has had. Raises SettingsError."""
    from imgcls.runs.reader import view

    settings = TrainSettings.checked(run.settings().model_dump() | {"epochs": epochs})
    done = max((epoch.epoch for epoch in view(run).epochs), default=0)
    if settings.epochs <= done:
        raise SettingsError(
            "{setting} is {value}, but {name} has trained {done} epochs already: choose a larger number.",
            setting=Setting("epochs"), value=settings.epochs, name=run.name, done=done, field="epochs",
        )  # fmt: skip
    return settings


def mark_resuming(run: Run, state: RunState, *, settings: TrainSettings | None = None) -> None:
    """Under the workspace's lock: a stopped run goes on, from now on with `settings`."""
    if settings is not None and settings != run.settings():
        path = run.logs / "settings.json"
        stat = path.stat()
        write_bytes(path, settings.model_dump_json(indent=2).encode())
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))  # its time is when the run was made
    (run.logs / "stop").unlink(missing_ok=True)
    run.append_event(events.Note(code="resuming", message=Message("going on from where it was saved")))
    write_state(run.logs, state)


def prepare_resume(run: Run, *, epochs: int | str | None = None) -> None:
    """This process goes on with a stopped or interrupted run; with `epochs` in all, with a finished one, too. Raises
    RunError where it cannot, and SettingsError."""
    settings = None if epochs is None else with_epochs(run, epochs)
    with locked(run.workspace):
        state = check_resumable(run, longer=settings is not None)
        mark_resuming(run, state.to("starting", process=ProcessId.current(), part_of=""), settings=settings)
