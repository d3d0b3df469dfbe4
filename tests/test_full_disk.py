"""A disk that fills up while a run saves: what was last saved stays, the run goes on, and says so once."""

import contextlib
import re
import resource

import pytest

from imgcls.checkpoints.format import load_checkpoint
from imgcls.errors import StorageError
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.trainer import train

SMALL = {
    "train_images": 256, "val_split": 100, "epochs": 5, "batch_size": 64, "device": "cpu", "lr": 0.02,
    "schedule": "constant",
}  # fmt: skip


@contextlib.contextmanager
def full():
    """No file may be larger than 50 kB; a LeNet has 180."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def files(folder):
    """All but the epochs' own; of those, none that is half written."""
    found = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
    return sorted(name for name in found if not re.fullmatch(r"epochs/\d{4}\.safetensors", name))


def test_a_full_disk_pauses_saving_and_not_the_run(workspace):
    said = []
    with contextlib.ExitStack() as disk:
        for event in train(with_recipe(SMALL), workspace=workspace, run="r"):
            said.append(event)
            if isinstance(event, events.Started):
                disk.enter_context(full())
            if isinstance(event, events.Note) and event.code == "saving_paused":
                assert not [path for path in (workspace.checkpoints / "r").rglob("*") if path.is_file()]
                disk.close()
    told = [e.code if isinstance(e, events.Note) else e.kind for e in said if isinstance(e, events.Note | events.Saved)]
    assert told[:4] == ["saving_paused", "saving_again", "last", "best"]
    assert told.count("saving_paused") == told.count("saving_again") == 1
    assert isinstance(said[-1], events.Finished)
    folder = workspace.checkpoints / "r"
    assert load_checkpoint(folder / "best.safetensors")[1].epoch == said[-1].best_epoch
    assert files(folder) == ["best.safetensors", "ended.state", "last.safetensors"]


@pytest.mark.parametrize("stopped", [False, True])
def test_what_is_on_no_disk_at_the_end_is_not_called_saved(workspace, stopped):
    said = []
    with contextlib.ExitStack() as disk, pytest.raises(StorageError, match="free some space"):
        asked: list[bool] = []
        for event in train(with_recipe(SMALL), workspace=workspace, run="r", should_stop=lambda: bool(asked)):
            said.append(event)
            if isinstance(event, events.Saved) and event.kind == "resume":
                disk.enter_context(full())
            if stopped and isinstance(event, events.EpochEnded) and event.epoch == 3:
                asked.append(True)
    assert not isinstance(said[-1], events.ENDINGS)
    folder = workspace.checkpoints / "r"
    assert files(folder) == ["best.safetensors", "last.safetensors", "resume.safetensors"]
    load_checkpoint(folder / "best.safetensors")
    again = train(with_recipe(SMALL), workspace=workspace, run="r", resume=True)
    assert isinstance(list(again)[-1], events.Finished)


def test_a_calibration_that_cannot_be_saved_is_told(workspace):
    said = []
    with contextlib.ExitStack() as disk:
        for event in train(with_recipe(SMALL), workspace=workspace, run="r"):
            said.append(event)
            if isinstance(event, events.Saved) and event.kind == "last" and event.epoch == SMALL["epochs"]:
                disk.enter_context(full())
    (note,) = (e for e in said if isinstance(e, events.Note) and e.code == "calibration_lost")
    assert "imgcls calibrate r`" in str(note.message) and isinstance(said[-1], events.Finished)
    load_checkpoint(workspace.checkpoints / "r" / "best.safetensors")
