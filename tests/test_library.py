"""`import imgcls`: the public names, and what they do, on small real runs."""

import importlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from photos import flowers
from PIL import Image

import imgcls
from imgcls.errors import CheckpointError, DatasetError, DivergedError, InputError, RunError, SettingsError
from imgcls.library.nets import as_picture

PROJECT = Path(__file__).resolve().parent.parent
SMALL = {"epochs": 1, "train_images": 600, "val_split": 200, "batch_size": 32, "threads": 1, "device": "cpu"}
FACE = """
Audit AugmentationSpec Comparison CrossValidation DatasetInfo DatasetSpec Evaluation ImgclsError ModelSpec Net
OptimizerSpec Prediction RangeTest Run Sweep TrainSettings audit compare cross_validate datasets evaluate events find_lr
load models register_augmentation register_dataset register_model register_optimizer runs sweep train
""".split()


def train(**settings):
    return imgcls.train("mnist", **(SMALL | {"progress": False} | settings))


@pytest.fixture
def run(workspace):
    return train(name="first")


@pytest.fixture(scope="module")
def digits():
    """Some of MNIST's test images, uint8 (N, 28, 28), and their labels."""
    from imgcls.data.download import load_arrays
    from imgcls.workspace import Workspace

    images, labels = load_arrays("mnist", Workspace())["test"]
    return images[:70, 0], labels[:70]


def python(code, **environment):
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, cwd=PROJECT, env=os.environ | environment, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    return said.stdout.splitlines()[-1]


# The names.


def test_the_public_names_are_these():
    assert sorted(imgcls.__all__) == sorted(FACE)
    for name in FACE:
        public = getattr(imgcls, name)
        assert public.__doc__ and name in dir(imgcls)
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        imgcls.trian  # noqa: B018


def test_importing_it_imports_nothing_else():
    heavy = {"torch", "numpy", "PIL", "pydantic", "gradio", "jinja2", "rich"}
    assert python(f"import imgcls, sys; print(sorted({heavy} & set(sys.modules)))") == "[]"


@pytest.mark.parametrize("name", ["runs", "models", "audit"])
def test_a_function_of_a_packages_name_stays_one(name, workspace):
    """Importing a module of the package hides nothing, and the package's modules are reached as ever."""
    module = {"runs": "store", "models": "registry", "audit": "findings"}[name]
    inner = f"imgcls.{name}.{module}"
    code = f"import imgcls; import {inner} as m; print(callable(imgcls.{name}), m is {inner})"
    assert python(code) == "True True"
    code = f"import imgcls; first = imgcls.{name}; import {inner}; print(callable(first))"
    assert python(code) == "True"
    assert importlib.import_module(inner).__name__ == inner


# Training.


def test_a_run_is_a_run_like_any_other(run, workspace):
    assert (run.status, run.name) == (
        "finished",
        "first",
    ) and run.checkpoint == workspace.checkpoints / "first" / "best.safetensors"
    assert run.settings.model == "lenet" and [e.epoch for e in run.history] == [1]
    assert 0 < run.val_accuracy <= 1 and 0 < run.test_accuracy <= 1
    assert {"state.json", "events.jsonl", "settings.json"} <= {p.name for p in run.folder.iterdir()}
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", "runs", "--json"], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    listed = json.loads(said.stdout)
    assert [r["name"] for r in listed] == ["first"] and listed[0]["val_accuracy"] == run.val_accuracy
    assert [r.name for r in imgcls.runs()] == ["first"]


def test_events_are_streamed_and_typed(workspace):
    seen = [type(event).__name__ for event in train(stream=True)]
    assert seen[0] == "Started" and seen[-1] == "Finished" and {"Progress", "EpochEnded", "Saved"} <= set(seen)


def test_a_stream_nobody_takes_makes_no_run(workspace):
    train(stream=True)
    assert imgcls.runs() == []


