"""LeNet with another activation and pooling: built as the books build it, kept in the checkpoint, used everywhere."""

import json
from itertools import product

import pytest
import torch
from engine import evaluated
from torch import nn

from imgcls.checkpoints.format import Meta, load_checkpoint, read_meta, read_tensors, save_checkpoint
from imgcls.cli.main import main
from imgcls.errors import CheckpointError, SettingsError
from imgcls.inference.predictor import Predictor
from imgcls.models.init import apply_init
from imgcls.models.lenet import LeNet
from imgcls.models.registry import build, network_options
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.lifecycle import check_run
from imgcls.web.classify.browser_weights import for_page, page_bytes

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
POOLS = {"max": nn.MaxPool2d, "avg": nn.AvgPool2d}
SMALL = ["--train-images", "300", "--val-split", "100", "--epochs", "1", "--device", "cpu", "--threads", "1"]


def book(activation, pool):
    """d2l's `net`, with the activation and pooling put in."""
    act, two = ACTIVATIONS[activation], POOLS[pool]
    return nn.Sequential(
        nn.Conv2d(1, 6, kernel_size=5, padding=2), act(), two(kernel_size=2, stride=2),
        nn.Conv2d(6, 16, kernel_size=5), act(), two(kernel_size=2, stride=2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 120), act(), nn.Linear(120, 84), act(), nn.Linear(84, 10),
    )  # fmt: skip


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("pool", list(POOLS))
def test_it_is_the_books_network(activation, pool):
    theirs = book(activation, pool)
    options = {"activation": activation, "pool": pool}
    ours = build("lenet", channels=1, classes=10, image_size=28, options=options)
    names = ours.state_dict()
    ours.load_state_dict(dict(zip(names, theirs.state_dict().values(), strict=True)))
    images = torch.randn(4, 1, 28, 28)
    torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.parametrize(("activation", "gain"), [("relu", 2**0.5), ("tanh", 5 / 3), ("sigmoid", 1.0)])
def test_kaimings_gain_is_the_activations(activation, gain):
    torch.manual_seed(0)
    layer = apply_init(nn.Linear(400, 4000), "kaiming-uniform", activation=activation)
    assert layer.weight.std().item() == pytest.approx(gain / 400**0.5, rel=0.02)
    layer = apply_init(nn.Conv2d(16, 64, 5), "kaiming-normal", activation=activation)
    assert layer.weight.std().item() == pytest.approx(gain / (64 * 25) ** 0.5, rel=0.03)


def test_a_run_says_what_it_is_and_everything_that_reads_it_knows(workspace, capsys):
    said = ["--activation", "sigmoid", "--pool", "avg", "--name", "books"]
    assert main(["train", *SMALL, *said]) == 0
    path = workspace.checkpoints / "books" / "best.safetensors"
    meta = read_meta(path)
    assert meta.options == {"activation": "sigmoid", "pool": "avg"} and meta.format == 2
    model, _ = load_checkpoint(path)
    plain = book("sigmoid", "avg")
    plain.load_state_dict(dict(zip(plain.state_dict(), model.state_dict().values(), strict=True)))
    images = torch.randn(3, 1, 28, 28)
    torch.testing.assert_close(model(images), plain(images))
    assert Predictor.load(path).meta.options == meta.options
    assert for_page(meta)
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", "books", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 10_000
    assert main(["export", "page", "books", "--out", str(workspace.root / "x.html")]) == 0
    assert main(["export", "state-dict", "books", "--out", str(workspace.root / "x.pth")]) == 0
    assert torch.equal(torch.load(workspace.root / "x.pth", weights_only=True)["fc3.bias"], model.fc3.bias)
    assert main(["train", *SMALL, *said[:4], "--start-from", "books", "--name", "on"]) == 0
    capsys.readouterr()
    assert main(["train", *SMALL, "--start-from", "books", "--name", "other"]) != 0
    assert "must be the same" in capsys.readouterr().err


