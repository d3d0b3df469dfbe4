"""Files of weights from elsewhere become checkpoints; what could run code, lies or does not fit is one sentence."""

import argparse
import datetime
import json
import os
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import torchvision
from photos import COLOURS, flowers, photo
from safetensors.torch import save_file
from torch import nn

from imgcls.checkpoints.format import load_checkpoint
from imgcls.checkpoints.import_weights import check_room, import_weights, proposed, proposed_classes
from imgcls.checkpoints.recognition import RecognisedNetwork, recognise
from imgcls.checkpoints.store import find_checkpoint
from imgcls.cli.main import main
from imgcls.data.download import load_arrays
from imgcls.errors import CheckpointError, ImgclsError, InputError, SettingsError, WeightsError
from imgcls.inference.predictor import Predictor
from imgcls.models import build
from imgcls.models.lenet import LeNet
from imgcls.models.registry import REGISTRY
from imgcls.training.trial import try_on
from imgcls.web.classify.import_weights import _check_kind
from imgcls.web.shared.limits import ALONE, SHARED

NAMES = tuple("abcdefghij")


class CourseLeNet(nn.Module):
    def __init__(self, channels=3, classes=10, widths=(16, 32), padding=0):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, widths[0], 5, padding=padding)
        self.conv2 = nn.Conv2d(*widths, 5)
        self.fc1 = nn.Linear(widths[1] * 25, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = torch.max_pool2d(self.conv1(x).relu(), 2)
        x = torch.max_pool2d(self.conv2(x).relu(), 2)
        return self.fc3(self.fc2(self.fc1(x.flatten(1)).relu()).relu())


class CourseAlexNet(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 48, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2), nn.Conv2d(48, 128, 5, padding=2), nn.ReLU(),
            nn.MaxPool2d(3, 2), nn.Conv2d(128, 192, 3, padding=1), nn.ReLU(), nn.Conv2d(192, 192, 3, padding=1),
            nn.ReLU(), nn.Conv2d(192, 128, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Dropout(), nn.Linear(128 * 36, 2048), nn.ReLU(), nn.Dropout(), nn.Linear(2048, 2048), nn.ReLU(),
            nn.Linear(2048, classes),
        )  # fmt: skip

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


def grey_resnet():
    net = torchvision.models.resnet18(num_classes=10)
    net.conv1 = nn.Conv2d(1, 64, 7, 2, 3, bias=False)
    return net


class SmallResNet(nn.Module):
    """ResNet18 as the usual CIFAR trainings name it."""

    class Block(nn.Module):
        def __init__(self, wide, out, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(wide, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out)
            self.conv2, self.bn2 = nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out)
            self.shortcut = nn.Sequential()
            if stride != 1 or wide != out:
                self.shortcut = nn.Sequential(nn.Conv2d(wide, out, 1, stride, bias=False), nn.BatchNorm2d(out))

        def forward(self, x):
            return (self.bn2(self.conv2(self.bn1(self.conv1(x)).relu())) + self.shortcut(x)).relu()

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1, wide = nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), 64
        for number, out in enumerate((64, 128, 256, 512), 1):
            blocks = self.Block(wide, out, 1 if number == 1 else 2), self.Block(out, out, 1)
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
            wide = out
        self.linear = nn.Linear(512, 10)

    def forward(self, x):
        x = self.bn1(self.conv1(x)).relu()
        for number in range(1, 5):
            x = getattr(self, f"layer{number}")(x)
        return self.linear(x.mean((2, 3)))


def several(*widths, activation=nn.ReLU):
    """Linear layers as courses put them where the last one was."""
    layers = []
    for wide, units in zip(widths, widths[1:], strict=False):
        layers += [nn.Linear(wide, units), activation(), nn.Dropout()]
    return nn.Sequential(*layers[:-2])


def with_head(make, name, head):
    net = make()
    setattr(net, name, head)
    return net


class OpenMMLab(nn.Module):
    """The backbone and the head apart."""

    def __init__(self, head=None):
        super().__init__()
        self.backbone = torchvision.models.resnet18()
        self.backbone.fc = nn.Identity()
        self.head = nn.ModuleDict({"fc": head or nn.Linear(512, 2)})

    def forward(self, x):
        return self.head.fc(self.backbone(x))


