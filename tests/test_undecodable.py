"""Names of files that are no text here, as a zip from a system with other letters leaves them: a data set like any
other, from the first look to the last mended image."""

import os
import shutil
import sys
import unicodedata

import orjson
import pytest
from asking import by_name
from photos import flowers, photo

from imgcls.checkpoints.format import read_meta
from imgcls.data import edits
from imgcls.data.image_folders import scan
from imgcls.data.report import report
from imgcls.recipes import with_recipe
from imgcls.runs import audits
from imgcls.runs.audits import Request
from imgcls.runs.evaluations import evaluate_checkpoint
from imgcls.training import events
from imgcls.training.trainer import train
from imgcls.web.data import audit, report_card
from imgcls.web.evaluate import view
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE
from imgcls.web.shared.run_cache import RunCache

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is always text")
WORDS = Translator("en")
FOLDER, CLASS = os.fsdecode(b"ros\xe9"), "ros\ufffd"


@pytest.fixture
def lab(workspace):
    root = flowers(workspace.data / "flowers", each=10, classes=("daisy", "tulip"))
    (root / FOLDER).mkdir()
    for i in range(10):
        photo("rose", i).save(root / FOLDER / os.fsdecode(b"\xe9%d.jpg" % i))
    return workspace


def answers(functions, prefix):
    """Each as the browser gets it."""
    return {
        name: lambda asked, f=f: orjson.loads(orjson.dumps(f(asked))) for name, f in by_name(functions, prefix).items()
    }


def test_it_is_looked_at_learnt_and_evaluated(lab):
    (lab.data / "flowers" / FOLDER / os.fsdecode(b"\xe9broken.jpg")).write_bytes(b"no image")
    orjson.dumps(report_card.card(report("flowers", lab), WORDS))
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "epochs": 1, "image_size": 32, "device": "cpu"})
    told = list(train(settings, workspace=lab, run="r"))
    assert isinstance(told[-1], events.Finished)
    best = lab.checkpoints / "r" / "best.safetensors"
    assert read_meta(best).classes == ("daisy", CLASS, "tulip")
    made, _ = evaluate_checkpoint(best, lab, part="all"), evaluate_checkpoint(best, lab, part="all")
    assert sum(os.path.isfile(path) for path in made.paths) == len(made.paths)
    ask = answers(view.server_functions(WORDS, RunCache(lab), ALONE), "evaluate_")
    asked = {"checkpoints": ["r/best"], "dataset": "", "part": "all"}
    assert CLASS in ask["look"](asked)["html"] and "<html" in ask["report"](asked)["html"]
    one = next(image for image in ask["images"](asked)["images"] if image["true"] == CLASS)
    assert "html" in ask["image"]({**asked, "place": one["place"]})
    change = ask["move"]({**asked, "place": one["place"], "label": "daisy"})["change"]
    assert len(list((lab.data / "flowers" / "daisy").iterdir())) == 11
    assert ask["undo"]({**asked, "change": change}) == {}


def test_what_an_audit_finds_is_mended(lab):
    root = lab.data / "flowers"
    first = os.fsdecode(b"\xe90.jpg")
    shutil.copy(root / FOLDER / first, root / FOLDER / os.fsdecode(b"\xe9again.jpg"))
    audits.make_audit(Request("flowers"), lab)
    ask, asked = answers(audit.server_functions(WORDS, lab, ALONE), "audit_"), {"dataset": "flowers"}
    twins = {**asked, "kind": "duplicate"}
    listed = ask["list"](twins)
    pair = listed["paths"][0]
    which = {**twins, "path": pair[0], "suggested": pair[1]}
    kept = ask["right"](which)
    assert ask["list"](twins)["total"] == listed["total"] - 1
    assert ask["undo"]({**asked, **kept}) == {} and ask["list"](twins)["total"] == listed["total"]
    change = ask["delete"](which)
    assert len(os.listdir(root / FOLDER)) == 10
    ask["undo"]({**asked, **change})
    assert len(os.listdir(root / FOLDER)) == 11


def test_an_image_goes_to_the_folder_that_its_class_has(lab):
    """However that folder's name is spelt: macOS spells é as e and an accent."""
    root = lab.data / "flowers"
    (root / "tulip").rename(root / unicodedata.normalize("NFD", "lélé"))
    assert scan(root).classes == ("daisy", "lélé", CLASS)
    for label, folder in ((CLASS, FOLDER), ("lélé", unicodedata.normalize("NFD", "lélé"))):
        change = edits.move_to_class("flowers", "daisy/00.jpg", label, lab)
        assert len(os.listdir(root / folder)) == 11 and len(list(root.glob("*/"))) == 3
        back = edits.move_to_class("flowers", change.after, "daisy", lab)
        assert back.after.startswith("daisy/00")
