"""A report: one file that asks for nothing, in both languages, with what differs between its runs."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from photos import flowers as photos
from test_evaluate_page import ASKED, asking
from test_evaluations import made

from imgcls.cli.main import main
from imgcls.recipes import needed, with_recipe
from imgcls.runs.evaluations import evaluate_checkpoint
from imgcls.web.evaluate.report import report, settings_table
from imgcls.web.i18n.translator import Translator

EVIL = "<img src=x onerror=alert(1)>"


class Read(HTMLParser):
    """Every tag and every address in it."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.addresses, self.handlers = [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.addresses += [value for name, value in attributes if name in ("src", "href", "action", "data")]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]


@pytest.fixture
def lab(workspace):
    photos(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    return workspace


def test_two_runs_in_one_file(lab):
    paths = [made(lab, "first"), made(lab, "second", seed=1)]
    html = report(paths, [evaluate_checkpoint(path, lab) for path in paths], lab)
    read = Read(html)
    assert "script" not in read.tags and not read.handlers and "link" not in read.tags
    assert read.addresses and all(url.startswith("data:image/") for url in read.addresses)
    assert not re.search(r"url\((?!data:)|@import", html)
    assert "default-src 'none'" in html
    assert str(lab.root) not in html  # nobody learns where it was written
    assert html.count('lang="zh-CN"') == 2 and "设置" in html and "Settings" in html
    assert "McNemar" in html and html.count('class="matrix"') == 4
    assert "python -m imgcls train --dataset flowers --model lenet" in html


def test_without_evaluation_it_says_so(lab):
    assert "It has not been evaluated" in report([made(lab, "first")], [None], lab)


def test_a_folder_whose_images_have_gone(lab):
    path = made(lab, "first")
    kept = evaluate_checkpoint(path, lab)
    for image in (lab.data / "flowers").glob("*/*.jpg"):
        image.unlink()
    assert 'class="matrix"' in report([path], [kept], lab)


def test_only_the_differences_of_several():
    words = Translator("en")
    first, second = (with_recipe({"dataset": "mnist", "lr": lr, "name": name}) for lr, name in ((0.1, "a"), (0.2, "b")))
    differing, same = settings_table([first, second], words)
    assert differing == [(words.setting("lr"), ["0.1", "0.2"])]
    assert (words.setting("dataset"), "MNIST") in same
    assert settings_table([first], words)[0] == []


def test_names_are_escaped(lab):
    path = made(lab, "first")
    kept = evaluate_checkpoint(path, lab)
    html = report([path], [replace(kept, classes=(EVIL, "rose"), dataset=EVIL)], lab)
    assert EVIL not in html and "&lt;img src=x" in html


@pytest.mark.parametrize(
    "said",
    [
        {}, {"lr": 0.5}, {"optimizer": "adamw"}, {"optimizer": "adamw", "lr": 0.01}, {"dataset": "flowers"},
        {"dataset": "cifar10", "transfer": "scratch", "model": "resnet18"}, {"flip_labels": 0.2, "seed": 9},
    ],
)  # fmt: skip
def test_its_command_gives_the_same_settings(said):
    settings = with_recipe(said)
    assert with_recipe(needed(settings)) == settings


def test_from_the_terminal(lab, capsys, monkeypatch, tmp_path):
    made(lab, "first")
    made(lab, "second", seed=1)
    monkeypatch.chdir(tmp_path)
    paths = [str(lab.checkpoints / name / "best.safetensors") for name in ("first", "second")]
    assert main(["report", *paths]) == 0
    assert "first.html" in capsys.readouterr().out and "<html" in Path("first.html").read_text("utf-8")
    first = Path("first.html").read_bytes()
    assert main(["report", paths[0]]) == 0 and "first-2.html" in capsys.readouterr().out
    assert Path("first.html").read_bytes() == first and Path("first-2.html").is_file()
    assert main(["report", paths[0], paths[0]]) == 2


def test_from_the_page(lab):
    evaluate_checkpoint(made(lab, "first"), lab, dataset="flowers", part="val")
    answer = asking(lab)["report"](ASKED)
    assert answer["name"] == "first.html" and "<html" in answer["html"]
    assert "error" in asking(lab)["report"]({**ASKED, "part": "train"})  # nobody has evaluated that