def lenet_of_numbers():
    """Layers that are called by their places alone."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def plain(*widths, flat, kernel, pools, norm=False, channels=1, padding=0, hidden=(), classes=10):
    """Convolutions, each with a pool behind it where `pools` says so, and linear layers."""
    layers, wide = [], channels
    for out, pool in zip(widths, pools, strict=True):
        layers += [nn.Conv2d(wide, out, kernel, padding=padding), *([nn.BatchNorm2d(out)] if norm else []), nn.ReLU()]
        layers += [nn.MaxPool2d(2)] if pool else []
        wide = out
    layers, wide = [*layers, nn.Flatten()], flat
    for units in hidden:
        layers, wide = [*layers, nn.Linear(wide, units), nn.ReLU()], units
    return nn.Sequential(*layers, nn.Linear(wide, classes))


def learnt_norms(net):
    """Each batch normalisation with figures of its own."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            for name, tensor in module.state_dict().items():
                if tensor.is_floating_point():
                    tensor.copy_(torch.rand_like(tensor) + (0.5 if name != "bias" else -0.5))
    return net


FILES = {  # how it was made, what it is, an input it takes
    "lenet 28": (lambda: CourseLeNet(1, 10, (6, 16), 2), ("lenet", 1, 10, 0), (1, 28)),
    "lenet 32": (lambda: CourseLeNet(3, 10, (6, 16)), ("lenet", 3, 10, 0), (3, 32)),
    "wide lenet": (CourseLeNet, ("lenet-16-32", 3, 10, 0), (3, 32)),
    "small alexnet": (lambda: CourseAlexNet(5), ("alexnet-half", 3, 5, 0), (3, 224)),
    "resnet18": (lambda: torchvision.models.resnet18(num_classes=7), ("resnet18", 3, 7, 0), (3, 224)),
    "grey resnet18": (grey_resnet, ("resnet18", 1, 10, 0), (1, 64)),
    "mobilenet": (
        lambda: torchvision.models.mobilenet_v3_small(num_classes=3), ("mobilenet_v3_small", 3, 3, 0), (3, 224)
    ),
    "vit": (
        lambda: torchvision.models.VisionTransformer(64, 16, 12, 12, 768, 3072, num_classes=4),
        ("vit_b_16", 3, 4, 64),
        (3, 64),
    ),
    "lenet of numbers": (lenet_of_numbers, ("lenet", 1, 10, 0), (1, 28)),
    "small resnet18": (SmallResNet, ("resnet18-small", 3, 10, 0), (3, 32)),
    "resnet18 of OpenMMLab": (OpenMMLab, ("resnet18", 3, 2, 0), (3, 64)),
    "resnet18 with three layers": (
        lambda: with_head(torchvision.models.resnet18, "fc", several(512, 64, 16, 4)),
        ("resnet18-mlp-64-16", 3, 4, 0),
        (3, 64),
    ),
    "backbone, and a head of two layers": (
        lambda: OpenMMLab(several(512, 32, 3)), ("resnet18-mlp-32", 3, 3, 0), (3, 64)
    ),
    "mobilenet with a layer more": (
        lambda: with_head(
            torchvision.models.mobilenet_v2, "classifier", nn.Sequential(nn.Dropout(), *several(1280, 32, 5))
        ),
        ("mobilenet_v2-mlp-32", 3, 5, 0),
        (3, 64),
    ),
    "alexnet with another classifier": (
        lambda: with_head(lambda: torchvision.models.AlexNet(1), "classifier", several(9216, 32, 3)),
        ("alexnet-top-32", 3, 3, 0),
        (3, 224),
    ),
    "lenet without padding": (
        lambda: plain(6, 16, flat=256, kernel=5, pools=(1, 1), hidden=(120, 84)),
        ("chain-6k5-m-16k5-m-120-84", 1, 10, 28),
        (1, 28),
    ),
    "PyTorch's example until 2019": (
        lambda: plain(20, 50, flat=800, kernel=5, pools=(1, 1), hidden=(500,)),
        ("chain-20k5-m-50k5-m-500", 1, 10, 28),
        (1, 28),
    ),
    "PyTorch's example since": (
        lambda: plain(32, 64, flat=9216, kernel=3, pools=(0, 1), hidden=(128,)),
        ("chain-32k3-64k3-m-128", 1, 10, 28),
        (1, 28),
    ),
    "linear layers without biases": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(1352, 32, bias=False), nn.ReLU(), nn.Linear(32, 10, bias=False),
        ),
        ("chain-8k3-m-32", 1, 10, 28),
        (1, 28),
    ),
    "a norm without weights, another behind a linear layer": (
        lambda: learnt_norms(nn.Sequential(
            nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, affine=False), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
            nn.Linear(1352, 32, bias=False), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 10),
        )),
        ("chain-8k3n-m-32", 1, 10, 28),
        (1, 28),
    ),
    "three convolutions with norms": (
        lambda: plain(8, 16, 32, flat=512, kernel=3, pools=(1, 1, 1), norm=True, channels=3, padding=1, classes=4),
        ("chain-8k3p1n-m-16k3p1n-m-32k3p1n-m", 3, 4, 32),
        (3, 32),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "said", "shape"), FILES.values(), ids=list(FILES))
