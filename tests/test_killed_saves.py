"""A run that is killed at any moment of a save goes on to the very same weights."""

import os
import shutil

import pytest
import torch
from faults import failing_disk

from imgcls.checkpoints.format import load_checkpoint
from imgcls.recipes import with_recipe
from imgcls.training.trainer import train

SMALL = {
    "dataset": "few-digits",
    "train_images": 96, "val_split": 32, "epochs": 2, "batch_size": 32, "device": "cpu", "threads": 1, "lr": 0.02,
    "keep_epochs": False,
}  # fmt: skip
KILLED = 77
pytestmark = pytest.mark.usefixtures("few_digits")


def killed_at(at, workspace):
    """Train in a process that ends without a word before the `at`-th thing that it asks of the disk."""
    child = os.fork()
    if not child:
        try:
            with failing_disk(workspace.checkpoints, at, 0) as disk:
                disk.fail = lambda what, path: os._exit(KILLED)
                list(train(with_recipe(SMALL), workspace=workspace, run="r"))
            os._exit(0)
        finally:
            os._exit(1)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def weights(workspace, run):
    return load_checkpoint(workspace.checkpoints / run / "last.safetensors")[0].state_dict()


def test_killed_at_every_file_boundary(workspace):
    with failing_disk(workspace.checkpoints, 0, 0) as disk:
        list(train(with_recipe(SMALL), workspace=workspace, run="whole"))
    whole, resumed = weights(workspace, "whole"), 0
    for at in range(1, disk.count + 1):
        shutil.rmtree(workspace.checkpoints / "r", ignore_errors=True)
        if (code := killed_at(at, workspace)) == 0:
            break  # how often a run saves depends on how long saving takes
        assert code == KILLED
        go_on = (workspace.checkpoints / "r" / "resume.safetensors").is_file()
        resumed += go_on
        list(train(with_recipe(SMALL), workspace=workspace, run="r", resume=go_on))
        made = weights(workspace, "r")
        assert all(torch.equal(made[name], whole[name]) for name in whole), at
    assert at > 8 and resumed
