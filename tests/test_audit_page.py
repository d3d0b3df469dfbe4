"""Look for mistakes, as the page asks for it: begun, seen, mended, taken back; kept until it is made anew."""

import shutil
from types import SimpleNamespace

import pytest
from asking import by_name
from photos import flowers

from imgcls.audit.findings import Suspect
from imgcls.cli.commands.audit import _line
from imgcls.runs import audits
from imgcls.runs.audits import Request
from imgcls.web.data import audit_card
from imgcls.web.data.audit import server_functions
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.workspace import Workspace

ASKED = {"dataset": "flowers"}


@pytest.fixture(scope="module")
def audited(tmp_path_factory):
    """Sixty flowers, of which three roses lie among the daisies, and one tulip lies there twice."""
    workspace = Workspace(tmp_path_factory.mktemp("audited"))
    root = flowers(workspace.data / "flowers", each=20)
    for i in range(3):
        shutil.move(root / "rose" / f"{i:02}.jpg", root / "daisy" / f"wrong{i}.jpg")
    shutil.copy(root / "tulip" / "00.jpg", root / "tulip" / "again.jpg")
    audits.make_audit(Request("flowers"), workspace)
    return workspace


@pytest.fixture
def lab(workspace, audited):
    shutil.copytree(audited.data, workspace.data)
    return workspace


def asking(workspace, limits=ALONE, language="en"):
    functions = server_functions(Translator(language), workspace, limits)
    return by_name(functions, "audit_")


def test_a_list_is_gone_through(lab):
    ask, root = asking(lab), lab.data / "flowers"
    seen = ask["look"](ASKED)
    assert seen["state"] == "finished" and 'data-kind="duplicate"' in seen["html"]
    labels = ask["list"]({**ASKED, "kind": "label"})
    wrong = [path for path, suggested in labels["paths"] if path.startswith("daisy/wrong") and suggested == "rose"]
    assert len(wrong) >= 2 and labels["html"].count("data:image/") >= labels["total"]

    change = ask["move"]({**ASKED, "kind": "label", "path": wrong[0]})
    assert not (root / wrong[0]).exists() and len(list((root / "rose").iterdir())) == 18
    assert ask["list"]({**ASKED, "kind": "label"})["total"] == labels["total"] - 1
    assert "error" in ask["move"]({**ASKED, "kind": "label", "path": wrong[0]})  # twice
    assert ask["undo"]({**ASKED, **change}) == {} and (root / wrong[0]).exists()
    assert ask["list"]({**ASKED, "kind": "label"})["total"] == labels["total"]

    # A photo may be of a third class: every one of them is offered, and nothing else is taken.
    assert "<option>tulip</option>" in labels["html"]
    tulips = len(list((root / "tulip").iterdir()))
    change = ask["move"]({**ASKED, "kind": "label", "path": wrong[0], "label": "tulip"})
    assert len(list((root / "tulip").iterdir())) == tulips + 1 and not (root / wrong[0]).exists()
    ask["undo"]({**ASKED, **change})
    for label in ("../x", "/etc", "no class", "x" * 1_000_000, "a\0"):
        assert "error" in ask["move"]({**ASKED, "kind": "label", "path": wrong[0], "label": label})
    assert (root / wrong[0]).exists()

    kept = ask["right"]({**ASKED, "kind": "label", "path": wrong[1]})
    assert ask["list"]({**ASKED, "kind": "label"})["total"] == labels["total"] - 1
    ask["undo"]({**ASKED, **kept})
    assert ask["list"]({**ASKED, "kind": "label"})["total"] == labels["total"]


def test_of_two_that_are_the_same_one_goes(lab):
    ask = asking(lab)
    (pair,) = (p for p in ask["list"]({**ASKED, "kind": "duplicate"})["paths"] if "tulip/again.jpg" in p)
    which = {**ASKED, "kind": "duplicate", "path": pair[0], "suggested": pair[1]}
    change = ask["delete"](which)
    assert not (lab.data / "flowers" / pair[0]).exists() and pair not in ask["list"](which)["paths"]
    ask["undo"]({**ASKED, **change})
    assert pair in ask["list"](which)["paths"]
    change = ask["delete"]({**which, "twin": True})  # either of them
    assert (lab.data / "flowers" / pair[0]).exists() and not (lab.data / "flowers" / pair[1]).exists()
    ask["undo"]({**ASKED, **change})


@pytest.mark.parametrize(("score", "said", "sign"), [(1.0, "The same picture", "="), (0.9999, "Look alike", "~")])
def test_only_the_very_same_picture_is_called_the_same(score, said, sign):
    suspect = Suspect("a/1.jpg", "a", "a/2.jpg", score, "duplicate")
    shown = audit_card.Shown(0, suspect, "", "x", "a/1.jpg", "a/2.jpg")
    html = audit_card.items([shown], ("a",), Translator("en"), own=True)
    assert said in html and "= a" not in html and "Delete the second" in html and "Delete the first" in html
    assert f"a/1.jpg {sign} a/2.jpg" in _line(suspect)