def test_it_is_recognised_and_answers_as_it_did(workspace, tmp_path, make, said, shape):
    torch.manual_seed(0)
    theirs = make().eval()
    torch.save({f"module.{k}": v for k, v in theirs.state_dict().items()}, tmp_path / "net.pth")
    found, _ = recognise(tmp_path / "net.pth")
    assert (found.model, found.channels, found.classes, found.size) == said
    kind = "photos" if shape[1] > 32 and shape[0] == 3 else ""
    path = import_weights(
        tmp_path / "net.pth",
        workspace,
        classes=NAMES[: found.classes],
        kind=kind,
        changes={"size": shape[1]} if shape[1] != 28 else {},
    )
    ours, meta = load_checkpoint(path)
    x = torch.randn(2, shape[0], shape[1], shape[1])
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    assert meta.classes == NAMES[: found.classes] and meta.preprocess.size == shape[1]
    assert find_checkpoint("net/best", workspace).path == path
    if meta.preprocess.channels == 3:  # grey ones look for a digit, which a rose is not
        assert len(Predictor.load(path)([photo("rose", 1)])[0].top) == found.classes


def test_torchvision_s_alexnet_as_safetensors_and_half_precision(workspace, tmp_path):
    net = build("alexnet", channels=3, classes=3, image_size=64)
    save_file({k: v.half() for k, v in net.state_dict().items()}, tmp_path / "a.safetensors")
    model, meta = load_checkpoint(import_weights(tmp_path / "a.safetensors", workspace, classes="xyz", name="mine"))
    assert meta.run == "mine" and all(p.dtype == torch.float32 for p in model.parameters())


def test_what_the_file_cannot_say_is_proposed(tmp_path):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "l.pth")
    found, _ = recognise(tmp_path / "l.pth")
    form = proposed(found)
    assert (form.resize_mode, form.size, form.mean) == ("digit", 28, (0.5,))
    assert proposed_classes(found) == tuple("0123456789")
    assert proposed(found, kind="garments", changes={"size": 32, "mean": (0.1307,)}).mean == (0.1307,)
    with pytest.raises(SettingsError, match="kind of images called x"):
        proposed(found, kind="x")
    with pytest.raises(SettingsError, match="mean"):
        proposed(found, changes={"mean": (0.5, 0.5)})


class Evil:
    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def refused(workspace, file, error=ImgclsError, classes=NAMES):
    with pytest.raises(error) as caught:
        import_weights(file, workspace, classes=classes)
    said = str(caught.value)
    assert file.name in said and "\n" not in said and said.endswith(".")
    assert not workspace.checkpoints.exists() or not list(workspace.checkpoints.iterdir())
    return said