def test_closing_the_stream_saves_and_the_run_goes_on(workspace):
    events = train(stream=True, epochs=3, name="closed")
    for event in events:
        if isinstance(event, imgcls.events.EpochEnded):
            break
    events.close()
    run = imgcls.Run("closed")
    assert run.status == "stopped" and len(run.history) == 1
    assert run.resume(progress=False).status == "finished" and [e.epoch for e in run.history] == [1, 2, 3]
    with pytest.raises(RunError):
        run.resume()


def test_an_interrupt_saves_and_stops(workspace):
    """Ctrl-C, or a notebook's interrupt, at any moment between two steps."""
    asked = False
    for event in train(stream=True, epochs=50, name="interrupted"):
        if isinstance(event, imgcls.events.Progress) and not asked:
            asked = True
            os.kill(os.getpid(), signal.SIGINT)
    run = imgcls.Run("interrupted")
    assert run.status == "stopped" and isinstance(event, imgcls.events.Stopped)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    run.delete()
    with pytest.raises(RunError, match="no run 'interrupted'"):
        run.status  # noqa: B018


def test_errors_are_the_terminals_sentences(workspace):
    with pytest.raises(SettingsError, match="^lr is -1, but must be a number above 0 and at most 100.$"):
        train(lr=-1)
    with pytest.raises(SettingsError, match="There is no setting 'learning_rate'"):
        train(learning_rate=0.1)
    with pytest.raises(SettingsError, match="There is no network 'lennet': choose lenet"):
        train(model="lennet")
    assert imgcls.runs() == []
    with pytest.raises(DivergedError, match="diverged at step"):
        train(lr=100, init="too-large", name="wild")
    assert imgcls.Run("wild").status == "failed"


def test_progress_goes_to_stderr_and_can_be_silent(workspace, capsys):
    train(progress=True)
    said = capsys.readouterr()
    assert "epoch 1 done" in said.err and said.out == ""
    train()
    assert capsys.readouterr() == ("", "")


# Networks.


def test_a_net_takes_whatever_an_image_can_be(workspace, digits, tmp_path):
    net = imgcls.load("lenet-digits")
    assert isinstance(net.model, torch.nn.Module) and not net.model.training and len(net.classes) == 10
    images, labels = digits
    pixels, label = images[0].numpy(), str(int(labels[0]))
    Image.fromarray(pixels).save(tmp_path / "digit.png")
    rgb = np.repeat(pixels[:, :, None], 3, axis=2)
    tensor = torch.from_numpy(pixels)
    forms = [
        tmp_path / "digit.png", str(tmp_path / "digit.png"), Image.fromarray(pixels), Image.fromarray(rgb), pixels,
        pixels[:, :, None], rgb, pixels / 255, tensor, tensor[None], tensor[None].float() / 255,
        tensor.expand(3, 28, 28),
    ]  # fmt: skip
    for form in forms:
        answer = net(form)
        assert answer.label == label and answer.top[0] == (label, answer.confidence) and answer.is_confident
        assert answer.model_input.shape == (28, 28)
    assert len(net(pixels, top=3).top) == 3


def test_a_list_goes_through_in_batches(workspace, digits):
    net = imgcls.load("lenet-digits")
    images, labels = digits
    answers = net(list(images))
    assert len(answers) == len(images)
    assert sum(a.label == str(int(label)) for a, label in zip(answers, labels, strict=True)) > 0.95 * len(images)
    assert [a.label for a in net(images[:, None])] == [a.label for a in answers]
    assert net([]) == []


@pytest.mark.parametrize(
    "wrong",
    [7, np.zeros((2, 3)).astype(int), np.zeros((5, 5, 2)), np.full((9, 9), 3.0), np.full((9, 9), np.nan), "nowhere.png",
     torch.zeros(9, 9, 3), np.zeros((0, 4), np.uint8), [None]],
)  # fmt: skip
def test_what_is_no_image_is_one_sentence(wrong, workspace):
    with pytest.raises(InputError) as error:
        imgcls.load("lenet-digits")(wrong)
    assert str(error.value).count(". ") == 0 and str(error.value).endswith(".")


