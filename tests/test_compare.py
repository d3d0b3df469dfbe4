"""Compare: one picture through several checkpoints, and through one's kept epochs, as the page asks the server."""

import base64
import io
import re

import pytest
from asking import by_name
from lenets import lenet
from PIL import Image, ImageDraw

from imgcls.web.classify.compare import server_functions
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache


def drawing(at=(60, 20, 60, 170)):
    image = Image.new("L", (196, 196), 255)
    ImageDraw.Draw(image).line(at, fill=0, width=14)
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"drawing": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()}


def asking(workspace, limits=ALONE, language="en"):
    return by_name(server_functions(Translator(language), RunCache(workspace), limits))


def label(html):
    return re.search(r"compared-head\"><strong[^>]*>(.*?)<", html)[1]


@pytest.fixture
def lab(workspace):
    lenet(workspace, "threes", always=3, epochs=5)
    lenet(workspace, "letters", classes=("a", "b"), always=1)
    return workspace


def test_those_of_its_classes_come_first_the_others_apart(lab):
    listed = asking(lab)["compare_list"]({"checkpoint": "threes/best"})
    same, others = ([one["key"] for one in listed[name]] for name in ("same", "others"))
    assert same[0] == "threes/best" and {"lenet-digits/best", "lenet-mnist/best"} <= set(same)
    assert {"letters/best", "imagenet/best"} <= set(others)
    assert [key for key in same if "@" in key] == ["threes/best@0", "threes/best@1", "threes/best@4"]
    assert "threes/best" in listed["chosen"] and not any("@" in key for key in listed["chosen"])
    assert listed["most"] == ALONE.compare > asking(lab, SHARED)["compare_list"]({"checkpoint": "threes/best"})["most"]


def test_each_answers_with_what_it_saw(lab):
    ask = asking(lab)["compare_one"]
    one = ask({**drawing(), "key": "lenet-digits/best"})["html"]
    assert label(one) == "1" and one.count("<img") == 1 and re.search(r"LeNet · 0\.2 MB · [\d.]+ ms", one)
    assert label(ask({**drawing(), "key": "threes/best"})["html"]) == "3"
    assert label(ask({**drawing(), "key": "letters/best"})["html"]) == "b"
    assert "网络" in asking(lab, language="zh")["compare_one"]({**drawing(), "key": "threes/best"})["html"]


def test_epochs_against_each_other(lab):
    ask = asking(lab)["compare_one"]
    assert [label(ask({**drawing(), "key": f"threes/best@{n}"})["html"]) for n in (0, 1, 4)] == ["0", "1", "4"]
    assert label(ask({**drawing(), "key": "threes/best"})["html"]) == "3"  # the checkpoint itself is as it was


@pytest.mark.parametrize(
    "asked",
    [
        {}, {"key": "threes/best"}, {"key": "no/best", **drawing()}, {"key": "threes/best@9", **drawing()},
        {"key": "../x@1", **drawing()}, {"key": "threes/best", "drawing": "x" * 10}, {"key": "threes/best", "photo": 7},
        {"key": "threes/best", "photo": "/etc/passwd"}, {"key": "threes/best", "drawing": drawing((0, 0, 0, 0))},
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(lab, asked):
    answer = asking(lab)["compare_one"](asked)
    assert set(answer) == {"error"} and answer["error"].endswith(".")


def test_a_photo_is_only_one_that_was_uploaded(lab, tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    for path in (folder / "bar.png", tmp_path / "mine.png"):
        Image.linear_gradient("L").point(lambda v: 255 * (v > 200)).save(path)
    (folder / "link.png").symlink_to(tmp_path / "mine.png")
    ask = asking(lab)["compare_one"]
    assert "html" in ask({"key": "threes/best", "photo": str(folder / "bar.png")})
    for path in (tmp_path / "mine.png", folder / "link.png", folder / ".." / "mine.png", folder):
        assert "hour" in ask({"key": "threes/best", "photo": str(path)})["error"]