def test_a_file_that_could_run_code_is_refused_and_not_run(workspace, tmp_path):
    pickled = pickle.dumps({"conv1.weight": Evil(tmp_path / "ran")})
    (tmp_path / "raw.pth").write_bytes(pickled)
    torch.save({"conv1.weight": Evil(tmp_path / "ran")}, tmp_path / "zip.pth")
    torch.save(CourseLeNet(), tmp_path / "whole.pth")
    for name in ("raw.pth", "zip.pth", "whole.pth"):
        assert "torch.save(model.state_dict()" in refused(workspace, tmp_path / name, WeightsError)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickled)
    assert (tmp_path / "ran").exists()


def test_a_small_file_cannot_ask_for_much_memory(workspace, tmp_path):
    """torch's own restricted unpickler makes any byte array that it is asked for."""
    import tracemalloc

    ask = b"\x80\x02cbuiltins\nbytearray\n\x8a\x05" + (10**9).to_bytes(5, "little") + b"\x85R."
    (tmp_path / "old.pth").write_bytes(ask)
    for name, hidden in (("new.pth", "archive/data.pkl"), ("twice.pth", "archive/DATA.pkl")):
        with zipfile.ZipFile(tmp_path / name, "w") as made:
            made.writestr("archive/data.pkl", pickle.dumps({}) if "DATA" in hidden else ask)
            if "DATA" in hidden:
                made.writestr(hidden, ask)
    tracemalloc.start()
    for name in ("old.pth", "new.pth", "twice.pth"):
        refused(workspace, tmp_path / name, WeightsError)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


WRAPPED = {  # around the tensors, as trainings save them
    "parameters": lambda state: {"epoch": 3, "state_dict": {k: nn.Parameter(v) for k, v in state.items()}},
    "another name": lambda state: {"model_state": state, "args": {"lr": 0.1}},
    "Lightning": lambda state: {"state_dict": {f"model.net.{k}": v for k, v in state.items()}, "hparams_name": "x"},
    "an optimizer": lambda state: {"optimizer": {"state": {0: {"momentum": torch.zeros(2)}}}, "net": state},
    "numpy's numbers": lambda state: {"net": state, "acc": np.float64(93.1), "best": np.float32(1), "at": np.int64(3)},
    "numbers beside": lambda state: {**state, "epoch": 3, "accuracy": np.float64(0.9)},
    "arguments": lambda state: {
        "model": state,
        "args": argparse.Namespace(lr=0.1),
        "at": datetime.datetime(2026, 1, 1),
    },
    "a path, a device, a history": lambda state: {
        "net": state,
        "out": Path("runs"),
        "device": torch.device("cpu"),
        "classes": {"a", "b"},
        "losses": np.zeros(3),
    },
    "an average": lambda state: {"n_averaged": torch.tensor(3), **{f"module.{k}": v for k, v in state.items()}},
    "a loss and a metric": lambda state: {
        "state_dict": {
            **{f"model.{k}": v for k, v in state.items()},
            "criterion.weight": torch.ones(10),
            "accuracy.correct": torch.zeros(1),
        }
    },
    "what is subtracted from images": lambda state: {**state, "mean": torch.zeros(3), "std": torch.ones(3)},
    "compiled, in parallel": lambda state: {f"module._orig_mod.{k}": v for k, v in state.items()},
}


@pytest.mark.parametrize("new", [True, False], ids=["zip", "pickle"])
@pytest.mark.parametrize("wrap", WRAPPED.values(), ids=list(WRAPPED))
def test_wrappers_and_prefixes_are_seen_through(tmp_path, wrap, new):
    state = CourseLeNet(1, 10, (6, 16)).state_dict()
    torch.save(wrap(state), tmp_path / "net.pth", _use_new_zipfile_serialization=new)
    found, tensors = recognise(tmp_path / "net.pth")
    assert found.model == "lenet" and all(torch.equal(tensors[k], v) for k, v in state.items())