def test_checkpoints_are_found_by_run_name_and_path(run):
    for named in (run, "first", "first/last", run.checkpoint, str(run.checkpoint)):
        assert imgcls.load(named).name == "first"
    assert run.load().classes == tuple("0123456789")
    for wrong in (None, 5, [imgcls.load]):
        for asked in (imgcls.load, imgcls.evaluate, lambda one: imgcls.compare("lenet-mnist", one)):
            with pytest.raises(CheckpointError, match="A checkpoint is given as a run, by a run's name or by its file"):
                asked(wrong)
        with pytest.raises(DatasetError, match="A data set is given by its name or its folder, not as"):
            imgcls.train(wrong)
    with pytest.raises(CheckpointError, match="There is no checkpoint nothing"):
        imgcls.load("nothing")


# Measuring.


def test_evaluations_are_those_of_the_terminal(run):
    made = imgcls.evaluate(run)
    assert (made.dataset, made.split, made.images) == ("mnist", "test", 10_000)
    assert made.accuracy == run.test_accuracy and made.interval[0] < made.accuracy < made.interval[1]
    assert sum(map(sum, made.confusion)) == 10_000
    command = [sys.executable, "-m", "imgcls", "evaluate", "--checkpoint", "first", "--json"]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert json.loads(said.stdout)["accuracy"] == made.accuracy
    better = imgcls.compare(run, "lenet-digits")
    assert better.better == "lenet-digits" and "lenet-digits is better" in str(better)


def test_what_there_is(workspace, monkeypatch):
    flowers(workspace.data / "flowers")
    named = {d.name: d.is_here for d in imgcls.datasets()}
    assert named["mnist"] and not named["cifar10"] and named["flowers"]
    assert {"lenet", "resnet18", "vit_b_16"} <= {spec.name for spec in imgcls.models()}
    monkeypatch.chdir(workspace.data)
    found = imgcls.audit(Path("flowers"))  # a path of one part is a path
    assert found.images == sum(1 for _ in (workspace.data / "flowers").rglob("*.jpg"))


# In a notebook.


def test_results_show_themselves_and_are_escaped(run, workspace):
    from imgcls.library.nets import Prediction

    for shown in (
        run,
        imgcls.evaluate(run),
        imgcls.load(run)(np.zeros((28, 28), np.uint8) + np.eye(28, dtype=np.uint8) * 255),
    ):
        page = shown._repr_html_()
        assert page.startswith("<div") and "<script" not in page and "http" not in page
    assert run._repr_html_().count("<svg") == 2 and "best validation accuracy" in run._repr_html_()
    evil = Prediction("<b>", 0.5, (("<img src=x>", 0.5),), True, np.zeros((4, 4), np.uint8))
    assert "&lt;b&gt;" in evil._repr_html_() and "<img src=x>" not in evil._repr_html_()


# Networks, optimizers and augmentations of one's own.

PLUGIN = """
import imgcls, torch
from torch import nn


def build(channels, classes, image_size):
    return nn.Sequential(
        nn.Conv2d(channels, 4, 5, stride=2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(64, classes)
    )


def adagrad(groups, hyperparameters):
    return torch.optim.Adagrad(groups, lr=hyperparameters.lr)


def darker(images, aspects, generator, preprocess):
    return images * torch.rand(len(images), 1, 1, 1, generator=generator, device=images.device)


imgcls.register_model(imgcls.ModelSpec(name="tiny", title="Tiny", native=28, build=build))
imgcls.register_optimizer(imgcls.OptimizerSpec(name="adagrad", title="Adagrad", lr=0.01, build=adagrad))
imgcls.register_augmentation(imgcls.AugmentationSpec(name="dim", title="Darker", stage="input", apply=darker))
"""


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    (tmp_path / "my_lab.py").write_text(PLUGIN)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("IMGCLS_PLUGINS", "my_lab")
    yield
    unplug()


