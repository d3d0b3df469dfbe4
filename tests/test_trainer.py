"""The training loop on a small part of real MNIST: it learns, saves before it says so, stops, and goes on exactly."""

import itertools
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from imgcls.checkpoints.format import read_meta
from imgcls.errors import DatasetError, ImgclsError, RunError
from imgcls.optimizers import OPTIMIZERS
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.trainer import train

pytestmark = pytest.mark.usefixtures("few_digits")


def small(**values):
    """Seconds on one thread; one thread because sums of floats depend on their order."""
    plain = {
        "dataset": "few-digits",
        "train_images": 600,
        "val_split": 300,
        "epochs": 2,
        "batch_size": 32,
        "threads": 1,
        "device": "cpu",
    }
    return with_recipe({**plain, **values})


def run(settings, workspace, **options):
    return list(train(settings, workspace=workspace, run="r", **options))


def of(kind, made):
    return [event for event in made if isinstance(event, kind)]


def weights(workspace, kind="last"):
    return load_file(workspace.checkpoints / "r" / f"{kind}.safetensors")


def test_it_learns_and_says_so(workspace):
    made = run(small(dataset="mnist", train_images=3000, epochs=3), workspace)
    assert isinstance(made[0], events.Started) and isinstance(made[-1], events.Finished)
    assert made[0].images == {"train": 3000, "val": 300, "test": 10000}
    assert made[0].total_steps == 3 * made[0].steps_per_epoch
    assert [e.epoch for e in of(events.EpochEnded, made)] == [1, 2, 3]
    assert made[-1].test_accuracy > 0.85
    meta = read_meta(Path(made[-1].checkpoint))
    assert meta.metrics["test_accuracy"] == made[-1].test_accuracy
    assert meta.classes == tuple("0123456789") and meta.preprocess.size == 28


def test_epochs_shorter_than_the_interval_have_curves_too(workspace):
    made = run(small(train_images=64, epochs=60), workspace)
    assert len(of(events.Progress, made)) >= 60


def test_what_is_announced_as_saved_is_on_the_disk(workspace):
    for event in train(small(), workspace=workspace, run="r"):
        if isinstance(event, events.Saved):
            assert Path(event.path).is_file()
            if event.kind in ("best", "last"):
                assert read_meta(Path(event.path)).step == event.step
    assert not list((workspace.checkpoints / "r").glob("*.tmp")) and not list(
        (workspace.checkpoints / "r").glob("resume*")
    )


@pytest.mark.parametrize("after", [7, 25])
def test_a_stopped_run_goes_on_as_if_it_had_never_stopped(workspace, after):
    settings = small(augment="crop-flip", optimizer="sgd", schedule="cosine")
    whole = run(settings, workspace)
    wanted = weights(workspace), [e.val_loss for e in of(events.EpochEnded, whole)]

    steps = 0

    def enough():
        nonlocal steps
        steps += 1
        return steps >= after

    first = run(settings, workspace, should_stop=enough)
    assert isinstance(first[-1], events.Stopped) and first[-1].step == after
    second = run(settings, workspace, resume=True)
    assert second[0].first_step == after and isinstance(second[-1], events.Finished)
    made = weights(workspace), [e.val_loss for e in of(events.EpochEnded, first + second)]
    assert made[1] == wanted[1]
    assert all(torch.equal(made[0][name], wanted[0][name]) for name in wanted[0])
    train_losses = [e.train_loss for e in of(events.EpochEnded, first + second)]
    assert train_losses == pytest.approx([e.train_loss for e in of(events.EpochEnded, whole)], rel=1e-6)


def test_the_same_seed_gives_the_same_network_and_another_does_not(workspace):
    run(small(epochs=1), workspace)
    first = weights(workspace)
    run(small(epochs=1), workspace)
    again = weights(workspace)
    run(small(epochs=1, seed=2), workspace)
    other = weights(workspace)
    assert all(torch.equal(first[k], again[k]) for k in first)
    assert not all(torch.equal(first[k], other[k]) for k in first)


def test_a_loss_that_explodes_is_one_sentence(workspace):
    with pytest.raises(RunError, match="too high: try 10"):
        run(small(optimizer="sgd", lr=100, schedule="constant"), workspace)


def test_the_time_limit_saves_and_finishes(workspace):
    made = run(small(train_images=6000, epochs=100, time_limit=0.02), workspace)
    assert made[-1].reason == "time_limit" and made[-1].epochs < 100
    assert Path(made[-1].checkpoint).is_file()


@pytest.mark.parametrize(
    "ends", [{"train_images": 6000, "epochs": 100, "time_limit": 0.02}, {"patience": 1, "lr": 1e-15, "epochs": 40}]
)
def test_what_ended_a_run_does_not_end_it_at_once_where_it_is_told_to_go_on(workspace, ends):
    settings = small(schedule="constant", **ends)
    first, more = run(settings, workspace), run(settings, workspace, resume=True)
    assert first[-1].reason == more[-1].reason != "done"
    assert of(events.Progress, more)[-1].step > of(events.Progress, first)[-1].step + 3


def test_patience_ends_a_run_that_no_longer_gets_better(workspace):
    made = run(small(epochs=40, patience=1, lr=1e-15, schedule="constant"), workspace)
    assert made[-1].reason == "patience" and made[-1].epochs < 40


