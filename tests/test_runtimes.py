"""A frozen backbone in another program: the same features, kept once made, and PyTorch wherever that is not so."""

import sys
from concurrent.futures import ThreadPoolExecutor

import onnxruntime
import pytest
import torch

from imgcls.checkpoints.format import Meta, save_checkpoint
from imgcls.imaging.preprocess import IMAGENET_MEAN, IMAGENET_STD, Preprocess
from imgcls.inference import predictor as predictor_module
from imgcls.inference.calibration_fit import LayerOutputs, fit
from imgcls.inference.features import FeatureExtractor
from imgcls.inference.predictor import Predictor
from imgcls.models import build, onnx_graph, runtimes
from imgcls.models.layers import head_of

SIZE = 32
ALL = runtimes.PROGRAMS


@pytest.fixture(autouse=True)
def onnx_runtime_alone(monkeypatch):
    monkeypatch.setattr(runtimes, "PROGRAMS", ALL[:1])


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build("efficientnet-lite0", channels=3, classes=5, image_size=SIZE).eval()


@pytest.fixture
def always(monkeypatch):
    """Whatever runs it at all is taken, fast or slow."""
    monkeypatch.setattr(runtimes, "_rate", lambda run, sample: 2.0 if isinstance(run, runtimes.Elsewhere) else 1.0)


def sample(count=3):
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def chosen(model, folder, **more):
    return runtimes.fastest(model, sample(), **{"images": 1e9, "folder": folder, **more})


def plain_features(model, images):
    with torch.inference_mode():
        return runtimes.Choice(runtimes.split_backbone(model)[0]).run(images)


