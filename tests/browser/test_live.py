"""The page's own forward pass: the server's numbers, in the frame of the pen's move, without a request."""

import base64
import gzip
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from drawings import UJI  # noqa: E402

from imgcls.checkpoints.format import Meta, load_checkpoint, save_checkpoint  # noqa: E402
from imgcls.imaging.preprocess import Preprocess  # noqa: E402
from imgcls.inference.classify import classify  # noqa: E402
from imgcls.inference.predictor import Predictor  # noqa: E402
from imgcls.models import build  # noqa: E402
from imgcls.web.classify.browser_weights import page_bytes  # noqa: E402
from imgcls.web.shared import scripts  # noqa: E402
from imgcls.workspace import PROJECT  # noqa: E402

SOON = 40_000  # ms
SHIPPED = PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors"
READER = "classify/js/live.js"
READ = """async ([drawings, weights, script]) => {
  const { Reader } = await import(script);
  const bytes = Uint8Array.from(atob(weights), c => c.charCodeAt(0));
  const reader = new Reader(bytes.buffer), pad = document.querySelector('#pad .pad'), made = [];
  for (const strokes of drawings) {
    pad.put(strokes.map(points => ({ width: 20, points })));
    const grey = pad.grey(), read = reader.read(grey);
    made.push({ grey: btoa(String.fromCharCode(...grey.data)), stored: [...read.stored],
      probabilities: read.probabilities, familiarity: read.familiarity,
      shown: document.querySelector('[data-testid=answer]').textContent });
  }
  return made;
}"""


def reader_script(server):
    return f"{server.url}/scripts/{scripts.digest()}/{READER}"


def opened(page, server, language="en"):
    page.goto(f"{server.url}/{language}/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")  # until then the pad is elsewhere


def fitted(strokes, up=False, small=False):
    """Strokes in the middle 60 % of the pad (35 % where small), as its own pixels; `up` where y points up."""
    points = np.array([p[:2] for stroke in strokes for p in stroke], float)
    low, high = points.min(0), points.max(0)
    scale = (98 if small else 168) / max(*(high - low), 1e-9)
    middle = (low + high) / 2
    sign = np.array([1, -1 if up else 1])
    return [((np.array([p[:2] for p in stroke]) - middle) * scale * sign + 140).round(2).tolist() for stroke in strokes]


