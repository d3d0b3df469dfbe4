"""Drawings and photos of digits -> MNIST's 28x28: other people's pens under many conditions, and wild inputs."""

import numpy as np
import pytest
import torch
from drawings import LABELS, NAMES, UJI, drawn, photographed, seen
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from imgcls.errors import InputError
from imgcls.imaging.digits import mnist_normalize
from imgcls.imaging.ink import NoInk
from imgcls.imaging.strokes import render
from imgcls.workspace import PROJECT


def centre(made):
    ink = made.astype(float)
    y = (ink.sum(1) * (np.arange(28) + 0.5)).sum() / ink.sum()
    x = (ink.sum(0) * (np.arange(28) + 0.5)).sum() / ink.sum()
    return y, x


@pytest.fixture(scope="module")
def reader():
    from imgcls.inference.predictor import Predictor

    return Predictor.load(PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors")


def test_the_shipped_checkpoint_reads_other_peoples_digits_in_every_condition(reader):
    """>= 98.5 % is what is asked for; 220 drawings make steps of 0.45."""
    right = {}
    for name in NAMES:
        answers = reader.predict_stored(torch.from_numpy(seen(name))[:, None], top=1)
        made = [answer.label == label for answer, label in zip(answers, LABELS, strict=True)]
        right[name] = sum(made) / len(made)
    assert min(right.values()) >= 0.985, {k: v for k, v in right.items() if v < 0.985}


def test_mnist_itself_comes_back_as_it_is():
    from imgcls.data.download import load_arrays
    from imgcls.workspace import Workspace

    images = load_arrays("mnist", Workspace())["test"][0][:500, 0].numpy()
    same = sum(np.array_equal(mnist_normalize(image), image) for image in images)
    assert same >= 495


def test_size_and_place_do_not_matter():
    near = [mnist_normalize(i).astype(int) for i in drawn(size=0.3, place=(0.3, 0.6), brush=0.03)[::20]]
    far = [mnist_normalize(i).astype(int) for i in drawn(size=0.9, brush=0.09)[::20]]
    assert np.mean([abs(a - b).mean() for a, b in zip(near, far, strict=True)]) < 8  # grey levels of 255


def test_centre_of_mass_is_mnists():
    for image in drawn()[::10]:
        y, x = centre(mnist_normalize(image))
        assert abs(y - 14.5) < 0.6 and abs(x - 14.5) < 0.6


def test_polarity_and_transparency_do_not_matter():
    for image in drawn()[::30]:
        clear = Image.new("RGBA", image.size, (0, 0, 0, 0))
        clear.putalpha(image)
        expected = mnist_normalize(image).astype(int)
        for other in (ImageOps.invert(image), clear, image.convert("RGB"), image.convert("P")):
            assert abs(mnist_normalize(other).astype(int) - expected).mean() < 2


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (28, 28), (280, 280), (300, 2, 3), (50, 50, 4)])
@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_blank_says_draw_something(shape, grey):
    with pytest.raises(NoInk, match="draw something"):
        mnist_normalize(np.full(shape, grey, np.uint8))


def test_blank_noisy_paper_is_blank():
    with pytest.raises(NoInk):
        mnist_normalize(photographed(Image.new("L", (300, 300), 0)))


def test_a_dot_is_something():
    assert mnist_normalize(render([[(5, 5)]], width=20)).max() == 255


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from([1, 3, 4]), st.integers(0, 2**32 - 1))
def test_anything_gives_28_by_28_or_a_sentence(height, width, channels, seed):
    array = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    try:
        made = mnist_normalize(array[..., 0] if channels == 1 else array)
    except InputError:
        return
    assert made.shape == (28, 28) and made.dtype == np.uint8 and made.max() > 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, len(UJI) - 1), st.integers(60, 500), st.floats(0.2, 0.9), st.floats(0.02, 0.1))
def test_any_drawing_is_whole_and_in_the_box(number, side, size, brush):
    half, middle = size * side / 2, side / 2
    box = (middle - half, middle - half, middle + half, middle + half)
    made = mnist_normalize(render(UJI[number]["strokes"], side=side, width=max(1.5, brush * side * size), box=box))
    ys, xs = np.nonzero(made > 127)
    assert max(np.ptp(ys), np.ptp(xs)) <= 21 and max(np.ptp(ys), np.ptp(xs)) >= 13


@pytest.mark.parametrize("shape", [(1, 300), (2, 300), (300, 2), (512, 8), (60, 90), (200, 200)])
def test_shaded_paper_alone_is_blank_however_narrow(shape):
    """Also too narrow for a surface of second order."""
    rows, columns = (np.linspace(0, 1, side) for side in shape)
    for picture in (np.add.outer(60 * rows, 90 + 70 * columns), np.add.outer(-60 * rows**2, 250 - 70 * columns)):
        with pytest.raises(NoInk):
            mnist_normalize(picture.astype(np.uint8))
