"""Weights kept at every epoch: written while a small network learns, bounded, refused where they are not its own."""

import pytest
import torch
from safetensors.torch import load, load_file

from imgcls.checkpoints import epochs
from imgcls.checkpoints.epochs import MAX_EPOCHS, epochs_of, keep_epoch, read_epoch, small_enough
from imgcls.errors import CheckpointError
from imgcls.recipes import with_recipe
from imgcls.training.trainer import train
from imgcls.web.classify.browser_weights import epochs_bytes


def state(value=1.0):
    return {"fc.weight": torch.full((2, 3), value), "steps": torch.tensor(3)}


def shapes(of):
    return {name: tuple(tensor.shape) for name, tensor in of.items()}


def test_what_is_kept_comes_back(tmp_path):
    keep_epoch(tmp_path, 0, state(0.5))
    keep_epoch(tmp_path, 1, state(1.5))
    assert epochs_of(tmp_path) == [0, 1]
    assert read_epoch(tmp_path, 1, shapes(state()))["fc.weight"].float().tolist() == [[1.5] * 3] * 2


def test_a_long_run_keeps_a_bounded_number_the_first_and_the_last_among_them(tmp_path):
    for epoch in range(200):
        keep_epoch(tmp_path, epoch, state(epoch))
        kept = epochs_of(tmp_path)
        assert len(kept) <= MAX_EPOCHS and kept[0] == 0 and kept[-1] == epoch
    assert len(kept) >= MAX_EPOCHS // 2


def test_other_files_and_other_networks_are_not_taken(tmp_path):
    keep_epoch(tmp_path, 3, state())
    (tmp_path / epochs.FOLDER / "note.txt").write_text("mine")
    (tmp_path / epochs.FOLDER / "0004.safetensors").write_bytes(b"cut off")
    assert epochs_of(tmp_path) == [3, 4]
    with pytest.raises(CheckpointError):
        read_epoch(tmp_path, 4, shapes(state()))
    with pytest.raises(CheckpointError, match="this run's network"):
        read_epoch(tmp_path, 3, {"fc.weight": (2, 4)})


def test_large_networks_are_not_kept():
    assert small_enough({"w": torch.zeros(249_999)}) and not small_enough({"w": torch.zeros(250_000)})


@pytest.mark.parametrize("keep", [True, False])
def test_training_keeps_them(workspace, keep):
    settings = with_recipe(
        {"train_images": 600, "val_split": 300, "epochs": 2, "threads": 1, "device": "cpu", "keep_epochs": keep}
    )
    list(train(settings, workspace=workspace, run="r"))
    folder = workspace.checkpoints / "r"
    assert epochs_of(folder) == ([0, 1, 2] if keep else [])
    if keep:
        last = load_file(folder / "last.safetensors")
        assert all(torch.equal(t, last[name].half()) for name, t in read_epoch(folder, 2, shapes(last)).items())
        sent = load(epochs_bytes(folder / "best.safetensors"))
        assert torch.equal(sent["2/fc3.bias"], last["fc3.bias"].half()) and "0/conv1.weight" in sent