def unplug():
    """As in a process that does not load the module."""
    from imgcls import augmentations, optimizers
    from imgcls.models import registry

    sys.modules.pop("my_lab", None)
    registry.REGISTRY.pop("tiny", None)
    registry.REGISTERED[:] = [name for name in registry.REGISTERED if name != "tiny"]
    optimizers.OPTIMIZERS.pop("adagrad", None)
    augmentations.AUGMENTATIONS.pop("dim", None)
    optimizers.REGISTERED.clear()
    augmentations.REGISTERED.clear()


def test_rows_of_ones_own_are_known_everywhere(plugin, workspace):
    """In this process, in the terminal, on the page, and in the process of a run that the page starts."""
    from imgcls.optimizers import OPTIMIZERS
    from imgcls.runs.launcher import start_run
    from imgcls.settings import choices
    from imgcls.web.i18n.translator import Translator
    from imgcls.web.shared.networks import buttons

    run = train(model="tiny", optimizer="adagrad", augment="shift,dim", name="mine")
    spec = next(spec for spec in imgcls.models() if spec.name == "tiny")
    assert run.status == "finished" and spec.parameters == 3 * 4 * 25 + 4 + 64 * 7 + 7
    assert imgcls.evaluate(run).images == 10_000
    assert ("Tiny", "tiny") in buttons(Translator("en"))
    assert "adagrad" in choices("optimizer") and "dim" in choices("augment") and run.settings.lr == 0.01
    assert OPTIMIZERS["adagrad"].state_copies == 1 and Translator("zh").value("shift,dim") == "平移 + Darker"
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", "train", "--model", "tiny", "--name", "theirs", "--epochs", "1",
         "--train-images", "600", "--threads", "1", "--optimizer", "adagrad", "--augment", "dim"],
        cwd=PROJECT, capture_output=True, text=True,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    started = start_run(
        imgcls.TrainSettings(
            model="tiny", optimizer="adagrad", augment="dim", name="apart", epochs=1, train_images=600, threads=1
        ),
        workspace,
    )
    assert ended(started) == "finished", (started.logs / "log.txt").read_text()


@pytest.mark.parametrize(
    ("settings", "value"),
    [({"model": "tiny"}, "tiny"), ({"optimizer": "adagrad"}, "adagrad"), ({"augment": "shift,dim"}, "shift,dim")],
)
def test_without_the_plugin_a_run_waits_and_says_why(settings, value, plugin, workspace, monkeypatch):
    """It stays as it was; a network that is known here can still be evaluated."""
    run = train(name="mine", **settings)
    unplug()
    monkeypatch.delenv("IMGCLS_PLUGINS")
    with pytest.raises(RunError, match=f"mine cannot go on here, where .* {value} is not known.* IMGCLS_PLUGINS"):
        run.resume(epochs=2)
    assert imgcls.Run("mine").status == "finished"
    if "model" not in settings:
        assert imgcls.evaluate("mine").images == 10_000
    else:
        with pytest.raises(CheckpointError, match="'tiny', a network that is not known here: .* IMGCLS_PLUGINS"):
            imgcls.load("mine")


def ended(run):
    import time

    while imgcls.Run(run.name).status in ("starting", "running"):
        time.sleep(0.1)
    return imgcls.Run(run.name).status


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "lenet"}, "there is one of that name already"),
        ({"name": "../x"}, "its name must be letters"),
        ({"build": lambda channels, classes, size: torch.nn.Flatten()}, "it makes"),
        ({"build": lambda channels, classes: None}, "building and running it"),
    ],
)
def test_a_network_that_cannot_be_registered_is_one_sentence(changes, why):
    def build(channels, classes, image_size):
        return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(channels * image_size**2, classes))

    spec = imgcls.ModelSpec(**{"name": "mine", "title": "Mine", "native": 16, "build": build, **changes})
    with pytest.raises(SettingsError, match=why):
        imgcls.register_model(spec)