def pen_digits(count):
    file = PROJECT / "data" / "pen-digits" / "pen-digits-train.json.gz"
    drawn = json.loads(gzip.decompress(file.read_bytes()))
    return [fitted(d["strokes"], up=True) for d in drawn[:: len(drawn) // count][:count]]


def read_in_page(page, server, drawings, path):
    weights = base64.b64encode(page_bytes(path)).decode()
    script = reader_script(server)
    made = []
    for start in range(0, len(drawings), 60):
        made += page.evaluate(READ, [drawings[start : start + 60], weights, script])
    return made


def image_of(view):
    return Image.fromarray(np.frombuffer(base64.b64decode(view["grey"]), np.uint8).reshape(196, 196))


def test_page_and_server_agree_on_460_drawings(page, server):
    """28x28 within 3 grey levels on 99 %, probabilities within .01, the same label unless two are within .02."""
    opened(page, server)
    drawings = [fitted(d["strokes"]) for d in UJI] + pen_digits(240)
    assert len(drawings) == 460
    made = read_in_page(page, server, drawings, SHIPPED)
    predictor = Predictor.load(SHIPPED)
    images = [image_of(r) for r in made]
    stored = np.stack([predictor.meta.preprocess.to_stored(image).numpy().ravel() for image in images]).astype(int)
    levels = abs(stored - np.array([r["stored"] for r in made])).max(1)
    assert (levels <= 3).mean() >= 0.99, np.bincount(levels)
    answers = predictor.predict_stored(torch.from_numpy(stored.reshape(-1, 1, 28, 28)).to(torch.uint8))
    for answer, r in zip(answers, made, strict=True):
        chances = dict(answer.top)
        expected = [chances[name] for name in predictor.meta.classes]
        assert np.abs(np.array(expected) - r["probabilities"]).max() < 0.01
        assert abs(answer.familiarity - r["familiarity"]) < 0.02
        close = answer.top[0][1] - answer.top[1][1] < 0.02
        assert close or r["shown"] == answer.label


FORMS = {
    "28": {"storage_size": 28, "size": 28},
    "enlarged": {"storage_size": 28, "size": 40},
    "3 channels, cropped": {"channels": 3, "storage_size": 32, "size": 48, "upscale": "crop"},
    "as photos": {"channels": 3, "storage_size": 48, "size": 48, "resize_mode": "crop"},
    "garments": {"storage_size": 28, "size": 28, "resize_mode": "garment"},
    "square": {"storage_size": 32, "size": 32, "resize_mode": "square"},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_lenet_of_the_lab_is_computed_alike(page, server, tmp_path, form):
    said = {"channels": 1, "resize_mode": "digit"} | FORMS[form]
    means = {1: {"mean": (0.3,), "std": (0.4,)}, 3: {"mean": (0.4, 0.5, 0.6), "std": (0.2, 0.3, 0.25)}}
    preprocess = Preprocess(**said, **means[said["channels"]])
    torch.manual_seed(3)
    classes = tuple(f"class {i}" for i in range(13))
    model = build("lenet", channels=preprocess.channels, classes=13, image_size=preprocess.size)
    path = tmp_path / "best.safetensors"
    save_checkpoint(path, model.state_dict(), Meta(model="lenet", classes=classes, preprocess=preprocess))
    opened(page, server)
    made = read_in_page(page, server, [fitted(d["strokes"]) for d in UJI[::20]], path)
    predictor = Predictor.load(path)
    for answer, r in zip(predictor([image_of(r) for r in made]), made, strict=True):
        chances = dict(answer.top)
        assert np.allclose([chances[name] for name in classes], r["probabilities"], atol=1e-4)


def test_nothing_is_asked_while_one_draws(page, server, draw_three):
    opened(page, server)
    asked = []
    # What an open page asks now and then, drawing or not, is no part of it.
    page.on("request", lambda r: None if r.url.endswith("/changes") else asked.append(r.url))
    known = -1
    while known != len(asked):  # what the page asks when it opens
        known = len(asked)
        page.wait_for_timeout(1500)
    asked.clear()
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    page.locator(".pad-undo").click()
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    page.wait_for_timeout(500)
    assert not asked, asked


def test_the_answer_moves_with_the_pen(page, server):
    """It is there before the pen is lifted."""
    opened(page, server)
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=10)
    expect(page.get_by_test_id("answer")).to_have_text("1", timeout=SOON)
    page.mouse.up()


def test_a_network_that_the_page_cannot_compute_is_asked_of_the_server(page, server, draw_three):
    folder = server.root / "checkpoints" / "an-alexnet"
    folder.mkdir(parents=True, exist_ok=True)
    _, meta = load_checkpoint(SHIPPED)
    form = meta.preprocess.model_copy(update={"size": 64})
    torch.manual_seed(0)
    model = build("alexnet", channels=1, classes=10, image_size=64)
    meta = meta.model_copy(update={"model": "alexnet", "preprocess": form, "run": "an-alexnet"})
    save_checkpoint(folder / "best.safetensors", model.state_dict(), meta)
    opened(page, server)
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=re.compile("an-alexnet")).click()
    expect(page.locator("figure.seen img")).to_have_attribute("width", "64", timeout=SOON)
    expect(page.get_by_test_id("answer")).to_have_count(1)
    page.locator(".pad-clear").click()
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    draw_three(page)
    expect(page.locator("figure.seen img")).to_be_visible(timeout=SOON)
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=re.compile("lenet-digits")).click()
    expect(page.locator("figure.seen canvas")).to_be_visible(timeout=SOON)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)