def test_a_large_number_of_numpy_s_asks_for_no_memory(tmp_path):
    """A type of a gigabyte is a word in a small file."""
    import tracemalloc

    class Large:
        def __reduce__(self):
            return np.dtype, ("V2000000000",)

    class Scalar:
        def __reduce__(self):
            return np._core.multiarray.scalar, (Large(),)

    torch.save({"net": CourseLeNet(1, 10, (6, 16)).state_dict(), "acc": Scalar()}, tmp_path / "net.pth")
    tracemalloc.start()
    recognise(tmp_path / "net.pth")
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_images_tell_what_the_file_does_not_say(workspace, tmp_path):
    """Its activation and its pools: those with which it answers right."""
    images, labels = load_arrays("mnist", workspace)["train"]
    inputs = proposed(RecognisedNetwork("lenet", 1, 10), kind="digits").to_input(images[:6400])
    torch.manual_seed(0)
    made = LeNet(activation="tanh", pool="avg")
    adam = torch.optim.Adam(made.parameters(), 2e-3)
    for batch, right in zip(inputs.split(64), labels[:6400].split(64), strict=True):
        adam.zero_grad()
        nn.functional.cross_entropy(made(batch), right).backward()
        adam.step()
    torch.save({f"net.{name}": tensor for name, tensor in made.state_dict().items()}, tmp_path / "n.pth")
    best = try_on(tmp_path / "n.pth", "mnist", workspace, classes="0123456789", kind="digits")[0]
    assert best.found.options == {"activation": "tanh", "pool": "avg"} and best.right > 0.8 * best.images
    path = import_weights(tmp_path / "n.pth", workspace, classes="0123456789", kind="digits", chosen=best.found)
    assert load_checkpoint(path)[1].options == best.found.options


KINDS = {  # what a file is that holds no weights, and what is said of it
    "web page": (b"<!DOCTYPE html><html><body>Sign in</body></html>", "a web page"),
    "pointer": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
    "nothing": (b"", "is empty"),
    "text": (b"hello, these are my weights", "no file of PyTorch's"),
    "protocol buffers": (b"\x08\x07\x12\x07pytorch" + bytes(100), "no file of PyTorch's"),
    "numpy's": (b"\x93NUMPY\x01\x00", "arrays of numpy's"),
    "rar": (b"Rar!\x1a\x07\x00", "an archive"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(100), "Keras"),
}


@pytest.mark.parametrize(("content", "said"), KINDS.values(), ids=list(KINDS))
def test_a_file_that_is_no_weights_is_called_what_it_is(workspace, tmp_path, content, said):
    (tmp_path / "net.pth").write_bytes(content)
    assert said in refused(workspace, tmp_path / "net.pth", WeightsError)


def zipped(file, *names):
    with zipfile.ZipFile(file, "w") as made:
        for name in names:
            made.writestr(name, "{}")


def test_zips_are_called_what_they_are(workspace, tmp_path):
    for names, said in (("config.json", "m.weights.h5"), "Keras"), (("net.pth",), "an archive"), (("a.npy",), "numpy"):
        zipped(tmp_path / "net.pth", *names)
        assert said in refused(workspace, tmp_path / "net.pth", WeightsError)


def test_a_file_that_is_damaged_inside_or_quantised_is_refused(workspace, tmp_path):
    state = CourseLeNet(1, 10, (6, 16)).state_dict()
    torch.save(state, tmp_path / "net.pth")
    content = bytearray((tmp_path / "net.pth").read_bytes())
    content[5000] ^= 1
    (tmp_path / "net.pth").write_bytes(content)
    assert "damaged" in refused(workspace, tmp_path / "net.pth", WeightsError)
    for dtype in (torch.int8, torch.complex64):
        torch.save({name: tensor.to(dtype) for name, tensor in state.items()}, tmp_path / "q.pth")
        assert str(dtype).removeprefix("torch.") in refused(
            workspace, tmp_path / "q.pth", CheckpointError, "0123456789"
        )
    torch.save({"teacher": state, "student": state}, tmp_path / "two.pth")
    assert "several networks (teacher, student)" in refused(workspace, tmp_path / "two.pth", WeightsError)