def test_visitors_see_and_change_nothing(lab):
    ask = asking(lab, SHARED)
    assert ask["look"](ASKED)["state"] == "finished" and 'class="again"' not in ask["look"](ASKED)["html"]
    shown = ask["list"]({**ASKED, "kind": "label"})
    assert "data-do" not in shown["html"]
    which = {**ASKED, "kind": "label", "path": shown["paths"][0][0]}
    for name in ("move", "delete", "right"):
        assert "error" in ask[name](which)
    assert "error" in ask["undo"]({**ASKED, "change": "x"}) and "error" in ask["stop"](ASKED)
    assert "error" in ask["look"]({**ASKED, "start": True})
    assert "error" in ask["look"]({"dataset": str(lab.data / "flowers")})


def test_only_what_was_found_can_be_changed(lab):
    ask = asking(lab)
    for path in ("../first.txt", "/etc/passwd", "tulip/05.jpg", ""):
        assert "error" in ask["delete"]({**ASKED, "kind": "label", "path": path})
    assert len(list((lab.data / "flowers").glob("*/*.jpg"))) == 61


def test_a_forged_list_names_nothing_outside(lab):
    outside = lab.data / "outside.jpg"
    shutil.copy(lab.data / "flowers" / "rose" / "05.jpg", outside)
    (kept,) = (lab.data / ".imgcls-cache" / "audits").glob("*.json")
    kept.write_text(kept.read_text("utf-8").replace("daisy/wrong0.jpg", "../outside.jpg"), "utf-8")
    shown = asking(lab)["list"]({**ASKED, "kind": "label"})
    assert not any("outside" in path for pair in shown["paths"] for path in pair)
    kept.write_text('{"version": 2, "suspects": [7]}')
    assert asking(lab)["look"](ASKED) == {"state": "none"}


@pytest.mark.parametrize("asked", [None, [], {}, {"dataset": 7, "flip": "x"}, {"dataset": "flowers", "flip": 5}])
def test_what_cannot_be_is_one_sentence(lab, asked):
    assert set(asking(lab)["look"](asked)) == {"error"}


def test_a_set_that_is_gone_or_was_never_there(lab):
    assert asking(lab)["look"]({"dataset": "nothing"}) == {"state": "none"}
    shutil.rmtree(lab.data / "flowers")
    for name in ("list", "look"):
        assert "error" in asking(lab)[name]({**ASKED, "kind": "label"})


def test_a_set_that_was_made_anew_under_its_name_has_no_list(lab):
    """With the same file names; what is mended, and what is remembered, does not make it another set."""
    ask, root = asking(lab), lab.data / "flowers"
    (path, _), *_ = ask["list"]({**ASKED, "kind": "label"})["paths"]
    ask["delete"]({**ASKED, "kind": "label", "path": path})
    ask["right"]({**ASKED, "kind": "label", "path": ask["list"]({**ASKED, "kind": "label"})["paths"][0][0]})
    assert ask["look"](ASKED)["state"] == "finished"
    shutil.rmtree(root)
    flowers(root, each=20)
    for i in range(3):
        shutil.copy(root / "tulip" / f"{i:02}.jpg", root / "daisy" / f"wrong{i}.jpg")
    assert ask["look"](ASKED) == {"state": "none"}
    assert "error" in ask["list"]({**ASKED, "kind": "label"})


def test_photos_behind_a_link_that_have_changed_leave_no_list(lab):
    root, elsewhere = lab.data / "flowers", lab.root / "elsewhere"
    (root / "rose").rename(elsewhere)
    (root / "rose").symlink_to(elsewhere)
    audits.make_audit(Request("flowers"), lab)
    assert audits.find_audit(Request("flowers"), lab) is not None
    next(elsewhere.iterdir()).unlink()
    assert audits.find_audit(Request("flowers"), lab) is None


def test_its_process_says_why_it_failed(lab):
    from imgcls.runs import background_jobs

    wanted = Request("nothing")
    folder = background_jobs.prepare(
        background_jobs.jobs_folder("audits", lab) / audits.key_of(wanted), wanted.as_dict()
    )
    assert audits.run(folder, lab) == 1
    assert "nothing" in asking(lab)["look"]({"dataset": "nothing"})["error"]


def test_flipped_on_purpose_it_says_how_many_were_found_and_mends_nothing(lab):
    audits.make_audit(Request("flowers", 0.2), lab)
    ask, asked = asking(lab), {**ASKED, "flip": 0.2}
    assert "flipped on purpose" in ask["look"](asked)["html"]
    assert "data-do" not in ask["list"]({**asked, "kind": "label"})["html"]


@pytest.mark.parametrize(
    ("limits", "host", "may"), [(ALONE, False, True), (SHARED, False, False), (SHARED, True, True)]
)
def test_who_may_begin_and_stop(lab, monkeypatch, limits, host, may):
    """In a shared lab whoever looks after it."""
    done = []
    monkeypatch.setattr(audits, "stop", lambda *_: done.append("stop"))
    monkeypatch.setattr(audits, "start", lambda *_: done.append("start"))
    people = SimpleNamespace(visitor=lambda request: SimpleNamespace(host=host))
    ask = by_name(server_functions(Translator("en"), lab, limits, people), "audit_")
    for name, more in (("stop", {}), ("look", {"start": True})):
        assert ("error" in ask[name]({**ASKED, **more})) is not may
    assert len(done) == (2 if may else 0)
