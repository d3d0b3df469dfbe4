"""What opens on demand: why, where it lies, epoch by epoch."""

import json
import re

import numpy as np
import pytest
import torch
from playwright.sync_api import expect
from test_live import SOON, opened

from imgcls.checkpoints.epochs import keep_epoch
from imgcls.checkpoints.format import Meta, replace_extra, save_checkpoint
from imgcls.imaging.preprocess import Preprocess
from imgcls.inference.calibration_fit import LayerOutputs, fit
from imgcls.inference.predictor import Predictor
from imgcls.models import build

PREPROCESS = Preprocess(
    channels=1, resize_mode="digit", storage_size=28, size=28, upscale="whole", mean=(0.0,), std=(1.0,)
)
EPOCHS = 4


@pytest.fixture(scope="session")
def planted(server):
    """A network that answers "top" where there is ink in the upper left quarter, otherwise "other"; calibrated, with
    epochs whose answers differ."""
    folder = server.root / "checkpoints" / "planted"
    folder.mkdir(parents=True, exist_ok=True)
    model = build("lenet", channels=1, classes=2, image_size=28)
    state = {name: torch.zeros_like(tensor) for name, tensor in model.state_dict().items()}
    state["conv1.weight"][0, 0, 2, 2] = 1.0
    state["conv2.weight"][0, 0, 2, 2] = 1.0
    corner = [row * 5 + column for row in (0, 1) for column in (0, 1)]
    state["fc1.weight"][0, corner] = 1.0
    state["fc2.weight"][0, 0] = 1.0
    state["fc3.weight"][0, 0] = 4.0
    state["fc3.bias"][1] = 2.0
    meta = Meta(model="lenet", classes=("top", "other"), preprocess=PREPROCESS, run="planted")
    path = folder / "best.safetensors"
    save_checkpoint(path, state, meta)
    for epoch in range(EPOCHS):
        keep_epoch(folder, epoch, {**state, "fc3.bias": torch.tensor([0.0, 8.0 - 2 * epoch])})
    predictor = Predictor.load(path)
    images = (torch.rand(60, 1, 28, 28) > 0.8).to(torch.uint8) * 255
    with torch.no_grad():
        logits, activations = predictor.run(PREPROCESS.to_input(images))
    seen = LayerOutputs(activations + 0.1 * torch.randn_like(activations), logits, logits.argmax(1))
    replace_extra(path, fit(seen, seen, features=predictor.run.features).tensors())
    return path


def chosen(page, server):
    opened(page, server)
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=re.compile("planted")).click()
    expect(page.locator("[data-panel=epochs]")).to_be_visible(timeout=SOON)
    box = page.locator("#pad canvas").bounding_box()
    for x, y in [(0.2, 0.2), (0.25, 0.35), (0.75, 0.7)]:  # two strokes above, a smaller one below
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + (x + 0.12) * box["width"], box["y"] + y * box["height"], steps=4)
        page.mouse.up()
    expect(page.get_by_test_id("answer")).to_have_text("top", timeout=SOON)


def test_the_heat_lies_where_the_answer_comes_from(page, server, planted):
    chosen(page, server)
    page.locator("[data-panel=why]").click()
    canvas = page.locator(".why canvas[data-state=done]")
    expect(canvas).to_be_visible(timeout=60_000)
    pixels = canvas.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]")
    colours = np.array(pixels, int).reshape(28, 28, 4)
    orange = np.clip(colours[..., 0] - colours[..., 2], 0, None)
    assert orange[:14, :14].sum() > 10 * orange[14:, 14:].sum() and orange.max() > 60
    page.get_by_role("button", name="other", exact=True).click()
    pixels = canvas.evaluate("c => [...c.getContext('2d').getImageData(0, 0, 28, 28).data]")
    colours = np.array(pixels, int).reshape(28, 28, 4)
    assert np.clip(colours[:14, :14, 2] - colours[:14, :14, 0], 0, None).sum() > 1000  # blue: it speaks against


def test_the_dot_moves_with_the_drawing(page, server, planted):
    chosen(page, server)
    page.locator("[data-panel=where]").click()
    place = page.locator(".where canvas").get_attribute("data-place")
    predictor = Predictor.load(planted)
    stored = page.evaluate("document.querySelector('figure.seen canvas').getContext('2d')"
                           ".getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0).join()")  # fmt: skip
    image = torch.tensor([int(v) for v in stored.split(",")], dtype=torch.uint8).view(1, 1, 28, 28)
    expected = predictor.predict_stored(image)[0].place
    assert [float(v) for v in place.split()] == pytest.approx(expected, abs=0.02)
    page.locator(".pad-undo").click()
    page.locator(".pad-undo").click()
    expect(page.locator(".where canvas")).not_to_have_attribute("data-place", place)


def test_the_slider_gives_every_saved_epoch(page, server, planted):
    chosen(page, server)
    page.locator("[data-panel=epochs]").click()
    slider = page.locator(".epoch-bar input")
    expect(slider).to_have_attribute("max", str(EPOCHS - 1), timeout=SOON)
    for epoch in range(EPOCHS):
        slider.fill(str(epoch))
        expect(page.locator(".epoch-said")).to_have_text(f"after epoch {epoch}" if epoch else "before the first step")
        page.locator(".stage.fc3 .map").nth(1).hover()
        value = float(page.locator(".sum output").get_attribute("data-value"))
        assert value == pytest.approx(8.0 - 2 * epoch, abs=1e-3)
    slider.fill("0")
    page.locator(".epoch-bar button").click()  # play
    expect(page.locator(".epoch-said")).to_have_text(f"after epoch {EPOCHS - 1}", timeout=SOON)
    slider.fill("0")
    page.locator("[data-panel=epochs]").click()  # closed: the checkpoint itself answers
    expect(page.get_by_test_id("answer")).to_have_text("top")


def test_what_does_not_look_like_its_data_is_not_sure(page, server, planted):
    """The page says of a drawing what the server says of it."""
    chosen(page, server)
    box = page.locator("#pad canvas").bounding_box()
    page.locator(".pad-clear").click()
    page.locator("[data-width='32']").click()
    for row in range(9):
        page.mouse.move(box["x"] + 20, box["y"] + 20 + row * box["height"] / 10)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 20, box["y"] + 20 + row * box["height"] / 10, steps=3)
        page.mouse.up()
    stored = page.evaluate("document.querySelector('figure.seen canvas').getContext('2d')"
                           ".getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0).join()")  # fmt: skip
    image = torch.tensor(json.loads(f"[{stored}]"), dtype=torch.uint8).view(1, 1, 28, 28)
    answer = Predictor.load(planted).predict_stored(image)[0]
    note = page.locator(".answer-note")
    if not answer.sure:
        expect(note).not_to_be_empty()
    elif note.inner_text():  # the drawing as a whole can be none of a digit however its 28x28 looks
        expect(note).to_contain_text(re.compile("a dot|Too much ink|close call"))
