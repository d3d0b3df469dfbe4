"""Every row of the course, end to end on small data: network x data x transfer, and the checkpoint reads a photo."""

import numpy as np
import pytest
import torch
import torchvision
from photos import COLOURS, flowers, photo

from imgcls.data.readers import CIFAR_ROW
from imgcls.data.registry import CIFAR_FILES
from imgcls.inference.predictor import Predictor
from imgcls.models import transfer
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.estimate import estimate
from imgcls.training.trainer import train

ROWS = [
    ("lenet", "scratch", {"image_size": 32, "epochs": 10, "lr": 0.02}),
    ("alexnet", "scratch", {"image_size": 64, "epochs": 1}),
    ("resnet18", "scratch", {"image_size": 32, "epochs": 4}),
    ("resnet18", "head", {"image_size": 32, "epochs": 10, "augment": "flip"}),
    (
        "resnet18",
        "finetune",
        {"image_size": 32, "epochs": 6, "unfreeze_epochs": 1, "lr": 2e-3, "backbone_lr_factor": 0.5},
    ),
]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    from imgcls.workspace import Workspace

    made = Workspace(tmp_path_factory.mktemp("rows"))
    flowers(made.data / "flowers", each=20)
    made.weight.mkdir()
    torch.manual_seed(0)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), made.weight / "own.pth")
    return made


@pytest.mark.parametrize(("model", "mode", "said"), ROWS, ids=lambda v: v if isinstance(v, str) else "")
def test_ones_own_photos(lab, model, mode, said):
    weights = {"weights": "own.pth"} if mode != "scratch" else {}
    settings = with_recipe(
        {"dataset": "flowers", "model": model, "transfer": mode, "batch_size": 16, "device": "cpu", **weights, **said}
    )
    run = f"{model}-{mode}"
    made = list(train(settings, workspace=lab, run=run))
    started, last = made[0] if isinstance(made[0], events.Started) else made[1], made[-1]
    assert isinstance(last, events.Finished) and started.images == {"train": 48, "val": 12}
    planned = estimate(settings, lab, timed=False)
    if mode != "finetune":  # unfreezing begins with the head alone
        assert planned.trainable == started.trainable
    assert planned.parameters == started.parameters and planned.images == 48
    predictor = Predictor.load(lab.checkpoints / run / "best.safetensors")
    assert predictor.meta.classes == tuple(sorted(COLOURS))
    answer = predictor([photo("rose", 999)])[0]
    assert answer.model_input.shape == (settings.image_size, settings.image_size, 3)
    if model != "alexnet":  # which learns nothing in one epoch over 48 photos
        assert last.best_val_accuracy >= 0.5, (model, mode)  # a guess is right in a third of the cases


def test_sgd_too_unfreezes_stage_by_stage(lab):
    """Momenta of the later stages begin later."""
    settings = with_recipe(
        {"dataset": "flowers", "model": "resnet18", "transfer": "finetune", "weights": "own.pth", "image_size": 32,
         "epochs": 3, "unfreeze_epochs": 1, "optimizer": "sgd", "device": "cpu", "threads": 1}
    )  # fmt: skip
    assert isinstance(list(train(settings, workspace=lab, run="sgd"))[-1], events.Finished)


def test_head_only_leaves_the_backbone_as_the_file_has_it(lab):
    from safetensors.torch import load_file

    settings = with_recipe(
        {"dataset": "flowers", "model": "resnet18", "transfer": "head", "weights": "own.pth", "image_size": 32,
         "epochs": 1, "device": "cpu"}
    )  # fmt: skip
    list(train(settings, workspace=lab, run="bits"))
    made, file = load_file(lab.checkpoints / "bits" / "last.safetensors"), torch.load(lab.weight / "own.pth")
    assert all(torch.equal(made[k], file[k]) for k in file if not k.startswith("fc.") and "num_batches" not in k)