@pytest.mark.parametrize("program", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", ["efficientnet-lite0", "resnet18", "mobilenet_v3_small", "lenet"])
def test_its_features_are_pytorchs_for_any_number_of_images(tmp_path, always, monkeypatch, name, program):
    monkeypatch.setattr(runtimes, "PROGRAMS", tuple(row for row in ALL if program in row[1].__name__.replace("_", "")))
    torch.manual_seed(0)
    network = build(name, channels=3, classes=5, image_size=SIZE).eval()
    choice = chosen(network, tmp_path)
    assert choice.rates.keys() == {"torch", choice.name} and choice.message
    assert choice.name.startswith({"onnxruntime": "ONNX Runtime ", "openvino": "OpenVINO "}[program])
    for count in (1, 2, 7):
        expected = plain_features(network, sample(count))
        assert (choice.run(sample(count)) - expected).abs().max() <= 1e-3 * expected.abs().max()
    assert sys.modules.get("openvino_telemetry") is None


def test_it_is_exported_once_for_all_networks_that_differ_in_their_heads(tmp_path, always, model, monkeypatch):
    chosen(model, tmp_path)
    (file,) = tmp_path.iterdir()
    monkeypatch.setattr(onnx_graph, "exported", lambda *_: pytest.fail("exported again"))
    torch.nn.init.normal_(head_of(model).weight)
    assert chosen(model, tmp_path).name != "torch"
    monkeypatch.undo()
    torch.nn.init.normal_(model.conv_head.weight)
    assert chosen(model, tmp_path).name and len(list(tmp_path.iterdir())) == 2
    assert file.is_file()


@pytest.mark.parametrize("harm", ["cut off", "empty", "another's"])
def test_a_kept_file_that_is_not_whole_or_not_its_own_is_made_anew(tmp_path, always, model, harm):
    chosen(model, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    other = build("efficientnet-lite0", channels=3, classes=5, image_size=SIZE).eval()
    content = {"cut off": whole[:-1000], "empty": b"", "another's": onnx_graph.exported(other, (3, SIZE, SIZE))}
    file.write_bytes(content[harm])
    choice = chosen(model, tmp_path)
    assert choice.name != "torch" and choice.difference <= 1e-3
    assert len(file.read_bytes()) == len(whole) and onnxruntime.InferenceSession(file.read_bytes())


@pytest.mark.parametrize("missing", ["onnxruntime", "onnx"])
def test_without_the_libraries_pytorch_runs_it(tmp_path, always, model, monkeypatch, missing):
    monkeypatch.setitem(sys.modules, missing, None)
    choice = chosen(model, tmp_path)
    assert choice.name == "torch" and choice.message is None and not list(tmp_path.iterdir())
    assert torch.equal(choice.run(sample()), chosen(model, tmp_path, began="torch").run(sample()))


def test_pytorch_runs_what_the_other_does_not_run_faster(tmp_path, model, monkeypatch):
    monkeypatch.setattr(runtimes, "_rate", lambda run, sample: 1.0 if isinstance(run, runtimes.Elsewhere) else 0.97)
    assert chosen(model, tmp_path).name == "torch"
    monkeypatch.setattr(runtimes, "_rate", lambda run, sample: 1.1 if isinstance(run, runtimes.Elsewhere) else 1.0)
    assert chosen(model, tmp_path).name != "torch"


def test_pytorch_runs_what_the_other_gets_wrong(tmp_path, always, model, monkeypatch):
    monkeypatch.setattr(runtimes, "LARGEST_DIFFERENCE", -1.0)
    assert chosen(model, tmp_path).name == "torch" and not list(tmp_path.iterdir())


def test_few_images_do_not_pay_for_it(tmp_path, always, model, monkeypatch):
    each = runtimes.multiplications(model, sample()[:1])
    monkeypatch.setattr(runtimes, "WORTH", 100 * each)
    monkeypatch.setattr(runtimes, "PROGRAMS", ((lambda: pytest.fail("asked for"), None),))
    assert chosen(model, tmp_path, images=99).name == "torch"


def test_multiplications_are_those_of_the_layers():
    network = torch.nn.Sequential(
        torch.nn.Conv2d(4, 8, 3, padding=1, groups=2), torch.nn.Flatten(), torch.nn.Linear(8 * 25, 7)
    )
    assert runtimes.multiplications(network, torch.zeros(1, 4, 5, 5)) == 8 * 25 * 2 * 9 + 8 * 25 * 7


def test_an_earlier_choice_is_kept_and_not_timed_again(tmp_path, model, monkeypatch):
    monkeypatch.setattr(runtimes, "_rate", lambda *_: pytest.fail("timed"))
    name = f"ONNX Runtime {onnxruntime.__version__}"
    assert chosen(model, tmp_path, began="torch", images=1e9).name == "torch"
    assert chosen(model, tmp_path, began=name, images=1).name == name
    assert chosen(model, tmp_path, began="ONNX Runtime 0.1").name == "torch"


def test_it_has_torchs_number_of_threads(tmp_path, always, model, monkeypatch):
    asked, opened = [], onnxruntime.InferenceSession

    def session(content, options, **more):
        asked.append(options.intra_op_num_threads)
        return opened(content, options, **more)

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            assert chosen(model, tmp_path).name != "torch"
    finally:
        torch.set_num_threads(before)
    assert asked == [1, 2]


def test_two_that_export_at_once_both_have_it(tmp_path, always, model):
    with ThreadPoolExecutor(2) as pool:
        choices = list(pool.map(lambda _: chosen(model, tmp_path), range(2)))
    assert {choice.name for choice in choices} == {f"ONNX Runtime {onnxruntime.__version__}"}
    assert [path.suffix for path in tmp_path.iterdir()] == [".onnx"]


def test_the_longest_unused_graphs_go_first(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graph, "KEPT_FILES", 2)
    monkeypatch.setattr(onnx_graph, "KEPT_BYTES", 25)
    kept = []
    for number, size in enumerate((10, 10, 10, 20, 30)):
        onnx_graph.keep(b"x" * size, tmp_path / f"{number}.onnx")
        for place, path in enumerate(sorted(tmp_path.iterdir())):
            torch.os.utime(path, (place, place))
        kept.append(sorted(path.stem for path in tmp_path.iterdir()))
    assert kept == [["0"], ["0", "1"], ["1", "2"], ["3"], ["4"]]


@pytest.fixture
def checkpoint(workspace, model):
    """Of a photo network that tells five classes, calibrated."""
    form = Preprocess(
        channels=3, size=SIZE, storage_size=SIZE, resize_mode="crop", mean=IMAGENET_MEAN, std=IMAGENET_STD
    )
    meta = Meta(model="efficientnet-lite0", classes=tuple("abcde"), preprocess=form)
    images = torch.randint(0, 256, (80, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(2), dtype=torch.uint8)
    run = FeatureExtractor(model)
    with torch.inference_mode():
        logits, activations = run(form.to_input(images))
    outputs = LayerOutputs(activations, logits, torch.arange(80) % 5)
    extra = fit(outputs, outputs, features=run.features).tensors()
    path = workspace.checkpoints / "photos" / "best.safetensors"
    save_checkpoint(path, model.state_dict(), meta, extra)
    return path


def test_answers_about_photos_are_the_same_numbers(checkpoint, always, monkeypatch):
    monkeypatch.setattr(predictor_module, "OFTEN", 4)
    stored = torch.randint(0, 256, (6, 3, SIZE, SIZE), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    plain = Predictor.load(checkpoint).predict_stored(stored)
    server = Predictor.cached(checkpoint)
    weights = server.bytes
    assert server.predict_stored(stored[:3]) and server.bytes == weights  # asked seldom: PyTorch answers
    hastened = server.predict_stored(stored)
    assert server.bytes > weights
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(threads + 1)  # what was opened for another number is PyTorch's again
        again = server.predict_stored(stored)
    finally:
        torch.set_num_threads(threads)
    for answers in (hastened, again):
        for one, other in zip(plain, answers, strict=True):
            assert one.label == other.label and one.sure == other.sure and one.nearest == other.nearest
            assert one.confidence == pytest.approx(other.confidence, abs=1e-4)
            assert one.familiarity == pytest.approx(other.familiarity, abs=1e-3)


def test_what_reads_many_photos_at_once_is_hastened_while_it_does(checkpoint, always, monkeypatch):
    predictor, images = Predictor.load(checkpoint), torch.zeros(2, 3, SIZE, SIZE, dtype=torch.uint8)
    with predictor.threads(10):
        assert predictor.predict_stored(images) and not predictor.run.bytes  # too few
    monkeypatch.setattr(runtimes, "WORTH", 0)
    with predictor.threads(10):
        assert predictor.predict_stored(images) and predictor.run.bytes


def test_looking_inside_sees_what_passes_through_pytorch(checkpoint, always, monkeypatch):
    predictor = Predictor.load(checkpoint)
    predictor.run.hasten(sample(), images=1e9)
    seen = []
    layer = predictor.model.get_submodule("conv_head")
    layer.register_forward_hook(lambda *_: seen.append(1))
    with torch.inference_mode():
        predictor.run(sample())
    assert predictor.run.bytes and not seen
    predictor.model(sample())[0, 0].backward()
    assert seen and all(parameter.grad is not None for parameter in layer.parameters())
