"""Files of weights from elsewhere become checkpoints; what could run code, lies or does not fit is one sentence."""

import json
import os
import pickle
import subprocess
import sys

import pytest
import torch
import torchvision
from photos import COLOURS, flowers, photo
from safetensors.torch import save_file
from torch import nn

from imgcls.checkpoints.format import load_checkpoint
from imgcls.checkpoints.import_weights import adopt, check_room, proposed, proposed_classes
from imgcls.checkpoints.recognition import recognise
from imgcls.checkpoints.store import find_checkpoint
from imgcls.errors import CheckpointError, ImgclsError, SettingsError, WeightsError
from imgcls.inference.predictor import Predictor
from imgcls.models import build

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
}  # fmt: skip


@pytest.mark.parametrize(("make", "said", "shape"), FILES.values(), ids=list(FILES))
def test_it_is_recognised_and_answers_as_it_did(workspace, tmp_path, make, said, shape):
    torch.manual_seed(0)
    theirs = make().eval()
    torch.save({f"module.{k}": v for k, v in theirs.state_dict().items()}, tmp_path / "net.pth")
    found, _ = recognise(tmp_path / "net.pth")
    assert (found.model, found.channels, found.classes, found.size) == said
    kind = "photos" if shape[1] > 32 and shape[0] == 3 else ""
    path = adopt(
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
    model, meta = load_checkpoint(adopt(tmp_path / "a.safetensors", workspace, classes="xyz", name="mine"))
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
        adopt(file, workspace, classes=classes)
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
    import zipfile

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


def test_old_and_new_formats_are_read(tmp_path):
    state = CourseLeNet(1, 10, (6, 16)).state_dict()
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "state_dict": {k: nn.Parameter(v) for k, v in state.items()}}, tmp_path / "wrapped.pth")
    for name in ("old.pth", "wrapped.pth"):
        assert recognise(tmp_path / name)[0].model == "lenet", name


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
        adopt(tmp_path / "l.pth", workspace, classes=NAMES, name=name)
    assert not workspace.checkpoints.exists()


def test_a_second_one_of_the_same_name(workspace, tmp_path):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "my net (1).pth")
    made = [adopt(tmp_path / "my net (1).pth", workspace, classes=NAMES).parent.name for _ in range(2)]
    assert made == ["my-net--1", "my-net--1-2"]
    with pytest.raises(SettingsError, match="already"):
        adopt(tmp_path / "my net (1).pth", workspace, classes=NAMES, name="my-net--1")


def test_a_shared_lab_takes_so_many(workspace, tmp_path):
    torch.save(CourseLeNet(1, 10, (6, 16)).state_dict(), tmp_path / "l.pth")
    (workspace.train_logs / "run").mkdir(parents=True)
    (workspace.checkpoints / "run").mkdir(parents=True)  # a run's own does not count
    check_room(workspace, 1)
    adopt(tmp_path / "l.pth", workspace, classes=NAMES)
    with pytest.raises(CheckpointError, match="has 1 checkpoints of its visitors already"):
        check_room(workspace, 1)
    check_room(workspace, None)
    with pytest.raises(SettingsError, match="at most 300"):
        adopt(tmp_path / "l.pth", workspace, classes=["x" * 301, *NAMES[1:]])


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
