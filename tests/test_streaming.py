"""A folder too large for the cache is read while training, and gives the same batches as the cache does."""

import pytest
import torch
from photos import flowers

from imgcls.data import decode_cache
from imgcls.data.loader import Batches, evaluation_batches
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.loading import load_run_data
from imgcls.training.trainer import train


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers", each=14)


def both(workspace, monkeypatch, **said):
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "device": "cpu", **said})
    with monkeypatch.context() as small:
        small.setattr(decode_cache, "MAX_BYTES", 1000)
        streamed = load_run_data(settings, workspace)
    return settings, load_run_data(settings, workspace), streamed


@pytest.mark.parametrize("augment", ["none", "crop-flip", "resized-crop"])
def test_the_same_batches(own, workspace, monkeypatch, augment):
    settings, kept, streamed = both(workspace, monkeypatch, augment=augment)
    assert streamed.train.streams and not kept.train.streams
    assert any("read anew in every epoch" in str(note) for note in streamed.notes)

    def batches(data):
        return Batches(
            data.train, data.preprocess, batch_size=8, augment=augment, seed=3, device=torch.device("cpu")
        ).epoch(2, 1)

    for (a, la), (b, lb) in zip(batches(kept), batches(streamed), strict=True):
        assert torch.equal(a, b) and torch.equal(la, lb)
    cpu = torch.device("cpu")
    for (a, la), (b, lb) in zip(
        evaluation_batches(kept.val, kept.preprocess, batch_size=4, device=cpu),
        evaluation_batches(streamed.val, streamed.preprocess, batch_size=4, device=cpu),
        strict=True,
    ):
        assert torch.equal(a, b) and torch.equal(la, lb)


def test_a_broken_photo_neither_stops_nor_teaches(own, workspace, monkeypatch):
    for name in ("daisy", "rose"):
        (own / name / "00.jpg").write_bytes(b"no image")
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "epochs": 2, "batch_size": 8, "device": "cpu"})
    made = list(train(settings, workspace=workspace, run="r"))
    assert isinstance(made[-1], events.Finished)
    data = load_run_data(settings, workspace)
    batches = Batches(data.train, data.preprocess, batch_size=8, augment="none", seed=1, device=torch.device("cpu"))
    inputs = [x for x, _ in batches.epoch(0)]
    assert len(inputs) == batches.steps and not any(bool((x == -1).all(dim=(1, 2, 3)).any()) for x in inputs)
