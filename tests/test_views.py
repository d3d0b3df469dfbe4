"""What the page shows: whatever a person named is escaped, and HTML stands in templates alone."""

import ast
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from markupsafe import Markup

from imgcls.data.folder_problems import Problem, listed
from imgcls.data.report import Report
from imgcls.inference.classify import Classification
from imgcls.inference.predictor import Prediction
from imgcls.messages import Message, Setting
from imgcls.recipes import with_recipe
from imgcls.runs.reader import RunView
from imgcls.runs.store import Run
from imgcls.training import events
from imgcls.training.estimate import Estimate
from imgcls.web.classify import answer_view
from imgcls.web.data import report_card
from imgcls.web.evaluate import evaluation_card
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import curves
from imgcls.web.shared.limits import Limits
from imgcls.web.train import plan_card, run_card
from imgcls.workspace import Workspace

WEB = Path(__file__).resolve().parent.parent / "imgcls" / "web"
EVIL = "<img src=x onerror=alert(1)>\"'&"
LANGUAGES = pytest.mark.parametrize("words", [Translator("en"), Translator("zh")], ids=["en", "zh"])


def safe(html):
    assert isinstance(html, Markup) and "<img src=x" not in html and "&lt;img src=x" in html


@LANGUAGES
def test_an_answer(words):
    picture = np.zeros((28, 28), np.uint8)
    top = ((EVIL, 0.75), ("b", 0.25))
    one = Prediction(EVIL, 0.75, top, picture, sure=False, nearest=EVIL)
    made = answer_view.answer(Classification(EVIL, (one,), "unfamiliar"), words)
    safe(made)
    safe(answer_view.answer(Classification(EVIL * 2, (one, one), None), words))
    assert "75.0%" in made and 'width="28"' in made and "data:image/png;base64," in made
    safe(answer_view.problem(EVIL, words))
    safe(answer_view.empty(EVIL, EVIL, words))


@LANGUAGES
def test_a_run(words, tmp_path):
    view = RunView(
        Run(EVIL, Workspace(tmp_path)),
        state="failed",
        ending=events.Failed(message=Message("{file} is cut off or damaged: save or copy it again.", file=EVIL)),
        log=(events.Note(code="x", message=Message("note: {note}", note=EVIL)),),
    )
    safe(run_card.card(view, words))
    safe(run_card.log(view, words))


@pytest.mark.parametrize(
    ("code", "said"), [("caching_features", "looks at every image first"), ("reading", "begin with the first steps")]
)
def test_a_run_says_what_its_curves_wait_for(tmp_path, code, said):
    note = events.note_of_work(code, Message("made: {made}", made=64), 64, 288, 3.0)
    view = RunView(Run("r", Workspace(tmp_path)), state="running", log=(note,))
    assert said in run_card.card(view, Translator("en"))


@pytest.mark.parametrize(("epochs", "early"), [(5, False), (50, True)])
def test_a_run_that_is_tested_says_so_and_counts_no_seconds(tmp_path, epochs, early):
    """Whether its epochs are over or its patience: then come up to nine seconds of tests and calibration."""
    settings = with_recipe({"name": "r", "epochs": epochs})
    rest = {"lr": 0.1, "images_per_second": 9000.0}
    images = {"train": 50_000, "val": 10_000, "test": 10_000}
    began = events.Started(
        run="r", classes=("0",), images=images, parameters=9, trainable=9, device="cpu", precision="fp32",
        total_steps=400 * epochs, steps_per_epoch=400,
    )  # fmt: skip
    step = events.Progress(step=2000, epoch=5, loss=0.1, accuracy=0.9, seconds_left=0.0 if not early else 99.0, **rest)
    ended = [
        events.EpochEnded(
            epoch=i, step=400 * i, train_loss=0.1, train_accuracy=0.9, val_loss=0.1, val_accuracy=0.9, seconds=9,
            best=True, **rest,
        )
        for i in range(1, 6)
    ]  # fmt: skip
    log = (began, *ended, *([events.Note(code="testing")] if early else []))
    view = RunView(
        Run("r", Workspace(tmp_path)), settings, "running", started=began, progress=(step,), epochs=(*ended,), log=log
    )
    assert "Testing on 10,000 images" in run_card.card(view, Translator("en"))
    assert "0:00" not in run_card.card(view, Translator("en"))
    taken_up = dataclasses.replace(view, started=dataclasses.replace(began, time=began.time + 99), log=log)
    assert ("Testing" in run_card.card(taken_up, Translator("en"))) is not early  # it learns on