def test_who_knows_the_size_of_the_images_says_it(workspace, tmp_path):
    """FER2013's faces have 48 pixels; the same numbers fit 28 where other layers are pooled."""
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 144, 7),
    ).eval()  # fmt: skip
    torch.save(net.state_dict(), tmp_path / "faces.pth")
    path = import_weights(tmp_path / "faces.pth", workspace, classes="abcdefg", changes={"size": 48})
    x = torch.randn(2, 1, 48, 48)
    with torch.inference_mode():
        torch.testing.assert_close(load_checkpoint(path)[0](x), net(x))
    with pytest.raises(ImgclsError, match="cannot take images of 47 pixels"):
        import_weights(tmp_path / "faces.pth", workspace, classes="abcdefg", changes={"size": 47})


def test_what_came_from_elsewhere_is_measured_exported_and_learnt_on_from(workspace, tmp_path, capsys):
    """Nobody knows what it has learnt from: the data set is named, or asked for."""
    torch.save(LeNet(1, 10).state_dict(), tmp_path / "net.pth")
    assert main(["adopt", str(tmp_path / "net.pth"), "--classes", "0,1,2,3,4,5,6,7,8,9", "--name", "ours"]) == 0
    assert main(["evaluate", "--checkpoint", "ours", "--dataset", "mnist", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["images"] == 10_000
    assert main(["evaluate", "--checkpoint", "ours"]) == 2
    assert "ours came from elsewhere" in capsys.readouterr().err
    assert main(["export", "onnx", "ours", "--out", str(tmp_path / "ours.onnx")]) == 0
    assert "images of noise" in capsys.readouterr().out
    small = ["--train-images", "300", "--val-split", "100", "--epochs", "1", "--threads", "1", "--name", "more"]
    assert main(["train", "--start-from", "ours", *small]) == 0


def test_programs_are_called_what_they_are(workspace, tmp_path):
    torch.jit.trace(CourseLeNet(1, 10, (6, 16), 2), torch.zeros(1, 1, 28, 28)).save(tmp_path / "net.pt")
    assert "torch.jit.load('net.pt').state_dict()" in refused(workspace, tmp_path / "net.pt", WeightsError)
    torch.save(torchvision.models.resnet18(), tmp_path / "whole.pth")
    assert "torchvision.models.resnet.ResNet" in refused(workspace, tmp_path / "whole.pth", WeightsError)


class Moved(CourseLeNet):
    """LeNet's layers, and something between them that shapes do not tell."""

    def forward(self, x):
        return super().forward(x * 0.5 - 0.2)


def lived(net):
    """As if it had learnt: what has learnt nothing has zeros, which exports leave out."""
    torch.manual_seed(1)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.1)
    return net.eval()


def as_onnx(net, file, channels, side, *, new=False):
    torch.onnx.export(lived(net), (torch.zeros(1, channels, side, side),), str(file), dynamo=new, verbose=False)
    return file


CHAIN = [
    nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16 * 144, 7), nn.Softmax(1),
]  # fmt: skip
ONNX = {  # network, channels, side, what it is recognised as
    "lenet": (lambda: LeNet(1, 10, activation="tanh", pool="avg"), 1, 28, "lenet"),
    "mobilenet": (lambda: torchvision.models.mobilenet_v3_small(num_classes=5), 3, 64, "mobilenet_v3_small"),
    "chain": (lambda: nn.Sequential(*CHAIN), 1, 48, "chain-8k3p1-m-16k3p1-m"),
}  # fmt: skip


@pytest.mark.parametrize(("which", "new"), [("lenet", True), ("mobilenet", False), ("chain", False)])
@pytest.mark.filterwarnings("ignore")
def test_an_onnx_file_is_a_network_that_answers_as_it_does(workspace, tmp_path, which, new, monkeypatch):
    make, channels, side, model = ONNX[which]
    net = make()
    file = as_onnx(net, tmp_path / "net.onnx", channels, side, new=new)
    if which == "chain":  # onnx has an evaluator of its own
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    recognised, _ = recognise(file)
    assert (recognised.model, recognised.channels, recognised.size, recognised.proved) == (model, channels, side, True)
    path = import_weights(file, workspace, classes=NAMES[: recognised.classes])
    x = torch.randn(2, channels, side, side)
    with torch.inference_mode():
        ours, theirs = load_checkpoint(path)[0](x), net(x)
    if which == "chain":
        ours = ours.softmax(1)
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4)


