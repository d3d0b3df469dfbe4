"""`export`: one file to hand out, ONNX, a plain state dict; and what is said where that cannot be."""

import json
import re

import pytest
import torch
from lenets import lenet
from photos import flowers

from imgcls.checkpoints.epochs import keep_epoch
from imgcls.checkpoints.format import Meta, load_checkpoint, save_checkpoint
from imgcls.cli.main import main
from imgcls.data import decode_cache
from imgcls.imaging.preprocess import Preprocess
from imgcls.models import build
from imgcls.models.lenet import LeNet
from imgcls.web.classify.handout import MAX_BYTES
from imgcls.web.standalone import build as scripts
from imgcls.web.standalone import page as alone
from imgcls.web.standalone.site import write_site
from imgcls.workspace import PROJECT

SHIPPED = PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors"


@pytest.mark.parametrize("name", scripts.SCRIPTS)
def test_a_script_of_a_page_without_a_server_is_made_of_the_modules_that_there_are(name):
    """`python -m imgcls.web.standalone.build` makes it anew; the gate does so, and compares."""
    assert scripts.is_current(name)
    assert not re.search(r"\bimport\s*[{(*'\"]|\bexport\b|<!--|<script", scripts.built(name))


def test_a_page_is_one_small_file_without_an_address_in_it(workspace, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert main(["export", "page", "lenet-digits", "--out", str(out)]) == 0
    page = out.read_text("utf-8")
    assert len(page.encode()) <= MAX_BYTES and "asks for nothing" in capsys.readouterr().out
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page) and "http-equiv" in page
    assert "写一个数字" in page and "Draw a digit" in page
    assert str(PROJECT) not in page


def test_epochs_go_in_as_far_as_they_fit(workspace, tmp_path):
    model, meta = load_checkpoint(SHIPPED)
    folder = workspace.checkpoints / "mine"
    save_checkpoint(folder / "best.safetensors", model.state_dict(), meta.model_copy(update={"run": "</script>mine"}))
    for epoch in range(12):
        keep_epoch(folder, epoch, model.state_dict())
    assert main(["export", "page", "mine", "--out", str(tmp_path / "x.html")]) == 0
    page = (tmp_path / "x.html").read_text("utf-8")
    assert len(page.encode()) <= MAX_BYTES and 'id="epochs"' in page
    assert "</script>mine" not in page


def test_a_page_that_learns_is_one_file_without_an_address_in_it(workspace, tmp_path, capsys):
    out = tmp_path / "learn.html"
    assert main(["export", "page", "--train", "--out", str(out)]) == 0
    page = out.read_text("utf-8")
    assert len(page.encode()) <= alone.MAX_BYTES and "learns" in capsys.readouterr().out
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "'wasm-unsafe-eval'" in policy and "'unsafe-eval'" not in policy and "connect-src" not in policy
    assert "写一个数字" in page and "Images a second" in page and str(PROJECT) not in page
    assert main(["export", "onnx", "lenet-digits", "--train"]) == 2
    assert "belongs to a page" in capsys.readouterr().err
    assert main(["export", "page"]) == 2
    assert "Name a checkpoint" in capsys.readouterr().err


def test_a_site_is_a_folder_that_names_everything_by_its_content(workspace, tmp_path, capsys):
    made = write_site(tmp_path / "space", workspace, sizes=(5000,))
    there = {path.name: path.read_bytes() for path in (tmp_path / "space").iterdir()}
    assert made == sum(map(len, there.values()))
    assert there["README.md"].startswith(b"---\n") and b"sdk: static" in there["README.md"]
    kept = json.loads(re.search(rb"FILES = (\[.*?\]);", there["sw.js"])[1])
    assert set(kept) == {"./", *there} - {"index.html", "sw.js", "README.md"}
    page = there["index.html"].decode()
    assert not re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?https?:""", page) and str(PROJECT) not in page
    assert all(name in page for name in there if name.endswith((".wasm", ".bin", ".js")) and name != "sw.js")
    assert json.loads(there["manifest.webmanifest"])["display"] == "standalone"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    assert main(["export", "site", str(tmp_path / "mine")]) == 2
    assert "holds other things" in capsys.readouterr().err


def test_a_space_is_a_folder(workspace, tmp_path):
    assert main(["export", "page", "lenet-mnist", "--space", "--out", str(tmp_path / "space")]) == 0
    assert sorted(p.name for p in (tmp_path / "space").iterdir()) == ["README.md", "index.html"]
    assert "sdk: static" in (tmp_path / "space" / "README.md").read_text("utf-8")


def test_a_state_dict_is_what_a_script_loads(workspace, tmp_path):
    out = tmp_path / "lenet.pth"
    assert main(["export", "state-dict", "lenet-digits", "--out", str(out)]) == 0
    net = LeNet()
    net.load_state_dict(torch.load(out, weights_only=True))
    expected, _ = load_checkpoint(SHIPPED)
    images = torch.randn(3, 1, 28, 28)
    assert torch.equal(net.eval()(images), expected(images))


def test_onnx_says_how_far_it_is_from_torch(workspace, tmp_path, capsys):
    import onnxruntime

    out = tmp_path / "lenet.onnx"
    assert main(["export", "onnx", "lenet-mnist", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "opset 18" in said and float(re.search(r"at most (\S+)\.", said)[1]) < 1e-3
    session = onnxruntime.InferenceSession(out.read_bytes())
    for count in (1, 5):
        given = session.run(None, {"images": torch.zeros(count, 1, 28, 28).numpy()})[0]
        assert given.shape == (count, 10)


def test_onnx_of_a_network_whose_photos_are_read_anew(workspace, tmp_path, capsys, monkeypatch):
    """A folder too large for the cache is compared on as many photos."""
    flowers(workspace.data / "flowers")
    (workspace.data / "flowers" / "rose" / "00.jpg").write_bytes(b"no image")
    lenet(workspace, "net", classes=("daisy", "rose", "tulip"), settings={"dataset": "flowers", "model": "lenet"})
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    assert main(["export", "onnx", "net", "--out", str(tmp_path / "net.onnx")]) == 0
    assert "images of flowers (val)" in capsys.readouterr().out


@pytest.mark.parametrize("flags", [[], ["--train"]])
def test_what_is_no_lenet_becomes_no_page_and_is_told_what_it_becomes(workspace, tmp_path, capsys, flags):
    """Its images being here: what excites its units is of a LeNet's layers alone."""
    flowers(workspace.data / "flowers")
    form = Preprocess(channels=3, resize_mode="crop", storage_size=64, size=64, mean=(0.5,) * 3, std=(0.5,) * 3)
    model = build("alexnet", channels=3, classes=3, image_size=64)
    path = workspace.checkpoints / "a" / "best.safetensors"
    meta = Meta(model="alexnet", classes=("daisy", "rose", "tulip"), preprocess=form, settings={"dataset": "flowers"})
    save_checkpoint(path, model.state_dict(), meta)
    assert main(["export", "page", "a", *flags, "--out", str(tmp_path / "a.html")]) == 2
    said = capsys.readouterr().err
    assert "only a LeNet" in said and "`export onnx`" in said and not list(tmp_path.glob("a.html*"))


@pytest.mark.parametrize(
    ("given", "said"), [(["nowhere"], "no checkpoint nowhere"), (["lenet-digits", "--space"], "belongs to a page")]
)
def test_mistakes_are_one_sentence(workspace, capsys, given, said):
    assert main(["export", "state-dict", *given]) == 2
    assert said in capsys.readouterr().err
