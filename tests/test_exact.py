"""Stopped and resumed, with default settings: the same bits as a run that never stopped."""

import json

import onnxruntime
import pytest
import torch
import torchvision
from photos import flowers, photo
from safetensors.torch import load_file, safe_open, save_file

from imgcls.data import decode_cache, feature_cache
from imgcls.errors import RunError
from imgcls.models import runtimes
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.head_first import fit
from imgcls.training.trainer import train

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]
STEPS = 3  # an epoch: 24 training photos, 8 at a time
RUNS = {
    "lenet, sgd": {"model": "lenet", "augment": "crop-flip", "optimizer": "sgd"},
    "lenet, nadam": {"model": "lenet", "augment": "shift,erase", "optimizer": "nadam"},
    "lenet, rmsprop": {"model": "lenet", "augment": "trivial", "optimizer": "rmsprop", "balance": "sampling"},
    "lenet, adadelta": {"model": "lenet", "augment": "none", "optimizer": "adadelta", "balance": "weights"},
    "mobilenet, dropout": {"model": "mobilenet_v3_small", "augment": "flip"},
    "resnet18, BatchNorm, adamw": {"model": "resnet18", "label_smoothing": 0.1},
    "mobilenet, averaged": {
        "model": "mobilenet_v3_small",
        "augment": "crop-flip,mixup,cutmix",
        "ema": 0.9,
        "clip_norm": 1.0,
        "accumulate": 3,
    },
    "fine-tuned": {
        "model": "mobilenet_v3_small",
        "transfer": "finetune",
        "weights": "own.pth",
        "augment": "flip",
        "ema": 0.9,
    },
    "head only": {
        "model": "resnet18",
        "transfer": "head",
        "weights": "own.pth",
        "augment": "flip",
        "augment_views": 2,
        "ema": 0.9,
    },
}


@pytest.fixture
def lab(workspace):
    flowers(workspace.data / "flowers", each=10)
    workspace.weight.mkdir()
    return workspace


def settings(lab, **said):
    if "weights" in said:
        torch.manual_seed(0)
        network = torchvision.models.get_model(said["model"], num_classes=10)
        torch.save(network.state_dict(), lab.weight / said["weights"])
    plain = {"dataset": "flowers", "image_size": 32, "epochs": 2, "batch_size": 8, "device": "cpu"}
    return with_recipe({**plain, **said})


def run(chosen, lab, name, *, after=None, resume=False):
    """`after`: steps, after which it is stopped."""
    steps = None

    def should_stop():
        nonlocal steps
        steps = None if steps is None else steps + 1
        return after is not None and steps is not None and steps >= after

    made = []
    for event in train(chosen, workspace=lab, run=name, should_stop=should_stop, resume=resume):
        made.append(event)
        cached = isinstance(event, events.Note) and event.code in ("cached_features", "head_first")
        ready = events.ThreadsChosen if chosen.device == "cpu" else events.Started  # a GPU has no threads to choose
        begins = chosen.transfer == "scratch" or (chosen.transfer == "finetune" and resume)
        if cached or (begins and isinstance(event, ready)):
            steps = 0  # the next time it is asked is after the first step
    assert after is None or isinstance(made[-1], events.Stopped)
    return made


def of(kind, made):
    return next(event for event in made if isinstance(event, kind))


def weights(lab, name):
    return load_file(lab.checkpoints / name / "last.safetensors")


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stopped_and_resumed(lab, chosen, *stops):
    """(its last weights, those of a run that never stopped with the threads that it chose). `stops`: steps of an epoch
    of STEPS, in their order."""
    parts = []
    for before, stop in zip((0, *stops), stops, strict=False):
        parts.append(run(chosen, lab, "parts", after=stop - before, resume=before > 0))
        assert parts[-1][-1].step == stop
    parts.append(run(chosen, lab, "parts", resume=True))
    first, *again = parts
    assert isinstance(again[-1][-1], events.Finished)
    if chosen.device == "cpu":
        threads = of(events.ThreadsChosen, first).threads
        for made in again:
            assert of(events.ThreadsChosen, made).threads == threads and of(events.ThreadsChosen, made).rates == {}
            assert of(events.ThreadsChosen, made).exact_until is None
        chosen = chosen.model_copy(update={"threads": threads})
    whole = run(chosen, lab, "whole")
    ended = [(e.val_loss, e.val_accuracy) for made in parts for e in made if isinstance(e, events.EpochEnded)]
    assert ended == [(e.val_loss, e.val_accuracy) for e in whole if isinstance(e, events.EpochEnded)]
    return weights(lab, "parts"), weights(lab, "whole")


@pytest.mark.parametrize("which", RUNS)
@pytest.mark.parametrize("device", DEVICES)
def test_a_run_stopped_within_an_epoch_and_at_its_end_ends_with_the_same_bits(lab, which, device):
    assert same(*stopped_and_resumed(lab, settings(lab, device=device, **RUNS[which]), STEPS - 1, STEPS))


@pytest.fixture
def another_program(monkeypatch):
    """Whatever runs a frozen backbone in PyTorch's place is taken, however few images and however slow; its name."""
    monkeypatch.setattr(runtimes, "WORTH", 0)
    monkeypatch.setattr(runtimes, "_rate", lambda run, sample: 2.0 if isinstance(run, runtimes.Elsewhere) else 1.0)
    monkeypatch.setattr(runtimes, "PROGRAMS", runtimes.PROGRAMS[:1])
    return f"ONNX Runtime {onnxruntime.__version__}"


def ran_on(made):
    return [event.message for event in made if isinstance(event, events.Note) and event.code == "runtime"]