def test_a_split_that_leaves_nothing_is_refused(workspace):
    with pytest.raises(DatasetError, match="val_split"):
        run(small(val_split=60000), workspace)


def test_a_set_that_is_not_there_names_those_that_are(workspace):
    with pytest.raises(ImgclsError, match="mnist"):
        run(small(dataset="cats"), workspace)


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one-cycle"])
@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
def test_every_optimizer_and_schedule(workspace, optimizer, schedule):
    made = run(
        small(train_images=64, val_split=32, epochs=3, optimizer=optimizer, schedule=schedule, step_epochs=1,
              warmup_epochs=1, lr=1e-3),
        workspace,
    )  # fmt: skip
    rates = [e.lr for e in of(events.EpochEnded, made)]
    assert rates[0] == pytest.approx(1e-3)
    assert (rates[-1] < rates[0]) == (schedule != "constant")


def test_the_shown_loss_is_the_one_that_validation_has(workspace):
    """The network learns with smoothed labels; what is shown compares with the validation loss."""
    losses = []
    for smoothing in (0.0, 0.5):
        made = run(small(train_images=64, batch_size=64, epochs=1, label_smoothing=smoothing), workspace)
        losses.append(of(events.Progress, made)[0].loss)  # of the first step: the same weights
    assert losses[0] == losses[1]


def test_the_sample_is_what_the_network_gets_first(workspace):
    from imgcls.data.loader import Batches
    from imgcls.training.loading import load_run_data

    settings = small(augment="crop-flip")
    data = load_run_data(settings, workspace)
    batches = Batches(
        data.train, data.preprocess, batch_size=32, augment="crop-flip", seed=settings.seed, device=torch.device("cpu")
    )
    first, _ = next(iter(batches.epoch(0)))
    assert torch.equal(batches.sample(32), data.preprocess.picture(first))


def test_seconds_are_those_of_all_sittings_and_pauses_do_not_count(workspace):
    import time

    asked = iter([False] * 8)
    first = run(small(), workspace, should_stop=lambda: next(asked, True))
    time.sleep(1)  # nobody trains
    began = time.perf_counter()
    second = run(small(), workspace, resume=True)
    took = time.perf_counter() - began
    shown = [e.seconds for e in of(events.Progress, first + second)]
    assert shown == sorted(shown) and shown[-1] <= second[-1].seconds
    assert first[-1].seconds < second[-1].seconds < first[-1].seconds + took


def test_one_image_a_batch_and_batch_normalisation_are_refused_before_the_start(workspace):
    from imgcls.training.learner import check_batch_size

    with pytest.raises(ImgclsError, match="BatchNorm needs at least 2 images") as error:
        check_batch_size(small(model="resnet18", image_size=32, batch_size=1))
    assert error.value.field == "batch_size"
    check_batch_size(small(batch_size=1))  # LeNet has none
    check_batch_size(small(model="resnet18", image_size=64, batch_size=1))  # 2 x 2 values a channel


def test_the_time_limit_before_the_first_step_is_a_sentence_and_no_best_epoch(workspace):
    from photos import flowers

    flowers(workspace.data / "flowers", each=10)
    workspace.weight.mkdir()
    import torchvision

    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), workspace.weight / "own.pth")
    settings = with_recipe(
        {"dataset": "flowers", "model": "resnet18", "transfer": "head", "weights": "own.pth", "image_size": 32,
         "augment": "flip", "augment_views": 8, "time_limit": 1e-6, "device": "cpu"}
    )  # fmt: skip
    with pytest.raises(RunError, match="before the first step"):
        run(settings, workspace)


def test_what_a_gpu_still_has_to_do_counts_as_training(workspace, monkeypatch):
    """Steps are only asked for there; the sums are what is waited for."""
    import time

    from imgcls.training.meters import RunningMean

    take = RunningMean.take

    def late(self, context):
        time.sleep(0.5)
        return take(self, context)

    monkeypatch.setattr(RunningMean, "take", late)
    for event in train(small(train_images=64, epochs=2), workspace=workspace, run="r"):
        if isinstance(event, events.EpochEnded):
            assert event.seconds > 0.5 and event.images_per_second < 64 / 0.5


def test_saving_in_the_middle_of_an_epoch_slows_no_figure(workspace, monkeypatch):
    """images/s, and the time left that is made of it, are those of the steps alone."""
    import time

    from imgcls.training import checkpointing

    slept, save = [], checkpointing.save_resume_state

    def slow(*place, **what):
        save(*place, **what)
        time.sleep(0.3)
        slept.append(time.perf_counter())

    monkeypatch.setattr(checkpointing, "save_resume_state", slow)
    monkeypatch.setattr(checkpointing, "RESUME_EVERY", 0.15)
    settings, seen = small(train_images=2500, epochs=1, batch_size=8), []
    for event in train(settings, workspace=workspace, run="r"):
        if isinstance(event, events.Progress):
            seen.append((time.perf_counter(), event))
    assert len(slept) > 1
    for (before, first), (now, event) in itertools.pairwise(seen):
        gap = now - before - 0.3 * sum(before < when < now for when in slept)
        assert (event.step - first.step) * 8 / event.images_per_second < gap + 0.1