def test_an_optimizer_that_cannot_be_registered_is_one_sentence():
    for name, build, why in (
        ("sgd", lambda groups, _: torch.optim.SGD(groups, lr=0.1), "The name sgd cannot be used"),
        ("mine", lambda groups, _: torch.optim.SGD(groups, lr=-1.0), "optimizer mine .*: two steps of it failed"),
        ("mine", lambda groups: None, "two steps of it failed"),
    ):
        with pytest.raises(SettingsError, match=why):
            imgcls.register_optimizer(imgcls.OptimizerSpec(name=name, title="Mine", lr=0.1, build=build))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"name": "none"}, "The name none cannot be used"),
        ({"stage": "whole"}, "its stage must be one of stored"),
        ({"apply": lambda images, *_: images[:1]}, r"it makes \(1, 3, .* must make \(2, 3, "),
        ({"apply": lambda images: images}, "it failed on small images"),
        ({"apply": lambda images, *_: images * torch.rand(1)}, "from the generator alone"),
        ({"stage": "batch", "apply": lambda images, shares, _: images}, "it makes"),
    ],
)
def test_an_augmentation_that_cannot_be_registered_is_one_sentence(changes, why):
    fields = {"name": "mine", "title": "Mine", "stage": "input", "apply": lambda images, *_: images, **changes}
    with pytest.raises(SettingsError, match=why):
        imgcls.register_augmentation(imgcls.AugmentationSpec(**fields))


def test_every_row_of_the_lab_could_be_registered(registered_rows):
    """What a row of one's own is held to is what the lab's are."""
    from imgcls.augmentations import AUGMENTATIONS
    from imgcls.optimizers import OPTIMIZERS

    for spec in [*AUGMENTATIONS.values()]:
        imgcls.register_augmentation(replace(spec, name=f"my-{spec.name}"))
    for spec in [*OPTIMIZERS.values()]:
        registered = imgcls.register_optimizer(replace(spec, name=f"my-{spec.name}", state_copies=0))
        assert registered.state_copies == spec.state_copies
        assert imgcls.register_optimizer(registered) is OPTIMIZERS[registered.name]  # a cell that is run again


@pytest.fixture
def registered_rows(monkeypatch):
    from imgcls import augmentations, optimizers

    monkeypatch.setattr(augmentations, "AUGMENTATIONS", dict(augmentations.AUGMENTATIONS))
    monkeypatch.setattr(optimizers, "OPTIMIZERS", dict(optimizers.OPTIMIZERS))
    yield
    optimizers.REGISTERED.clear()
    augmentations.REGISTERED.clear()


# Data sets of one's own.


class Stripes(torch.utils.data.Dataset):
    """Colour images in two classes: bright columns, or bright rows; `form`: what the items' images are."""

    classes = ("columns", "rows")

    def __init__(self, count, form=Image.fromarray, side=20):
        self.count, self.form, self.side = count, form, side

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        pixels = np.zeros((self.side, self.side, 3), np.uint8)
        pixels[:, i % 3 :: 4] = 50 + i % 200
        return self.form(pixels if i % 2 == 0 else pixels.swapaxes(0, 1)), i % 2


@pytest.fixture
def registered():
    from imgcls.data import registry

    before = dict(registry.DATASETS)
    yield
    registry.DATASETS.clear()
    registry.DATASETS.update(before)
    registry.REGISTERED.clear()


@pytest.mark.parametrize(
    "form", [Image.fromarray, np.asarray, lambda pixels: torch.from_numpy(pixels.transpose(2, 0, 1).copy()) / 255]
)
def test_a_torch_dataset_is_a_data_set(form, registered, workspace):
    name = imgcls.register_dataset("stripes", Stripes(120, form), test=Stripes(40, form))
    assert name in [d.name for d in imgcls.datasets() if d.is_here]
    settings = SMALL | {"val_split": 20, "train_images": 0, "epochs": 8}
    run = imgcls.train(name, model="lenet", progress=False, **settings)
    made = imgcls.evaluate(run)
    assert made.images == 40 and made.classes == ("columns", "rows") and made.accuracy > 0.9
    assert run.load()(Stripes(1).__getitem__(0)[0]).label == "columns"
    imgcls.register_dataset("stripes", Stripes(120, form), test=Stripes(30, form, side=24))  # a cell that is run again
    assert imgcls.evaluate(run).images == 30