def test_a_head_on_another_programs_features_ends_with_the_same_bits_stopped_or_not(lab, another_program):
    chosen = settings(lab, **RUNS["head only"])
    assert same(*stopped_and_resumed(lab, chosen, STEPS - 1, STEPS))
    with safe_open(lab.checkpoints / "parts" / "best.safetensors", framework="pt") as file:
        written = json.dumps(file.metadata())
    assert "ONNX Runtime" in written


def test_a_head_goes_on_with_the_program_that_it_began_with(lab, another_program, monkeypatch):
    chosen = settings(lab, **RUNS["head only"])
    (message,) = ran_on(run(chosen, lab, "r", after=2))
    assert another_program in str(message)
    monkeypatch.setattr(runtimes, "WORTH", 1e18)  # by itself it would not ask for it now
    made = run(chosen, lab, "r", after=2, resume=True)
    assert ran_on(made) == [] and of(events.ThreadsChosen, made).exact_until is None
    monkeypatch.setattr(runtimes, "PROGRAMS", ())
    (message,) = ran_on(run(chosen, lab, "r", resume=True))
    assert another_program in str(message) and "from step 4 on" in str(message)


def test_streamed_photos_draw_nothing_that_dropout_draws_from(lab, monkeypatch):
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    assert same(*stopped_and_resumed(lab, settings(lab, model="mobilenet_v3_small", augment="resized-crop"), STEPS + 1))


def test_the_same_seed_and_threads_give_the_same_bits(lab):
    chosen = settings(lab, model="lenet", threads=2, epochs=1)
    run(chosen, lab, "a"), run(chosen, lab, "b")
    assert same(weights(lab, "a"), weights(lab, "b"))


def test_choosing_threads_changes_nothing(lab):
    """With the choice and without it: dropout, running statistics and momenta are as they would have been."""
    chosen = settings(lab, model="mobilenet_v3_small", optimizer="adamw", epochs=1)
    threads = of(events.ThreadsChosen, run(chosen, lab, "measured")).threads
    run(chosen.model_copy(update={"threads": threads}), lab, "fixed")
    assert same(weights(lab, "measured"), weights(lab, "fixed"))


def test_a_data_set_that_changed_is_not_resumed(lab):
    chosen = settings(lab, model="lenet")
    run(chosen, lab, "r", after=2)
    photo("rose", 999).save(lab.data / "flowers" / "rose" / "new.jpg")
    with pytest.raises(RunError, match="images of flowers are not those that r began with"):
        run(chosen, lab, "r", resume=True)
    assert (lab.checkpoints / "r" / "resume.safetensors").is_file()


def test_a_resume_state_of_an_earlier_version_is_still_read(lab):
    """It had fewer keys, random states without a rank, and threads that changed on the way."""
    chosen = settings(lab, model="lenet")
    run(chosen, lab, "r", after=2)
    path = lab.checkpoints / "r" / "resume.safetensors"
    with safe_open(path, framework="pt") as file:
        written = json.loads(file.metadata()["imgcls-resume"])
        tensors = {name.replace("random/0/", "random/"): file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    kept = ("step", "seconds", "best_epoch", "best", "bad_epochs", "epoch_sums")
    old = {"position": {key: written["position"][key] for key in kept}, "optimizer": written["optimizer"]}
    save_file(tensors, path, {"imgcls-resume": json.dumps(old)})
    made = run(chosen, lab, "r", resume=True)
    assert made[0].first_step == 2 and isinstance(made[-1], events.Finished)
    assert of(events.ThreadsChosen, made).exact_until == 0


def test_fine_tuning_begins_where_the_head_alone_ends(lab, monkeypatch):
    """A rate of next to nothing leaves all as the head was learnt; stopped while it learns, it learns it again."""

    def code(event):
        return event.code if isinstance(event, events.Note) else ""

    passing = "caching_features"
    chosen = settings(
        lab, model="resnet18", transfer="finetune", weights="own.pth", augment="none", epochs=1, threads=1, lr=1e-12,
        warmup_epochs=0,
    )  # fmt: skip
    monkeypatch.setattr(feature_cache, "BATCH", 8)  # so that it can be stopped between two batches
    stopped = []
    for event in train(chosen, workspace=lab, run="stopped", should_stop=lambda: passing in map(code, stopped)):
        stopped.append(event)
    assert isinstance(stopped[-1], events.Stopped) and stopped[-1].step == 0
    assert "head_first" not in map(code, stopped)
    again = list(train(chosen, workspace=lab, run="stopped", resume=True))
    whole = list(train(chosen, workspace=lab, run="whole"))
    for made in (again, whole):
        (note,) = [event for event in made if isinstance(event, events.Note) and event.code == "head_first"]
        assert note.message and note.message.values["accuracy"] and of(events.Finished, made)
    heads = [load_file(lab.checkpoints / name / "last.safetensors")["fc.weight"] for name in ("stopped", "whole")]
    assert torch.equal(*heads) and heads[0].abs().max() > 0
    assert heads[0].sum(dim=0).abs().max() < 1e-4  # learnt from 0 with decay, not drawn


def test_a_head_fitted_at_once_separates_what_a_plane_separates():
    torch.manual_seed(0)
    labels = torch.arange(60) % 3
    features = 50 + 7 * (torch.eye(3)[labels].repeat(1, 4) + 0.1 * torch.randn(60, 12))  # of any size, off the origin
    head = torch.nn.Linear(12, 3)
    fit(head, features, labels, torch.nn.functional.cross_entropy)
    assert bool((head(features).argmax(dim=1) == labels).all())
