"""Checkpoints: they carry what using them needs; a file that is not one gets one sentence that names it."""

import hashlib
import json
import os
import struct
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imgcls.checkpoints.format import Meta, load_checkpoint, save_checkpoint, versions
from imgcls.checkpoints.store import find_checkpoint, is_shipped, list_checkpoints
from imgcls.errors import CheckpointError
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import build
from imgcls.workspace import PROJECT, Workspace

FORM = Preprocess(channels=1, resize_mode="digit", storage_size=28, size=28, mean=(0.5,), std=(0.5,))


def made(path, **changes):
    torch.manual_seed(0)
    model = build("lenet", channels=1, classes=3, image_size=28)
    meta = Meta(
        **{
            "model": "lenet",
            "classes": ("一", "two", "three"),
            "preprocess": FORM,
            "metrics": {"val_accuracy": 0.5},
            "settings": {"dataset": "mnist"},
            "versions": versions(),
        }
        | changes
    )
    save_checkpoint(path, model.state_dict(), meta)
    return model.eval(), meta


def test_it_comes_back_as_it_was(tmp_path):
    path = tmp_path / "run" / "best.safetensors"
    model, meta = made(path)
    again, read = load_checkpoint(path)
    x = torch.randn(2, 1, 28, 28)
    assert torch.equal(model(x), again(x)) and not again.training
    assert read == meta and read.classes[0] == "一"
    assert [p.name for p in path.parent.iterdir()] == ["best.safetensors"]


def test_any_other_tool_can_read_it(tmp_path):
    from safetensors import safe_open

    made(tmp_path / "best.safetensors")
    with safe_open(tmp_path / "best.safetensors", "pt") as file:
        assert "conv1.weight" in file.keys()  # noqa: SIM118
        assert json.loads(file.metadata()["imgcls"])["preprocess"]["mean"] == [0.5]


def sentence(path):
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    text = str(caught.value)
    assert path.name in text and "\n" not in text and text.endswith(".")
    return text


def test_missing(tmp_path):
    assert "no checkpoint" in sentence(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("share", [0, 0.001, 0.02, 0.5, 0.999])
def test_truncated(tmp_path, share):
    path = tmp_path / "best.safetensors"
    made(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut off" in sentence(path) or "no safetensors" in sentence(path)


def test_foreign_weights(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    assert "weight/" in sentence(tmp_path / "other.safetensors")
    torch.save({"a": torch.zeros(3)}, tmp_path / "other.pth")
    assert "no safetensors" in sentence(tmp_path / "other.pth")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"model": "vgg"}, "vgg"),
        ({"model": "resnet18"}, "resnet18"),
        ({"classes": ("a", "b")}, "fc3"),
        ({"format": 99}, "newer"),
    ],
    ids=str,
)
def test_mismatched(tmp_path, changes, says):
    made(tmp_path / "best.safetensors", **changes)
    assert says in sentence(tmp_path / "best.safetensors")


def test_broken_description(tmp_path):
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(3)}, tmp_path / "x.safetensors", {"imgcls": '{"model": "lenet"}'})
    assert "classes" in sentence(tmp_path / "x.safetensors")


def rewritten(path, change):
    """The same tensors under a header that `change` has been at."""
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    described = json.loads(header["__metadata__"]["imgcls"])
    changed = change(header, described)
    header["__metadata__"]["imgcls"] = json.dumps(described)
    text = changed if isinstance(changed, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])


LIES = {
    "deep": lambda h, d: b"[" * 200_000,
    "deep description": lambda h, d: d.update(settings={"a": json.loads("[" * 900 + "]" * 900)}),
    "std of 0": lambda h, d: d["preprocess"].update(std=[0]),
    "std below 0": lambda h, d: d["preprocess"].update(std=[-1]),
    "no mean": lambda h, d: d["preprocess"].update(mean=[]),
    "three means": lambda h, d: d["preprocess"].update(mean=[0.5] * 3),
    "endless mean": lambda h, d: d["preprocess"].update(mean=[1e400]),
    "large": lambda h, d: d["preprocess"].update(size=10**9),
    "labels": lambda h, d: d.update(labels={"zh": ["一"]}),
    "path": lambda h, d: d.update(weights="../../x.safetensors"),
    "no such weights": lambda h, d: d.update(weights="gone.safetensors"),
    "negative": lambda h, d: h["fc3.bias"].update(shape=[-3]),
    "overlap": lambda h, d: h["fc3.bias"].update(data_offsets=[0, 12]),
    "type": lambda h, d: h["fc3.bias"].update(dtype="F4"),
    "wide": lambda h, d: h["fc3.bias"].update(shape=[10**12]),
    "list": lambda h, d: h.update({"fc3.bias": []}),
    "number": lambda h, d: h["__metadata__"].update(a=1),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=list(LIES))
def test_a_file_that_lies_is_a_sentence_and_hides_no_other(workspace, lie):
    path = workspace.checkpoints / "bad" / "best.safetensors"
    made(path)
    made(workspace.checkpoints / "good" / "best.safetensors")
    rewritten(path, lie)
    listed = [info.run for info in list_checkpoints(workspace)]
    assert "good" in listed and "lenet-digits" in listed
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    said = str(caught.value)
    assert "\n" not in said and said.endswith(".") and ".safetensors" in said


