"""A checkpoint knows when it does not know: on drawings of strangers, on letters of an alphabet never seen."""

import copy
import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from doodles import HOUSES, OTHERS, SMILEYS, by_hands
from drawings import seen
from scipy.optimize import minimize_scalar

from imgcls.checkpoints.format import load_checkpoint, read_extra, read_tensors, replace_extra, save_checkpoint
from imgcls.cli.main import main
from imgcls.data.datasets import DataSet
from imgcls.data.download import load_arrays
from imgcls.data.negatives import draw_negatives, load_drawings
from imgcls.data.pen_digits import read_drawings
from imgcls.data.splitting import Split
from imgcls.errors import CheckpointError
from imgcls.files import write_bytes
from imgcls.imaging.digits import mnist_normalize
from imgcls.imaging.strokes import render
from imgcls.inference.calibration import Calibration
from imgcls.inference.calibration_fit import fit_temperature
from imgcls.inference.metrics import calibration_error
from imgcls.inference.predictor import Predictor
from imgcls.models import build
from imgcls.models.transfer import split_backbone
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.training.calibrate import calibrate
from imgcls.workspace import PROJECT, Workspace

DIGITS = PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors"
# Simplex and script letters of A. V. Hershey's stroke fonts (National Bureau of Standards), unknown to any training.
LETTERS = json.loads((Path(__file__).parent / "letters-hershey.json").read_text())
LIKE_DIGITS = set("oOlIisSzZbBgqQD")


def answers(pictures, path=DIGITS):
    return Predictor.cached(path).predict_stored(torch.from_numpy(np.stack(pictures))[:, None], top=1)


def flagged(pictures):
    return np.mean([not answer.sure for answer in answers(pictures)])


@pytest.mark.parametrize("condition", ["as the pad draws", "small", "broad", "dark on white", "photographed"])
def test_digits_of_strangers_pass(condition):
    assert flagged(seen(condition)) <= 0.025


@pytest.mark.parametrize("width", [10, 20])
def test_letters_are_flagged(width):
    pictures = [mnist_normalize(render(d["strokes"], width=width)) for d in LETTERS if d["letter"] not in LIKE_DIGITS]
    assert len(pictures) == 74 and flagged(pictures) >= 0.8


@pytest.mark.parametrize("width", [10, 20])
@pytest.mark.parametrize(("doodles", "least"), [(HOUSES, 0.9), (SMILEYS, 0.9), (list(OTHERS.values()), 0.85)])
def test_doodles_are_flagged(doodles, least, width):
    """What a class draws first to fool a network that knows digits alone."""
    drawn = [hand for i, strokes in enumerate(doodles) for hand in by_hands(strokes, 8, seed=i)]
    assert flagged([mnist_normalize(render(strokes, width=width)) for strokes in drawn]) >= least


def test_scribbles_and_pairs_are_flagged():
    random = np.random.default_rng(77)
    scribbles = [[random.uniform(0, 100, (30, 2)).tolist()] for _ in range(50)]
    assert flagged([mnist_normalize(render(s, width=12)) for s in scribbles]) >= 0.9
    drawings, labels = read_drawings(PROJECT / "data" / "pen-digits" / "pen-digits-train.json.gz")
    pairs = [
        [[[x, 500 - y] for x, y in s] for s in a] + [[[x + 400, 500 - y] for x, y in s] for s in b]
        for a, b in zip(drawings[-60:-30], drawings[-30:], strict=True)
    ]
    assert flagged([mnist_normalize(render(p, width=12)) for p in pairs]) >= 0.9


def test_ninety_percent_sure_is_right_nine_times_of_ten():
    images, labels = load_arrays("mnist", Workspace())["test"]
    made = Predictor.cached(DIGITS).predict_stored(images, top=1)
    confidence = torch.tensor([answer.confidence for answer in made])
    right = torch.tensor([int(answer.label) for answer in made]) == labels
    assert calibration_error(confidence, right)[0] <= 0.01
    assert np.mean([answer.sure for answer in made]) >= 0.97


def test_it_is_small_and_apart_from_the_weights():
    extra = read_extra(DIGITS)
    assert sum(t.numel() * t.element_size() for t in extra.values()) <= 300_000
    bytes_of_map = sum(extra[n].numel() * extra[n].element_size() for n in ("axes", "origin", "points", "labels"))
    assert bytes_of_map <= 20_000 and len(extra["points"]) == 1000
    model, _ = load_checkpoint(DIGITS)
    assert not [name for name in model.state_dict() if "calibration" in name]
    names = {name for name in read_tensors(DIGITS) if not name.startswith("calibration/")}
    assert names == set(model.state_dict())


def test_the_answer_carries_it():
    (answer,) = answers(seen("as the pad draws")[:1])
    assert answer.sure and answer.familiarity > 0.5 and answer.nearest == answer.label
    assert all(-1.5 <= x <= 1.5 for x in answer.place)


def test_an_older_checkpoint_is_read_and_can_be_calibrated(tmp_path):
    path = tmp_path / "old" / "best.safetensors"
    model, meta = load_checkpoint(DIGITS)
    save_checkpoint(path, model.state_dict(), meta)
    (answer,) = answers(seen("as the pad draws")[:1], path)
    assert answer.sure and answer.familiarity is None
    replace_extra(path, once())
    (answer,) = answers(seen("as the pad draws")[:1], path)
    assert answer.familiarity is not None
    again, same = load_checkpoint(path)
    assert same == meta and all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))


