"""A dot, a scribble, one digit or several side by side: before any network, and what is read of them."""

import gzip
import json

import numpy as np
import pytest
from drawings import LABELS, UJI, drawn, under
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from scipy.ndimage import binary_fill_holes

from imgcls.cli.main import main
from imgcls.imaging.ink import NoInk, find_ink
from imgcls.imaging.layout import layout_of
from imgcls.imaging.strokes import render
from imgcls.inference.classify import classify
from imgcls.inference.predictor import Predictor
from imgcls.workspace import PROJECT


def kind(image):
    return layout_of(find_ink(image)).kind


def side_by_side(*numbers, size=0.36, gap=0.06, width=14):
    """Drawings of UJI next to each other on one pad."""
    whole = np.zeros((280, 280), np.uint8)
    for i, number in enumerate(numbers):
        left = 0.05 + i * (size + gap)
        place = tuple(280 * v for v in (left, 0.3, left + size, 0.3 + size))
        picture = render(UJI[number]["strokes"], side=280, width=width, box=place)
        whole = np.maximum(whole, np.asarray(picture))
    return Image.fromarray(whole)


@pytest.fixture(scope="module")
def reader():
    return Predictor.load(PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors")


@pytest.mark.parametrize("name", ["as the pad draws", "tiny", "very broad", "large", "hairline"])
def test_one_digit_is_one_digit(name):
    kinds = [kind(image) for image in under(name)]
    assert kinds.count("digit") >= 218, set(kinds)


def test_pen_digits_are_one_digit():
    drawings = json.loads(gzip.decompress((PROJECT / "data/pen-digits/pen-digits-train.json.gz").read_bytes()))[::20]
    flipped = [[[(x, 500 - y) for x, y in stroke] for stroke in d["strokes"]] for d in drawings]
    kinds = [kind(render(strokes, side=196, width=14)) for strokes in flipped]
    assert kinds.count("digit") >= 0.995 * len(kinds)


def test_digits_side_by_side_are_read_left_to_right(reader):
    random = np.random.default_rng(5)
    pairs = [tuple(random.integers(0, len(UJI), 2)) for _ in range(40)]
    made = classify(reader, [side_by_side(*pair) for pair in pairs])
    right = [r.label == "".join(LABELS[i] for i in pair) for r, pair in zip(made, pairs, strict=True)]
    assert np.mean(right) >= 0.9
    (three,) = classify(reader, [side_by_side(0, 5, 9, size=0.24)])
    assert len(three.parts) == 3 and three.label == LABELS[0] + LABELS[5] + LABELS[9]


def test_a_dot_and_a_scribble_are_not_sure(reader):
    dot = render([[(5, 5)]], side=280, width=20)
    scribble = Image.new("L", (280, 280), 255)
    pen = ImageDraw.Draw(scribble)
    for y in range(10, 280, 43):
        pen.line([(5, y), (275, y + 10)], fill=0, width=20)
    made = classify(reader, [dot, scribble])
    assert [r.doubt for r in made] == ["dot", "scribble"] and not any(r.sure for r in made)
    assert made[0].label in "0123456789"  # the answer stays


@pytest.mark.parametrize("width", [14, 20, 26])
@pytest.mark.parametrize("size", [0.2, 0.28, 0.4, 0.6])
def test_a_small_0_in_a_broad_pen_is_no_dot(size, width):
    """Whatever still has a hole that can be seen is a digit."""
    zeros = [drawing for drawing, label in zip(UJI, LABELS, strict=True) if label == "0"]
    place = tuple(280 * v for v in (0.3, 0.3, 0.3 + size, 0.3 + size))
    for drawing in zeros:
        image = render(drawing["strokes"], side=280, width=width, box=place)
        ink = np.asarray(image) > 128
        hole = np.count_nonzero(binary_fill_holes(ink) & ~ink)
        if hole > 0.01 * np.count_nonzero(ink.any(0)) * np.count_nonzero(ink.any(1)):
            assert kind(image.point(lambda v: 255 - v)) == "digit"


@pytest.mark.parametrize("size", [90, 140, 200])
def test_a_block_of_thick_lines_is_no_dot(reader, size):
    block = Image.new("L", (280, 280), 255)
    pen = ImageDraw.Draw(block)
    for y in range(40, 40 + size, 20):
        pen.line([(40, y), (40 + size, y + 8)], fill=0, width=20)
    (made,) = classify(reader, [block])
    assert made.doubt == "scribble" and not made.sure
    assert kind(render([[(5, 5)]], side=280, width=32)) == "dot"  # a touch of the broadest brush


def test_what_is_read_is_what_the_predictor_reads(reader):
    images = drawn()[::40]
    assert [r.label for r in classify(reader, images)] == [p.label for p in reader(images)]


def test_mnist_itself_is_one_digit(reader):
    image = np.zeros((28, 28), np.uint8)
    image[4:24, 13:16] = 255
    assert classify(reader, [Image.fromarray(image)])[0].label == "1"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(20, 200), st.integers(20, 200))
def test_anything_has_a_layout(seed, height, width):
    random = np.random.default_rng(seed)
    image = Image.fromarray((random.random((height, width)) < random.random()).astype(np.uint8) * 255)
    try:
        made = layout_of(find_ink(image))
    except NoInk:
        return
    assert len(made.boxes) == 1 or made.kind == "several"
    assert all(left < right and top < bottom for left, top, right, bottom in made.boxes)


def test_the_terminal_reads_as_the_page_does(tmp_path, capsys):
    render([[(5, 5)]], side=280, width=20).save(tmp_path / "a dot.png")
    side_by_side(0, 5).save(tmp_path / "two.png")
    side_by_side(0).save(tmp_path / "zero.png")
    assert main(["predict", "--checkpoint", "lenet-digits", "--json", str(tmp_path)]) == 0
    dot, two, one = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert not dot["sure"] and two["label"] == LABELS[0] + LABELS[5] and one["label"] == LABELS[0]
    assert two["top"] == [[two["label"], two["confidence"]]] and len(one["top"]) == 3
    main(["predict", "--checkpoint", "lenet-digits", str(tmp_path / "a dot.png")])
    assert capsys.readouterr().out.endswith("(not sure: a dot)\n")