@pytest.mark.filterwarnings("ignore")
def test_onnx_files_of_anything_else_are_refused(workspace, tmp_path, monkeypatch):
    file = tmp_path / "net.onnx"
    file.write_bytes(b"\x08\x07")
    assert "net.onnx has layers that this lab does not read" in refused(workspace, file, WeightsError)
    content = as_onnx(CourseLeNet(1, 10, (6, 16), 2), file, 1, 28).read_bytes()
    file.write_bytes(content[: len(content) // 2])
    assert "cannot be read" in refused(workspace, file, WeightsError)
    assert "does not answer as it does" in refused(workspace, as_onnx(Moved(1, 10, (6, 16), 2), file, 1, 28))
    as_onnx(nn.Sequential(nn.Conv2d(3, 8, 3), nn.GELU(), nn.Flatten(), nn.Linear(8 * 676, 4)), file, 3, 28)
    assert "layers that this lab does not read (Gelu)" in refused(workspace, file, WeightsError)
    as_onnx(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), file, 1, 28)
    assert "no network that this lab knows" in refused(workspace, file, CheckpointError)
    wide = onnx.load(as_onnx(nn.Sequential(*CHAIN), file, 1, 48))
    next(a for node in wide.graph.node if node.op_type == "Conv" for a in node.attribute if a.name == "pads").ints[
        0
    ] = 10**9
    onnx.save(wide, file)
    assert "a window is too large" in refused(workspace, file, WeightsError)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "pip install imgcls[onnx]" in refused(workspace, file)


def test_a_shared_lab_takes_no_graph(tmp_path):
    with pytest.raises(InputError, match="takes no ONNX files"):
        _check_kind(tmp_path / "net.ONNX", SHARED)
    _check_kind(tmp_path / "net.onnx", ALONE)


def test_a_head_of_other_layers_is_refused_and_activations_are_tried(workspace, tmp_path):
    net = torchvision.models.resnet18()
    net.fc = nn.Sequential(nn.Linear(512, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 4))
    torch.save(net.state_dict(), tmp_path / "norm.pth")
    said = refused(workspace, tmp_path / "norm.pth", CheckpointError, classes="abcd")
    assert "is ResNet18 with a head of its own" in said and "fc.1.running_mean" in said
    root = flowers(workspace.data / "garden", each=3)
    net.fc = several(512, 8, 3, activation=nn.Sigmoid)
    torch.save(net.state_dict(), tmp_path / "n.pth")
    classes = sorted(path.name for path in root.iterdir())
    tried = try_on(tmp_path / "n.pth", "garden", workspace, classes=classes, kind="photos", changes={"size": 32})
    assert {t.found.options.get("activation", "relu") for t in tried} == {"relu", "tanh", "sigmoid"}
    tensors = recognise(tmp_path / "n.pth")[1]
    made = build("resnet18-mlp-8", channels=3, classes=3, image_size=32, options={"activation": "sigmoid"})
    made.load_state_dict({**made.state_dict(), **tensors})
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(made.eval()(x), net.eval()(x))


HOSTILE = ["resnet18-mlp-", "resnet18-mlp-0", "resnet18-mlp-99999", "x-mlp-5", "lenet-mlp-5", "resnet18-mlp-5-mlp-5"]
HOSTILE += ["resnet18-mlp-" + "-".join(["8"] * 9), "squeezenet1_0-mlp-8", "resnet18-mlp-08"]
HOSTILE += ["chain-", "chain-m", "chain-9999k5", "chain-4096k15-4096k15", "chain-1k1p1", "chain-6k5-g-g", "chain-500"]
HOSTILE += ["chain-" + "-".join(["8k3p1"] * 40), "chain-06k5-m-10", "chain-6k5-m-0", "chain-6k5-m-500-6k5"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_chain_that_nobody_should_build_is_no_network(name):
    assert name not in REGISTRY
    with pytest.raises(SettingsError):
        build(name, channels=1, classes=10, image_size=28)


def test_foreign_and_lying_files(workspace, tmp_path):
    torch.save({"a": torch.zeros(3)}, tmp_path / "foreign.pth")
    assert "no network that this lab knows" in refused(workspace, tmp_path / "foreign.pth", CheckpointError)
    state = CourseLeNet(1, 10, (6, 16)).state_dict()
    torch.save({**state, "fc2.weight": torch.zeros(84, 121)}, tmp_path / "shapes.pth")
    assert "no network" in refused(workspace, tmp_path / "shapes.pth", CheckpointError)
    torch.save({**state, "fc3.weight": torch.zeros(1, 1).expand(10**9, 84)}, tmp_path / "huge.pth")
    refused(workspace, tmp_path / "huge.pth", WeightsError)
    torch.save({**state, "fc3.bias": torch.full((10,), float("nan"))}, tmp_path / "diverged.pth")
    assert "diverged" in refused(workspace, tmp_path / "diverged.pth", CheckpointError)
    torch.save(state, tmp_path / "cut.pth")
    content = (tmp_path / "cut.pth").read_bytes()
    for share in (0, 0.01, 0.5, 0.99):
        (tmp_path / "cut.pth").write_bytes(content[: int(len(content) * share)])
        refused(workspace, tmp_path / "cut.pth", WeightsError)
    torch.save(state, tmp_path / "names.pth")
    assert "10 different names" in refused(workspace, tmp_path / "names.pth", SettingsError, classes="ab")
    refused(workspace, tmp_path / "names.pth", SettingsError, classes=["a"] * 10)


@pytest.mark.parametrize("name", ["../x", "a/b", ".x", "x" * 100, "CON", "a b\n"])
def test_its_name_is_a_folder_of_checkpoints(workspace, tmp_path, name):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "l.pth")
    with pytest.raises(SettingsError, match="name"):
        import_weights(tmp_path / "l.pth", workspace, classes=NAMES, name=name)
    assert not workspace.checkpoints.exists()


def test_a_second_one_of_the_same_name(workspace, tmp_path):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "my net (1).pth")
    made = [import_weights(tmp_path / "my net (1).pth", workspace, classes=NAMES).parent.name for _ in range(2)]
    assert made == ["my-net--1", "my-net--1-2"]
    with pytest.raises(SettingsError, match="already"):
        import_weights(tmp_path / "my net (1).pth", workspace, classes=NAMES, name="my-net--1")