@pytest.mark.parametrize("in_memory", [True, False])
def test_cached_features_are_the_network_s_own(lab, monkeypatch, in_memory):
    """With the cache and without it, in memory or in a mapped file: the same features."""
    from imgcls.data import feature_cache
    from imgcls.training.device import choose_device
    from imgcls.training.learner import make_learner
    from imgcls.training.loading import load_run_data

    settings = with_recipe(
        {"dataset": "flowers", "model": "resnet18", "transfer": "head", "weights": "own.pth", "image_size": 32,
         "augment": "none", "device": "cpu", "threads": 1}
    )  # fmt: skip
    place = choose_device(settings)
    made = make_learner(settings, load_run_data(settings, lab), lab, place)
    plain, backbone = made.batches, transfer.split_backbone(made.model)[0]
    file = lab.root / "features"
    if not in_memory:
        monkeypatch.setattr(feature_cache, "IN_MEMORY", 0)
    for _ in made.cache_features(file=file):
        pass
    kept = made.kept_features()  # of the images as they are, in their order
    assert {part: len(kept[part]) for part in kept} == {"train": 48, "val": 12}
    with torch.inference_mode():
        first = made.data.preprocess.to_input(made.data.val.images[:4])
        torch.testing.assert_close(kept["val"][:4], backbone(first), rtol=1e-4, atol=1e-5)
    assert file.is_file() is not in_memory
    file.unlink(missing_ok=True)
    made.begin_epoch(0)
    for (features, labels), (images, wanted) in zip(made.batches.epoch(3), plain.epoch(3), strict=True):
        assert torch.equal(labels, wanted)
        with torch.inference_mode():
            torch.testing.assert_close(features, backbone(images), rtol=1e-4, atol=1e-5)


def test_features_that_the_disk_has_no_room_for_are_a_sentence(lab, monkeypatch):
    """Asked for before anything is computed: a disk found full at a mapped page would kill the process."""
    from test_full_disk import full

    from imgcls.data import feature_cache
    from imgcls.errors import StorageError
    from imgcls.training.trainer import train

    settings = with_recipe(
        {"dataset": "flowers", "model": "resnet18", "transfer": "head", "weights": "own.pth", "image_size": 32,
         "augment": "flip", "augment_views": 4, "device": "cpu"}
    )  # fmt: skip
    monkeypatch.setattr(feature_cache, "IN_MEMORY", 0)
    with full(), pytest.raises(StorageError, match="features.f32 could not be written .*: free some space"):
        list(train(settings, workspace=lab, run="no-room"))
    assert not (lab.checkpoints / "no-room" / "features.f32").exists()


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """The binary form with random labels and, for each label, a grey of its own."""
    from imgcls.workspace import Workspace

    made = Workspace(tmp_path_factory.mktemp("cifar"))
    folder = made.data / "cifar-10-batches-bin"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in [name for names in CIFAR_FILES.values() for name in names]:
        rows = np.empty((10_000, CIFAR_ROW), np.uint8)
        rows[:, 0] = random.integers(0, 10, 10_000)
        rows[:, 1:] = rows[:, :1] * 25
        rows.tofile(folder / name)
    return made


@pytest.mark.parametrize(
    ("model", "size", "augment"),
    [("lenet", 32, "crop-flip"), ("alexnet", 64, "resized-crop"), ("resnet18", 40, "resized-crop")],
)
def test_cifar10(cifar, model, size, augment):
    settings = with_recipe(
        {"dataset": "cifar10", "model": model, "image_size": size, "augment": augment, "train_images": 128,
         "val_split": 64, "batch_size": 64, "epochs": 1, "device": "cpu"}
    )  # fmt: skip
    said = []
    for event in train(settings, workspace=cifar, run=f"cifar-{model}"):
        said.append(event)
        if isinstance(event, events.Saved) and event.kind == "best":
            break  # the 10,000 test images would take longer than all the rest
    assert said[0].sample.shape[1:] == (3, size, size) and len(said[0].classes) == 10
    assert Predictor.load(cifar.checkpoints / f"cifar-{model}" / "best.safetensors").meta.preprocess.size == size


@pytest.mark.parametrize(("model", "size"), [("alexnet", 64), ("resnet18", 32)])
def test_digits_enlarged_for_the_large_networks(workspace, model, size):
    settings = with_recipe(
        {"dataset": "mnist", "model": model, "image_size": size, "train_images": 64, "val_split": 32, "epochs": 1,
         "batch_size": 32, "device": "cpu"}
    )  # fmt: skip
    for event in train(settings, workspace=workspace, run="digits"):
        if isinstance(event, events.Started):
            assert event.sample.shape[1:] == (1, size, size)
        if isinstance(event, events.Saved) and event.kind == "best":
            break
    assert Predictor.load(workspace.checkpoints / "digits" / "best.safetensors").meta.preprocess.channels == 1
