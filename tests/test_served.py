"""A whole lab behind a real server, asked for what no page would ask for."""

import base64
import io
import re
from pathlib import Path

import httpx
import pytest
from drawings import LABELS, UJI
from photos import photo
from served import served

from imgcls.imaging.strokes import render
from imgcls.web.shared import scripts
from imgcls.web.shared.page_load import merged
from imgcls.workspace import PROJECT, Workspace


@pytest.fixture(scope="module")
def uploads(tmp_path_factory):
    """Where Gradio keeps what visitors upload."""
    folder = tmp_path_factory.mktemp("uploads")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(folder))
        yield folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory, uploads):
    workspace = Workspace(tmp_path_factory.mktemp("served") / "lab")
    workspace.root.mkdir()
    with served(workspace) as url, httpx.Client(base_url=url, timeout=300) as client:
        client.workspace = workspace
        yield client


FRAME = re.compile(r'^ +File "(.+)", line \d+', re.M)


def own_frames(log):
    """The package's own files among the frames of the tracebacks in `log`.

    Wherever the project lies: in a folder called imgcls, `imgcls/.venv/` holds frames of other packages.
    """
    return [file for file in FRAME.findall(log) if Path(file).is_relative_to(PROJECT / "imgcls")]


def test_a_traceback_is_ours_by_its_file_not_by_a_name_in_the_path():
    lines = [
        f'  File "{PROJECT}/.venv/lib/python3.11/site-packages/gradio/imgcls/queueing.py", line 1, in f',
        '  File "/somewhere/imgcls/.venv/lib/python3.11/site-packages/starlette/routing.py", line 2, in g',
        f"    open('{PROJECT}/imgcls/errors.py')",
    ]
    assert not own_frames("\n".join(lines))
    ours = f"{PROJECT}/imgcls/errors.py"
    assert own_frames("\n".join([*lines, f'  File "{ours}", line 3, in <module>'])) == [ours]


def call(lab, page, dependency, data):
    """What the page's event answers: its data, or its error; never one of the server's own."""
    asked = {"fn_index": dependency["id"], "data": data, "session_hash": "x", "event_data": None, "trigger_id": None}
    joined = lab.post(f"{page}/gradio_api/queue/join", json=asked)
    assert joined.status_code < 500, joined.text
    if joined.status_code != 200:
        return joined.text
    told = lab.get(f"{page}/gradio_api/queue/data", params={"session_hash": "x"})
    assert told.status_code < 500, told.text
    return told.text


FOREIGN = [str(PROJECT / "README.md"), "http://127.0.0.1:1/x"]


@pytest.mark.parametrize("path", FOREIGN)
@pytest.mark.parametrize("page", ["/en", ""])
def test_no_event_takes_a_file_that_was_not_uploaded(lab, uploads, page, path):
    """Whatever an event takes, a "file" in it is one that a visitor has uploaded: no path, no address."""
    named = {"path": path, "meta": {"_type": "gradio.FileData"}}
    taking = [event for event in lab.get(f"{page}/config").json()["dependencies"] if event["inputs"]]
    assert len(taking) >= 4
    for event in taking:
        told = call(lab, page, event, [named] * len(event["inputs"]))
        assert "gradio_api/file=" not in told and "Traceback" not in told, event
    assert not [file for file in uploads.rglob("*") if file.is_file()]


WILD = [None, "../../x", "a\0<script>alert(1)</script>" * 5_000, [["x"]]]


@pytest.mark.parametrize("text", WILD, ids=range(len(WILD)))
@pytest.mark.parametrize("page", ["/en", ""])
def test_whatever_an_event_is_given_the_lab_has_an_answer(lab, capsys, page, text):
    """Every event out of order, with values that no page sends: no code of ours falls over, nothing is written."""
    before, fell = sorted(lab.workspace.root.rglob("*")), []
    for event in lab.get(f"{page}/config").json()["dependencies"]:
        if event["backend_fn"]:
            call(lab, page, event, [text] * len(event["inputs"]))
            fell += [told for told in [capsys.readouterr().err] if own_frames(told)]
    assert not fell, "\n".join(fell)
    assert sorted(lab.workspace.root.rglob("*")) == before


@pytest.mark.parametrize("page", ["/en", "/zh", ""])
def test_no_two_handlers_of_an_event_wait_for_their_turn(lab, page):
    """Gradio calls all handlers of an event anew when one that waited has ended: two would call each other for ever."""
    waiting = {}
    for event in lab.get(f"{page}/config").json()["dependencies"]:
        if event["backend_fn"] and event["trigger_mode"] == "always_last":
            for target, name in event["targets"]:
                if target is not None:
                    waiting.setdefault((target, name), []).append(event["id"])
    assert not {key: events for key, events in waiting.items() if len(events) > 1}


ONE_LINE = re.compile(
    r"(?:element\.inert = true; )?import\(new URL\('\.\./scripts/(\w+)/([\w/]+\.js)', document\.baseURI\)\)"
    r"\.then\(of => (?:\{ element\.inert = false; )?of\.(\w+)\(\{ [\w, ]+ \}\);?(?: \})?"
    r", \(\) => \{ [^{]*(?:\{ detail: element \}\)\);)?[^{]* \}\);(?: // [\w', ]+)?"
)
CALL = re.compile(r"import\(new URL\('\.\./scripts/(\w+)/([\w/]+\.js)', document\.baseURI\)\)\)\.(\w+)\(")