def test_a_run_that_goes_on_is_not_calibrated_under_its_hands(workspace, capsys):
    run = create_run(with_recipe({"name": "goes-on"}), workspace)
    before = DIGITS.read_bytes()
    write_bytes(run.best, before)
    assert main(["calibrate", "goes-on"]) == 2 and "goes-on is still running" in capsys.readouterr().err
    assert run.best.read_bytes() == before


@cache
def once():
    return few(*load_checkpoint(DIGITS))


def few(model, meta):
    images, labels = load_arrays("mnist", Workspace())["test"]
    data = DataSet(
        "mnist", meta.classes, Split(images[:2000], labels[:2000]), Split(images[2000:3000], labels[2000:3000]), None,
        meta.preprocess,
    )  # fmt: skip
    return calibrate(model, data)


def test_the_same_data_give_the_same_calibration():
    model, meta = load_checkpoint(DIGITS)
    state = torch.random.get_rng_state()
    first, second = once(), few(model, meta)
    assert first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize(
    "change",
    [
        {"whitening": torch.zeros(84, 83)},
        {"means": torch.zeros(9, 84)},
        {"temperature": torch.tensor([-1.0])},
        {"detector_weight_1": torch.zeros(64, 7)},
        {"points": torch.zeros(3, 3)},
        {"neighbour_features": torch.zeros(1, 84), "neighbour_names": torch.zeros(4, dtype=torch.uint8)},
    ],
)
def test_what_does_not_fit_is_one_sentence(change, tmp_path):
    path = tmp_path / "best.safetensors"
    path.write_bytes(DIGITS.read_bytes())
    replace_extra(path, read_extra(path) | change)
    with pytest.raises(CheckpointError, match="calibrate it again"):
        Predictor.load(path)


def test_the_temperature_is_scipys():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(0, 5, (5000,), generator=generator)
    logits = torch.randn(5000, 5, generator=generator)
    logits[torch.arange(5000), labels] += 1
    logits *= 3  # three times too sure

    def loss(log):
        return float(torch.nn.functional.cross_entropy(logits.double() / np.exp(log), labels))

    wanted = np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)
    assert fit_temperature(logits, labels) == pytest.approx(wanted, rel=0.02) and wanted > 2


def only_its_head(model):
    """A network that cannot look at an image."""
    blind = copy.deepcopy(model)
    blind.layer1 = torch.nn.Linear(1, 1)
    return blind


def test_photos_far_from_any_class_are_foreign(tmp_path):
    """A network of photos: by distance, with its training images as neighbours."""
    torch.manual_seed(0)
    settings = with_recipe({"model": "resnet18", "dataset": "photos", "image_size": 32})
    form = preprocess_for(settings)
    model = build("resnet18", channels=3, classes=2, image_size=32).eval()
    labels = torch.arange(80) // 40

    def drawn():
        plain = (90 + 70 * labels.float())[:, None, None, None].expand(80, 3, 32, 32)
        return (plain + 8 * torch.randn_like(plain)).clamp(0, 255).to(torch.uint8)

    images = drawn()
    paths = tuple(f"/somewhere/secret/photos/{'ab'[i // 40]}/{i}.jpg" for i in range(80))
    data = DataSet("photos", ("a", "b"), Split(images, labels, paths=paths), Split(drawn(), labels), None, form)
    extra = calibrate(model, data)
    assert sum(t.numel() * t.element_size() for t in extra.values()) <= 1_000_000
    # A run that kept the features of its images does not ask the network again.
    with torch.inference_mode():
        backbone = split_backbone(model)[0]
        known = {part: backbone(form.to_input(getattr(data, part).images)) for part in ("train", "val")}
    for name, tensor in calibrate(only_its_head(model), data, features=known).items():
        torch.testing.assert_close(tensor, extra[name], rtol=1e-3, atol=1e-3)
    little = replace(data, val=data.val.take(torch.arange(34, 46)))
    unsure = Calibration.from_tensors(calibrate(model, little), features=512, activation_count=514, classes=2)
    made = Calibration.from_tensors(extra, features=512, activation_count=514, classes=2)
    predictor = Predictor(model, None, made)
    _, activations = predictor.run(form.to_input(images))
    assert (made.familiarity(predictor.run(form.to_input(drawn()))[1])[0] >= 0.5).float().mean() >= 0.9
    nearest = made.nearest(activations[:1], 3)[0]
    assert nearest[0] == "a/0.jpg" and len(nearest) == 3
    noise = torch.randint(0, 256, (20, 3, 32, 32), dtype=torch.uint8)
    foreign = predictor.run(form.to_input(noise))[1]
    assert (made.familiarity(foreign)[0] < 0.5).all()
    # Twelve validation images do not tell what is far: nothing is called strange on their word.
    assert (unsure.familiarity(foreign)[0] >= 0.5).all()


def test_drawings_that_are_no_digit_are_made_by_seed():
    known = read_drawings(PROJECT / "data" / "pen-digits" / "pen-digits-train.json.gz")
    first, again = (draw_negatives(known, count=44, seed=3) for _ in range(2))
    assert first == again and len(first) == 44 and draw_negatives(known, count=44, seed=4) != first
    kept, held_out = load_drawings()
    assert (len(kept.others), len(kept.digits), len(held_out.others), len(held_out.digits)) == (12000, 3000, 0, 749)
