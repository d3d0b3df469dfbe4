"""Every write can fail: the n-th of each kind of work does, for every n; one sentence, and earlier files stay whole."""

import contextlib
import shutil

import pytest
import torch
from faults import KINDS, failing_disk
from photos import flowers, photo

from imgcls.checkpoints.format import load_checkpoint
from imgcls.checkpoints.import_weights import import_weights
from imgcls.data.collect import Draft
from imgcls.errors import ImgclsError
from imgcls.models import build
from imgcls.recipes import with_recipe
from imgcls.runs.evaluations import evaluate_checkpoint
from imgcls.training import events
from imgcls.training.trainer import train

SMALL = {
    "dataset": "few-digits",
    "train_images": 96, "val_split": 32, "epochs": 2, "batch_size": 32, "device": "cpu", "threads": 1, "lr": 0.02,
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("few_digits")


@pytest.fixture(autouse=True)
def numbers(monkeypatch):
    monkeypatch.setattr("imgcls.files.TRIES", 1)


def whole(folder):
    """Every checkpoint there can be loaded, and nothing is left half-written."""
    for path in folder.rglob("*.safetensors"):
        if path.name in ("best.safetensors", "last.safetensors"):
            load_checkpoint(path)
    assert not [path for path in folder.rglob("*.tmp")]


def faults(work, root):
    """(n, errno) for every thing that `work` asks of the disk, each kind of error in turn."""
    with failing_disk(root, 0, 0) as disk:
        work()
    numbers = list(KINDS.values())
    return [(at, numbers[at % len(numbers)]) for at in range(1, disk.count + 1)]


def one_sentence(error):
    text = str(error)
    assert text.endswith(".") and "\n" not in text and "Traceback" not in text


def test_a_run_goes_on_or_says_why(workspace):
    def work(name="whole"):
        return list(train(with_recipe(SMALL), workspace=workspace, run=name))

    work("first")
    failures = faults(lambda: work("counted"), workspace.root)
    assert len(failures) > 10
    for at, number in failures:
        shutil.rmtree(workspace.checkpoints / "r", ignore_errors=True)
        ended, told = [], []
        with failing_disk(workspace.root, at, number) as disk:
            try:
                for event in train(with_recipe(SMALL), workspace=workspace, run="r"):
                    told.append(event)
                ended = told[-1:]
            except ImgclsError as error:
                one_sentence(error)
        whole(workspace.checkpoints)
        if ended:
            assert isinstance(ended[0], events.Finished), disk.failed
            load_checkpoint(workspace.checkpoints / "r" / "best.safetensors")


def test_an_evaluation_is_whole_or_not_there(workspace):
    list(train(with_recipe(SMALL), workspace=workspace, run="r"))
    path = workspace.checkpoints / "r" / "best.safetensors"
    kept = path.parent / "evaluations"
    for at, number in faults(lambda: evaluate_checkpoint(path, workspace), workspace.root):
        shutil.rmtree(kept, ignore_errors=True)
        with failing_disk(workspace.root, at, number):
            try:
                evaluate_checkpoint(path, workspace)
            except ImgclsError as error:
                one_sentence(error)
        whole(workspace.checkpoints)
        assert evaluate_checkpoint(path, workspace).outputs.labels.numel()


def test_a_collected_data_set_is_whole_or_still_a_draft(workspace):
    made = iter(range(10_000))

    def work():
        name = f"set-{next(made)}"
        draft = Draft.new(workspace)
        for label in ("daisy", "rose"):
            draft.add_class(label)
            for seed in range(3):
                draft.add(label, photo(label, seed))
        draft.remove("daisy", draft.classes()["daisy"][0])
        draft.save(name)

    workspace.data.mkdir(exist_ok=True)
    earlier = flowers(workspace.data / "earlier", each=2)
    before = {path: path.read_bytes() for path in earlier.rglob("*.jpg")}
    for at, number in faults(work, workspace.root):
        with failing_disk(workspace.root, at, number), contextlib.suppress(ImgclsError):
            try:
                work()
            except ImgclsError as error:
                one_sentence(error)
                raise
        assert {path: path.read_bytes() for path in earlier.rglob("*.jpg")} == before


def test_foreign_weights_are_a_whole_checkpoint_or_none(workspace, tmp_path):
    source = tmp_path / "own.pth"
    torch.save(build("lenet", channels=1, classes=10, image_size=28).state_dict(), source)
    made = iter(range(10_000))

    def work():
        name = f"own-{next(made)}"
        import_weights(source, workspace, classes=[str(i) for i in range(10)], name=name)
        return name

    for at, number in faults(work, workspace.root):
        with failing_disk(workspace.root, at, number):
            try:
                work()
            except ImgclsError as error:
                one_sentence(error)
        whole(workspace.checkpoints)