def test_what_is_sent_is_small_and_kept_for_ever(server):
    import urllib.error
    import urllib.request

    script = reader_script(server)
    with urllib.request.urlopen(urllib.request.Request(script, headers={"Accept-Encoding": "gzip"})) as got:
        assert "immutable" in got.headers["Cache-Control"] and got.headers["Content-Encoding"] == "gzip"
    assert sum(len(scripts.packed(name)) for name in scripts.needed("classify/js/classify.js")) < 30_000
    assert len(page_bytes(SHIPPED)) < 560_000
    for wrong in ("/weights/0", "/weights/..%2f..%2fapp.py", f"/scripts/0/{READER}"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(server.url + wrong)
        assert refused.value.code == 404


def test_digits_side_by_side_are_boxed_and_read_as_a_number(page, server):
    opened(page, server)
    weights = base64.b64encode(page_bytes(SHIPPED)).decode()
    script = reader_script(server)
    pairs = [(0, 5), (30, 61), (102, 7), (44, 200)]
    drawings = []
    for pair in pairs:
        halves = [fitted(UJI[i]["strokes"], small=True) for i in pair]
        drawings.append([[[x + 66 * side, y] for x, y in stroke] for half, side in zip(halves, (-1, 1), strict=True)
                         for stroke in half])  # fmt: skip
    made = page.evaluate(READ, [drawings, weights, script])
    predictor = Predictor.load(SHIPPED)
    expected = classify(predictor, [image_of(r) for r in made])
    assert [r["shown"] for r in made] == [r.label for r in expected]
    assert sum(len(r["shown"]) == 2 for r in made) >= 3
    page.evaluate("drawing => document.querySelector('#pad .pad').put(drawing)",
                  [{"width": 20, "points": points} for points in drawings[0]])  # fmt: skip
    expect(page.locator(".pictures canvas")).to_have_count(2)


def test_a_dot_is_not_sure(page, server):
    opened(page, server)
    page.locator("#first").wait_for(state="detached")
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.click(box["x"] + 100, box["y"] + 100)
    expect(page.locator(".answer-note")).to_contain_text("This is a dot")
    expect(page.locator(".answer-doubt")).to_have_text("Not sure")
    block = [{"width": 20, "points": [[60, y], [180, y + 8]]} for y in range(60, 180, 20)]
    page.evaluate("drawing => document.querySelector('#pad .pad').put(drawing)", block)
    expect(page.locator(".answer-note")).to_contain_text("Too much ink")


def test_not_sure_is_the_headline_and_nothing_moves(page, server):
    """The same place for bars and panels, whether the answer counts or not; the nearest class is an aside."""
    opened(page, server)
    at = {}
    for name, strokes in (
        ("3", [[[90, 80], [130, 55], [175, 80], [135, 130], [180, 180], [135, 225], [90, 200]]]),
        ("A", [[[80, 220], [140, 50], [200, 220]], [[102, 165], [178, 165]]]),
    ):
        drawing = [{"width": 20, "points": points} for points in strokes]
        page.evaluate("drawing => document.querySelector('#pad .pad').put(drawing)", drawing)
        expect(page.locator(".answer-doubt")).to_be_visible(visible=name == "A")
        at[name] = [page.locator(part).bounding_box()["y"] for part in ("ol.bars", ".panel-buttons")]
    assert at["3"] == at["A"]
    sizes = "part => parseFloat(getComputedStyle(document.querySelector(part)).fontSize)"
    assert page.evaluate(sizes, ".answer-doubt") > 1.5 * page.evaluate(sizes, ".answer-label")
    expect(page.locator(".answer-note")).to_contain_text("none fits")


def test_somebody_else_s_digit_is_tried_before_one_has_drawn(page, server):
    opened(page, server)
    buttons = page.locator(".examples button")
    expect(buttons).to_have_count(10)
    for digit in "0123456789":
        page.get_by_role("button", name=re.compile(f": {digit}$")).click()
        expect(page.get_by_test_id("answer")).to_have_text(digit)
        assert page.locator(".answer-note").all_inner_texts() == [""]
        assert not page.locator(".answer.unsure").count()
        page.locator(".pad-clear").click()


@pytest.fixture
def lossy(browser):
    """A page whose requests may fail, which the console then says."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context.new_page()
    context.close()


def test_a_retry_does_not_bring_back_the_network_that_was_left(lossy, server):
    page = lossy
    asked, weights = [], re.compile(r"/weights/\w+$")
    page.on("request", lambda request: asked.append(request.url) if weights.search(request.url) else None)
    page.clock.install()
    page.route(weights, lambda route: route.abort())
    page.goto(f"{server.url}/en/")
    expect(page.locator("#live [role=alert]")).to_contain_text("The network could not be fetched", timeout=SOON)
    page.unroute(weights)
    gone = asked[0]
    page.locator("#first").wait_for(state="detached")
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.click(box["x"] + 100, box["y"] + 100)  # it will be tried again in a moment
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=re.compile("^lenet-mnist")).click()
    expect(page.get_by_test_id("answer")).to_be_visible(timeout=SOON)
    page.clock.fast_forward(5000)
    page.mouse.click(box["x"] + 200, box["y"] + 200)
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("^lenet-mnist"))
    assert asked.count(gone) == 1 and len(asked) == 2, asked


def test_a_part_whose_script_cannot_be_had_says_so(lossy, server):
    """As of a page that stood open while the lab was updated."""
    lossy.route("**/scripts/**/collect.js", lambda route: route.abort())
    lossy.goto(f"{server.url}/en/?tab=data&part=own")
    lossy.get_by_role("tab", name="Make your own").click(timeout=SOON)
    expect(lossy.get_by_text("A part of this page could not be loaded")).to_be_visible(timeout=SOON)


@pytest.mark.parametrize("damage", ["cut", "empty", "away"])
def test_a_network_that_comes_damaged_is_a_sentence(lossy, server, damage):
    page = lossy
    content = {"cut": page_bytes(SHIPPED)[:1000], "empty": b""}

    def answer(route):
        route.abort() if damage == "away" else route.fulfill(body=content[damage])

    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.route(re.compile(r"/weights/\w+$"), answer)
    page.goto(f"{server.url}/en/")
    expect(page.locator("#live [role=alert]")).to_contain_text("The network could not be fetched", timeout=SOON)
    page.unroute(re.compile(r"/weights/\w+$"))
    page.locator("#first").wait_for(state="detached")
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.click(box["x"] + 100, box["y"] + 100)  # the next stroke tries again
    expect(page.locator(".answer-note")).to_contain_text("This is a dot", timeout=SOON)
    assert not wrong