@LANGUAGES
def test_what_learns_says_no_time_before_it_is_known(words, tmp_path, monkeypatch):
    """In place of "3.4 M parameters · …", which looks broken."""
    known = Estimate("scratch", ("conv1",), 3_400_000, 3_400_000, 9, 9, pending=True)
    monkeypatch.setattr(plan_card, "_estimates", lambda workspace: lambda settings, **_: known)
    monkeypatch.setattr(plan_card, "kind_of", lambda dataset: "photos")
    values = with_recipe({"model": "resnet18", "dataset": "mnist"}).model_dump()
    made, waiting = plan_card.modes(values, Workspace(tmp_path), Limits(), words)
    assert waiting and len(made) == 3 and all("3.4 M" in label and "…" not in label for label, _ in made)


@LANGUAGES
def test_a_report(words):
    problem = Problem("few", Message("{name} has no images: make a folder for each class.", name=EVIL))
    report = Report(
        name=EVIL, classes=(EVIL,), counts={"train": (3,)}, sizes=((1, 1),) * 3, broken=((EVIL, Message(EVIL)),),
        doubles=((EVIL, EVIL),), problems=(problem,),
    )  # fmt: skip
    made = report_card.card(report, words)
    safe(made)
    assert "width:100.0%" in made
    safe(report_card.problem(EVIL, words))


@LANGUAGES
def test_a_chart_and_a_command(words):
    safe(curves.chart(EVIL, [curves.Series(EVIL, [(0, 1.0), (1, 0.5)])], words, x_end=2, x_name=EVIL))
    safe(plan_card.terminal(EVIL, EVIL, words))


def test_a_part_of_a_data_set_is_called_by_its_name_in_each_language():
    sentence = "{name} has no readable image to use for {part}: look at its report."
    told = Message(sentence, name="test", part=Setting("part", "val"))
    assert "use for validation" in Translator("en").message(told) and "验证" in Translator("zh").message(told)
    assert "use for val:" in str(told) and Translator("zh").message(told).startswith("test ")


def test_a_long_list_of_names_ends_in_the_language_of_its_sentence():
    told = Message("{name} has no images of {classes}: left out.", name="x", classes=listed("abcdefgh"))
    assert "d, e and 3 more" in str(told)
    assert "more" not in Translator("zh").message(told) and "3" in Translator("zh").message(told)


def test_html_stands_in_templates_alone():
    found = []
    for path in sorted(WEB.rglob("*.py")):
        if path.name == "language.py":  # writes into Gradio's own page
            continue
        tree = ast.parse(path.read_text("utf-8"))
        prose = {ast.get_docstring(node, clean=False) for node in ast.walk(tree)
                 if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)}  # fmt: skip
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if text not in prose and re.search(r"(?<!\(\?P)</?[a-z]+[ >]", text):  # (?P<name> is a pattern's group
                found.append(f"{path.name}:{node.lineno}")
    assert not found


def test_a_percentage_is_written_one_way():
    """95%, without a space before the sign."""
    spaced = re.compile(r"\}\}? %(?![}\w])")
    files = [path for kind in ("*.js", "*.j2") for path in sorted(WEB.rglob(kind))]
    assert not [path.name for path in files if spaced.search(path.read_text("utf-8"))]


def test_templates_escape_whatever_is_filled_in():
    for path in WEB.rglob("*.j2"):
        assert not re.search(r"\|\s*safe|autoescape|Markup", path.read_text("utf-8")), path


def test_an_evaluation_names_what_was_measured():
    """Of two sets joined, the one that has test images."""
    from types import SimpleNamespace

    joined = SimpleNamespace(dataset="mnist+pen-digits", part="test", tta=False)
    assert evaluation_card.where(joined, Translator("en")) == "MNIST · test (pen-digits has none)"
    assert "MNIST" in evaluation_card.where(SimpleNamespace(dataset="mnist", part="val", tta=False), Translator("zh"))