def test_a_folder_is_linked_and_other_processes_see_it(tmp_path, workspace):
    flowers(tmp_path / "mine")
    for _ in range(2):
        assert imgcls.register_dataset("garden", tmp_path / "mine") == "garden"
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", "datasets", "garden", "--json"], cwd=PROJECT, capture_output=True, text=True
    )
    assert json.loads(said.stdout)[0]["classes"] == ["daisy", "rose", "tulip"]
    with pytest.raises(imgcls.ImgclsError, match="There is a data set garden already"):
        imgcls.register_dataset("garden", flowers(tmp_path / "other"))


@pytest.mark.parametrize(
    ("arguments", "options", "why"),
    [
        (("mnist", Stripes(9)), {}, "there is one of that name already"),
        (("../x", Stripes(9)), {}, "its name must be"),
        (("x", Stripes(9)), {"kind": "sounds"}, "its kind is sounds"),
        (("x", Stripes(9)), {"classes": ("one",)}, "at least two classes"),
        (("x", Stripes(1)), {}, "its counts"),
        (("x", "/nowhere/at/all"), {}, "."),
    ],
)
def test_a_data_set_that_cannot_be_registered_is_one_sentence(arguments, options, why, registered, workspace):
    with pytest.raises(imgcls.ImgclsError, match=why):
        imgcls.register_dataset(*arguments, **options)


def test_a_torch_dataset_that_breaks_is_one_sentence(registered, workspace):
    class Broken(Stripes):
        def __getitem__(self, i):
            return super().__getitem__(i) if i % 30 == 0 else "no image"

    imgcls.register_dataset("broken", Broken(64 * 30))
    with pytest.raises(imgcls.ImgclsError, match=r"Item 1 of broken \(train\) is not an image with its label"):
        imgcls.train("broken", progress=False, **SMALL)


class Lost(Stripes):
    """As of images whose files are gone."""

    def __getitem__(self, i):
        return open(f"/nowhere/{i}.png")


@pytest.mark.parametrize("images", [[1, 2, 3], None, Lost(9)])
def test_a_torch_dataset_that_is_none_is_one_sentence(images, registered, workspace):
    with pytest.raises(DatasetError, match="no-set"):
        imgcls.register_dataset("no-set", images, classes=("a", "b"))


def test_signs_are_never_mirrored(registered, workspace):
    from imgcls.data.registry import DATASETS

    assert not DATASETS[imgcls.register_dataset("signs", Stripes(9), kind="characters")].mirrors


def test_a_picture_that_is_open_is_turned_and_checked_as_its_file_is(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.effect_noise((40, 20), 60).convert("RGB").save(tmp_path / "turned.jpg", exif=exif)
    by_path, opened = as_picture(tmp_path / "turned.jpg"), as_picture(Image.open(tmp_path / "turned.jpg"))
    assert by_path.size == opened.size == (20, 40) and by_path.tobytes() == opened.tobytes()
    content = (tmp_path / "turned.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(InputError, match="cut off or damaged"):
        as_picture(Image.open(tmp_path / "cut.jpg"))


def test_a_checkpoint_is_not_compared_with_itself():
    with pytest.raises(SettingsError, match="given twice"):
        imgcls.compare("lenet-mnist", PROJECT / "checkpoints" / "lenet-mnist" / "best.safetensors")


def test_a_plugin_that_fails_is_one_sentence(tmp_path, workspace):
    (tmp_path / "broken_lab.py").write_text("1 / 0")
    for named, why in (("broken_lab", "ZeroDivisionError"), ("not_there", "No module named")):
        said = subprocess.run(
            [sys.executable, "-m", "imgcls", "runs"], capture_output=True, text=True, cwd=tmp_path,
            env=os.environ | {"IMGCLS_PLUGINS": named, "PYTHONPATH": str(PROJECT)},
        )  # fmt: skip
        assert said.returncode == 2 and why in said.stderr and "Traceback" not in said.stderr