def test_the_page_answers_as_python_does(tmp_path):
    """Every activation and pooling, through the bytes that a page is sent."""
    meta = Meta(model="lenet", classes=tuple("0123456789"), preprocess=preprocess_for(with_recipe({})))
    images, expected, files = torch.randn(3, 1, 28, 28), [], []
    for activation, pool in product(ACTIVATIONS, POOLS):
        options = network_options(with_recipe({"activation": activation, "pool": pool}))
        model = build("lenet", channels=1, classes=10, image_size=28, init="kaiming-uniform", options=options)
        path = tmp_path / f"{activation}-{pool}.safetensors"
        save_checkpoint(path, model.state_dict(), meta.model_copy(update={"options": options}))
        path.with_suffix(".page").write_bytes(page_bytes(path))
        files.append(str(path.with_suffix(".page")))
        expected.append(model(images).tolist())
    found = evaluated(
        """
      const { readTensors } = await import(`${CLASSIFY}/tensors.js`), { LeNet } = await import(`${CLASSIFY}/lenet.js`);
      const bytes = file => Uint8Array.from(fs.readFileSync(file)).buffer;
      return files.map(file => {
        const { tensors, meta } = readTensors(bytes(file)), net = new LeNet(tensors, meta);
        return images.map(image => [...net.logits(Float32Array.from(image))]);
      });
    """,
        files=files,
        images=images.flatten(1).tolist(),
    )
    torch.testing.assert_close(torch.tensor(found), torch.tensor(expected), atol=1e-4, rtol=1e-4)


def test_onnx_has_the_options_too(workspace, capsys):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    assert main(["train", *SMALL, "--activation", "tanh", "--pool", "avg", "--name", "t"]) == 0
    capsys.readouterr()
    assert main(["export", "onnx", "t", "--out", str(workspace.root / "t.onnx")]) == 0
    model, _ = load_checkpoint(workspace.checkpoints / "t" / "best.safetensors")
    import onnxruntime

    images = torch.randn(2, 1, 28, 28)
    session = onnxruntime.InferenceSession(str(workspace.root / "t.onnx"), providers=["CPUExecutionProvider"])
    with torch.inference_mode():
        expected = model(images)
    torch.testing.assert_close(
        torch.from_numpy(session.run(None, {"images": images.numpy()})[0]), expected, atol=1e-4, rtol=1e-3
    )


def test_a_run_as_ever_is_written_as_ever(workspace):
    assert main(["train", *SMALL, "--name", "plain"]) == 0
    meta = read_meta(workspace.checkpoints / "plain" / "best.safetensors")
    assert meta.format == 1 and meta.options == {} and for_page(meta)


@pytest.mark.parametrize("options", [{"activation": "evil"}, {"depth": "9"}, {"activation": "tanh"}])
def test_options_that_a_network_lacks_are_refused(tmp_path, workspace, options):
    assert main(["train", *SMALL, "--name", "plain"]) == 0
    path = workspace.checkpoints / "plain" / "best.safetensors"
    meta, state = read_meta(path), read_tensors(path)
    model = "alexnet" if options == {"activation": "tanh"} else "lenet"
    save_checkpoint(tmp_path / "x.safetensors", state, meta.model_copy(update={"options": options, "model": model}))
    with pytest.raises(CheckpointError, match=f"holds a '{model} .*a network that is not known here"):
        load_checkpoint(tmp_path / "x.safetensors")


def test_other_networks_say_that_they_have_their_own(workspace):
    with pytest.raises(SettingsError, match="activation 'tanh' is for LeNet: ResNet18 has its own"):
        check_run(with_recipe({"model": "resnet18", "activation": "tanh"}), workspace)
    check_run(with_recipe({"model": "lenet-16-32", "activation": "tanh", "pool": "avg"}), workspace)
    assert isinstance(build("lenet", channels=1, classes=3, image_size=28), LeNet)
