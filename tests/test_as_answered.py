"""What a head learns beside augmented views, and what a calibration knows, are photos as the network is asked about
them: the evaluation crop, never the squeezed square that random crops are taken from."""

import pytest
import torch
import torchvision
from photos import photo

from imgcls.data import decode_cache
from imgcls.data.datasets import as_answered
from imgcls.data.manifest import Manifest, manifest_file
from imgcls.imaging.image_io import open_image
from imgcls.inference.predictor import Predictor
from imgcls.recipes import with_recipe
from imgcls.training.loading import load_run_data
from imgcls.training.trainer import train


@pytest.fixture
def wide(workspace):
    """Photos of 16:9, of which a square is far from the middle's crop."""
    for c, name in enumerate(("daisy", "rose")):
        (workspace.data / "wide" / name).mkdir(parents=True)
        for i in range(20):
            photo(name, 100 * c + i, size=(128, 72)).save(workspace.data / "wide" / name / f"{i:02d}.png")
    workspace.weight.mkdir()
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), workspace.weight / "own.pth")
    return workspace


def said(**values):
    plain = {"dataset": "wide", "model": "resnet18", "image_size": 32, "epochs": 1, "device": "cpu", "threads": 1}
    return with_recipe({**plain, "batch_size": 8, "val_split": 0.25, **values})


@pytest.mark.parametrize("augment", ["resized-crop", "photo"])
@pytest.mark.parametrize("transfer", ["head", "scratch"])
def test_every_training_photo_is_its_own_nearest_neighbour(wide, augment, transfer):
    weights = {"transfer": transfer, **({"weights": "own.pth"} if transfer != "scratch" else {"lr": 1e-4})}
    assert list(train(said(augment=augment, augment_views=2, **weights), workspace=wide, run="r"))
    predictor = Predictor.load(wide.checkpoints / "r" / "best.safetensors")
    form, learnt = predictor.meta.preprocess, Manifest.read(manifest_file("r", wide)).splits["train"].paths
    stored = torch.stack([form.to_stored(open_image(wide.data / "wide" / path)) for path in learnt])
    with torch.inference_mode():
        _, activations = predictor.run(form.to_input(stored))
    nearest = [names[0] for names in predictor.calibration.nearest(activations, 1)]
    assert nearest == list(learnt)


def test_in_memory_mapped_or_streamed_it_is_the_evaluation_crop(wide, monkeypatch):
    data = load_run_data(said(augment="resized-crop"), wide)
    form = data.preprocess
    assert as_answered(data, data.val) is data.val  # that is kept so anyhow
    wanted = torch.stack([form.to_stored(open_image(path)) for path in data.train.paths])
    plain = as_answered(data, data.train)
    assert torch.equal(plain.images, wanted) and plain.aspects is None and torch.equal(plain.labels, data.train.labels)
    some = data.train.take(torch.tensor([3, 1, 3]))
    assert torch.equal(as_answered(data, some).images, wanted[[3, 1, 3]])
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    streamed = load_run_data(said(augment="resized-crop"), wide)
    ((images, _, labels),) = as_answered(streamed, streamed.train).read([torch.arange(len(wanted))])
    assert torch.equal(images, wanted) and torch.equal(labels, data.train.labels)