def test_sixty_thousand_classes_allocate_nothing(tmp_path):
    """A small file that says it is a large network: its shapes are compared before anything is built."""
    path = tmp_path / "best.safetensors"
    form = FORM.model_dump() | {"channels": 3, "mean": [0.5] * 3, "std": [0.5] * 3, "size": 64, "stored": 64}
    made(path)
    lie = {"model": "alexnet", "classes": [f"c{i}" for i in range(60_000)], "preprocess": form | {"fit": "stretch"}}
    rewritten(path, lambda h, d: d.update(lie))
    code = (
        "import resource, sys; from imgcls.checkpoints.format import load_checkpoint\n"
        "from imgcls.errors import CheckpointError; import torchvision\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: load_checkpoint(sys.argv[1])\n"
        "except CheckpointError as error: print(error)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    sentence, grown = said.splitlines()
    assert "does not fit the alexnet" in sentence and int(grown) < 200_000  # kB, of which AlexNet would take 1,200,000


@given(st.binary(max_size=300) | st.binary(max_size=200).map(lambda b: struct.pack("<Q", len(b)) + b))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bytes_are_a_sentence(tmp_path, content):
    path = tmp_path / "wild.safetensors"
    path.write_bytes(content)
    sentence(path)


def test_the_list_leaves_out_what_cannot_be_read(workspace):
    made(workspace.checkpoints / "good" / "best.safetensors", run="good")
    (workspace.checkpoints / "bad").mkdir()
    (workspace.checkpoints / "bad" / "best.safetensors").write_bytes(b"no")
    own = [info for info in list_checkpoints(workspace) if not is_shipped(info.path)]
    assert [(info.run, info.kind, info.dataset) for info in own] == [("good", "best", "mnist")]


def test_the_newest_run_stands_first_its_best_before_its_last(workspace):
    for name, created in (("old/last", 1.0), ("new/best", 2.0), ("new/last", 3.0), ("old/best", 0.0)):
        run, kind = name.split("/")
        path = workspace.checkpoints / run / f"{kind}.safetensors"
        made(path)
        rewritten(path, lambda h, d, created=created: d.update(created=created))
    own = [f"{info.run}/{info.kind}" for info in list_checkpoints(workspace) if not is_shipped(info.path)]
    assert own == ["new/best", "new/last", "old/best", "old/last"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no limit on file sizes to set")
def test_a_write_that_fails_half_way_leaves_the_old_file(tmp_path):
    """A process that may write 50 kB only, as on a full disk, saves a network of 250 kB over an older file."""
    path = tmp_path / "best.safetensors"
    made(path)
    before = path.read_bytes()
    code = (
        "import resource, signal, sys; from pathlib import Path; from imgcls.files import write_bytes;"
        "from imgcls.errors import StorageError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "try: write_bytes(Path(sys.argv[1]), b'x' * 250_000)\n"
        "except StorageError as error: print(error)"
    )
    said = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True).stdout
    assert "could not be written" in said and len(said.splitlines()) == 1
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["best.safetensors"]


def test_a_list_reads_no_file_twice_and_a_choice_none_but_its_own(workspace):
    runs = [workspace.checkpoints / f"r{i}" / "best.safetensors" for i in range(3)]
    for path in runs:
        made(path)
    assert len([i for i in list_checkpoints(workspace) if not is_shipped(i.path)]) == 3
    for path in runs:  # what is in a file that looks as it did is not read again
        stat = path.stat()
        path.write_bytes(b"x" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert find_checkpoint("r1/best", workspace).path == runs[1]
    assert len([i for i in list_checkpoints(workspace) if not is_shipped(i.path)]) == 3
    os.utime(runs[1])
    assert [i.run for i in list_checkpoints(workspace) if not is_shipped(i.path)].count("r1") == 0
    with pytest.raises(CheckpointError, match="no checkpoint r1/best"):
        find_checkpoint("r1/best", workspace)


OUTSIDE = ["../x/best", "/best", "a/best/..", "r0/resume", ".hidden/best", "a\\b/best"]


@given(st.text(max_size=60) | st.sampled_from(OUTSIDE))
@settings(max_examples=200, deadline=None)
def test_any_choice_is_a_checkpoint_of_the_list_or_a_sentence(tmp_path_factory, key):
    lab = Workspace(tmp_path_factory.getbasetemp() / "choices")
    if not (lab.root / "best.safetensors").exists():
        made(lab.root / "best.safetensors")
        made(lab.checkpoints / ".hidden" / "best.safetensors")
    with pytest.raises(CheckpointError):
        find_checkpoint(key, lab)


def test_what_ships_names_a_thousand_things_in_two_languages():
    import torchvision

    path = PROJECT / "checkpoints" / "imagenet" / "best.safetensors"
    model, meta = load_checkpoint(path)
    assert list(meta.classes) == torchvision.models.ResNet18_Weights.DEFAULT.meta["categories"]
    chinese = meta.names("zh")
    assert len(set(chinese)) == len(set(meta.classes)) == 1000 and meta.names("fr") == meta.classes
    assert (chinese[985], chinese[207], chinese[388]) == ("雏菊", "金毛寻回犬", "大熊猫")
    rows = (path.parent / "classes.tsv").read_text("utf-8").splitlines()[1:]
    assert [tuple(row.split("\t")) for row in rows] == list(zip(meta.classes, chinese, strict=True))
    weights = PROJECT / "weight" / meta.weights
    assert weights.stat().st_size + path.stat().st_size < 10_000_000
    assert hashlib.sha256(weights.read_bytes()).hexdigest() in (PROJECT / "weight" / "README.md").read_text("utf-8")
    assert all(p.dtype == torch.float32 and bool(p.isfinite().all()) for p in model.parameters())
    assert [i.run for i in list_checkpoints(Workspace()) if is_shipped(i.path)] == [
        "lenet-digits",
        "lenet-mnist",
        "imagenet",
    ]