@pytest.mark.parametrize("page", ["/en", "/zh"])
def test_gradio_is_given_one_line_of_a_component_s_script(lab, page):
    """Which imports a module that is there, and calls what it exports; so do the events."""
    config = lab.get(f"{page}/config").json()
    scripts_of = [one["props"].get("js_on_load") for one in config["components"] if one["type"] == "html"]
    lines = [script for script in scripts_of if script and not script.startswith("element.addEventListener('click', f")]
    found = [ONE_LINE.fullmatch(line) for line in lines]
    assert len(lines) >= 15 and not [line for line, match in zip(lines, found, strict=True) if not match]
    called = [match.groups() for match in found]
    called += [call for one in config["dependencies"] for call in CALL.findall(one["js"] or "")]
    assert len(called) > 40
    for digest, name, function in set(called):
        exported = re.search(rf"^export (?:async )?function {function}\(", scripts.modules()[name].decode(), re.M)
        assert digest == scripts.digest() and exported, (name, function)


@pytest.mark.parametrize("page", ["/en", "/zh"])
def test_a_page_that_is_opened_asks_once_for_all_of_its_tabs(lab, page):
    """Nineteen calls stood between a page and its answers before."""
    config = lab.get(f"{page}/config").json()
    at_load = [one for one in config["dependencies"] if any(event == "load" for _, event in one["targets"])]
    assert len([one for one in at_load if one["backend_fn"]]) == 1
    asked = next(one for one in at_load if one["backend_fn"])
    assert len(set(asked["outputs"])) == len(asked["outputs"]) >= 40
    following = [one for one in config["dependencies"] if one["trigger_after"] == asked["id"]]
    assert following and not [one for one in following if one["backend_fn"]]


def test_an_update_stands_over_an_earlier_one():
    def update(**said):
        return {"__type__": "update", **said}

    assert merged(update(value=1, choices=[1]), update(choices=[1, 2])) == update(value=1, choices=[1, 2])
    assert merged(update(value=1), update()) == update(value=1)
    assert merged(3, update(visible=False)) == update(value=3, visible=False)
    assert merged(update(visible=False), "a") == update(visible=False, value="a")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_page_s_address_is_found_as_one_types_it(lab, language):
    said = lab.get(f"/{language}?tab=train&a=%2F", follow_redirects=False)
    assert said.status_code == 307 and said.headers["location"] == f"{language}/?tab=train&a=%2F"
    assert "<html" in lab.get(f"/{language}", follow_redirects=True).text


@pytest.mark.parametrize("page", ["/en", ""])
def test_the_server_fetches_nothing_for_a_visitor(lab, page):
    for path in (
        "file=http://127.0.0.1:1/",
        "file=https://example.org/",
        "proxy=https://a.hf.space/",
        "file/http://x/",
    ):
        assert lab.get(f"{page}/gradio_api/{path}").status_code >= 400
    for path in ("/etc/passwd", str(PROJECT / "README.md"), "../../README.md"):
        assert lab.get(f"{page}/gradio_api/file={path}").status_code >= 400


def test_a_drawing_is_answered_without_an_event(lab):
    """What the pad asks at each stroke for a network that the page does not compute."""
    picture = render(UJI[3]["strokes"], side=196, width=14).point(lambda v: 255 - v)
    file = io.BytesIO()
    picture.save(file, "PNG")
    asked = {"drawing": "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()}
    said = lab.post("/drawn/en", json=asked | {"checkpoint": "lenet-digits/best"})
    assert re.search(r'data-testid="answer">(.)<', said.text)[1] == LABELS[3] and said.text.count("<li") == 10
    assert "画点什么" in lab.post("/drawn/zh", json={"drawing": "none", "checkpoint": "lenet-digits/best"}).text
    for drawing, checkpoint in (("none", "no/best"), (7, "lenet-digits/best"), (asked["drawing"], "../x")):
        said = lab.post("/drawn/en", json={"drawing": drawing, "checkpoint": checkpoint})
        assert said.status_code == 200 and 'role="alert"' in said.text
    assert lab.post("/drawn/en", content=b"[" * 9000).status_code == 422
    assert lab.post("/drawn/en", content=b"[" + b"[]," * 300_000 + b"[]]").status_code == 413
    said = lab.post("/drawn/en", json={"drawing": asked["drawing"], "checkpoint": None})
    assert "None" not in said.text and 'role="alert"' in said.text
    assert lab.post("/drawn/xx", json=asked | {"checkpoint": "lenet-digits/best"}).status_code == 404
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert lab.post("/drawn/en", json=asked, headers=foreign).status_code == 403


def test_a_look_of_the_camera_is_answered_and_what_is_none_gets_a_sentence(lab):
    file = io.BytesIO()
    photo("rose", 1).save(file, "JPEG")
    picture = "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
    said = lab.post("/seen/en", json={"picture": picture, "checkpoint": "imagenet/best"})
    assert 'data-testid="answer"' in said.text and 'role="alert"' not in said.text
    for wrong in (None, "", 7, [], picture[:-40] + "\0", "data:image/png;base64,AAAA", picture + "A" * 300_000):
        said = lab.post("/seen/zh", json={"picture": wrong, "checkpoint": "imagenet/best"})
        assert said.status_code == 200 and "摄像头" in said.text and 'role="alert"' in said.text
    for wrong in ("[]", '"x"', "{}", '{"picture": "x"}', "[" * 9000):
        assert lab.post("/seen/en", content=wrong.encode()).status_code == 422
