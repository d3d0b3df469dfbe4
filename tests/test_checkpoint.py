"""Checkpoints: they carry what using them needs; a file that is not one gets one sentence that names it."""

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
from imgcls.checkpoints.store import is_shipped, list_checkpoints
from imgcls.errors import CheckpointError
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import build

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