def test_a_shared_lab_takes_so_many(workspace, tmp_path):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "l.pth")
    (workspace.train_logs / "run").mkdir(parents=True)
    (workspace.checkpoints / "run").mkdir(parents=True)  # a run's own does not count
    check_room(workspace, 1)
    import_weights(tmp_path / "l.pth", workspace, classes=NAMES)
    with pytest.raises(CheckpointError, match="has 1 networks of its visitors already"):
        check_room(workspace, 1)
    check_room(workspace, None)
    with pytest.raises(SettingsError, match="at most 300"):
        import_weights(tmp_path / "l.pth", workspace, classes=["x" * 301, *NAMES[1:]])


def test_the_command(workspace, tmp_path):
    flowers(workspace.data / "garden", each=3)
    torch.save(torchvision.models.resnet18(num_classes=3).state_dict(), tmp_path / "w.pth")

    def imgcls(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "imgcls", *arguments], capture_output=True, text=True, stdin=subprocess.DEVNULL
        )

    done = imgcls("adopt", str(tmp_path / "w.pth"), "--classes-from", "garden", "--preprocess", "photos,size=64")
    path = done.stdout.splitlines()[-1]
    assert done.returncode == 0, done.stderr
    assert "of 9 images of garden (all)" in done.stderr
    photo("rose", 5).save(tmp_path / "p.png")
    answer = json.loads(imgcls("predict", "--checkpoint", path, "--json", str(tmp_path / "p.png")).stdout)
    assert answer["label"] in COLOURS
    done = imgcls("adopt", str(tmp_path / "w.pth"))
    assert done.returncode == 2 and "--classes a,b,c" in done.stderr
