"""The lab for programs, asked as a program asks it: `gradio_client` over HTTP, files uploaded, errors one sentence."""

import base64
import contextlib
import io
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio.external import from_spaces_blocks
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image
from served import served

from imgcls.data.download import load_arrays
from imgcls.runs.reader import view
from imgcls.runs.store import find_run
from imgcls.workspace import PROJECT, Workspace

ENDPOINTS = ["/classify", "/checkpoints", "/datasets", "/train", "/runs", "/run", "/stop"]
SMALL = {"dataset": "mnist", "epochs": 1, "train_images": 256, "val_split": 100, "threads": 1}
SOON = 180  # seconds


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """(address, workspace) of a lab on one's own computer."""
    workspace = Workspace(tmp_path_factory.mktemp("api") / "lab")
    workspace.root.mkdir()
    with served(workspace) as url:
        yield url, workspace


@pytest.fixture(scope="module")
def client(lab):
    return Client(lab[0], verbose=False, httpx_kwargs={"timeout": SOON})


@pytest.fixture(scope="module")
def digit(tmp_path_factory):
    """(a picture of a digit, which one it is)."""
    images, labels = load_arrays("mnist", Workspace())["test"]
    path = tmp_path_factory.mktemp("digit") / "digit.png"
    Image.fromarray(255 - images[0, 0].numpy()).resize((300, 300)).save(path)
    return path, str(int(labels[0]))


def ended(name, workspace):
    until = time.monotonic() + SOON
    while view(find_run(name, workspace)).is_active:
        assert time.monotonic() < until
        time.sleep(0.2)
    return view(find_run(name, workspace))


def test_every_endpoint_is_described(client):
    described = client.view_api(return_format="dict")
    assert list(described["named_endpoints"]) == ENDPOINTS and not described["unnamed_endpoints"]
    for endpoint in described["named_endpoints"].values():
        assert endpoint["description"]
        assert all(parameter["description"] for parameter in endpoint["parameters"] if "description" in parameter)
    assert [p["parameter_name"] for p in described["named_endpoints"]["/classify"]["parameters"]] == [
        "image",
        "checkpoint",
    ]


def test_a_browser_gets_its_language_and_the_hub_the_description(lab):
    with httpx.Client(base_url=lab[0], follow_redirects=True) as browser:
        assert browser.get("/", headers={"Accept": "text/html", "Accept-Language": "zh-CN"}).url.path == "/zh/"
        assert list(browser.get("/gradio_api/info").json()["named_endpoints"]) == ENDPOINTS
        for page in ("en", "zh"):
            assert browser.get(f"/{page}/gradio_api/info").json()["named_endpoints"] == {}


def test_an_image_is_classified(client, digit):
    path, label = digit
    for checkpoint in ("lenet-digits/best", "lenet-digits", "lenet-mnist"):
        said = client.predict(image=handle_file(path), checkpoint=checkpoint, api_name="/classify")
        assert said["label"] == label == said["top"][0][0] and said["confidence"] == said["top"][0][1]
        assert said["sure"] is True and said["familiarity"] > 0
        assert len(said["top"]) == 10 and sum(p for _, p in said["top"]) == pytest.approx(1)
    assert client.predict(image=handle_file(path), api_name="/classify")["label"] == label


def test_the_lab_is_loaded_as_a_part_of_another_application(lab, digit):
    """What `gr.load("spaces/...")` does once it knows the Space's address."""
    loaded = from_spaces_blocks(lab[0], None)
    named = {function.api_name: function.fn for function in loaded.fns.values()}
    assert set(ENDPOINTS) <= {f"/{name}" for name in named}
    assert {"name": "mnist", "here": True} in named["datasets"]()


def test_what_there_is(client):
    assert {"lenet-digits/best", "lenet-mnist/best"} <= {
        info["checkpoint"] for info in client.predict(api_name="/checkpoints")
    }
    assert {"name": "mnist", "here": True} in client.predict(api_name="/datasets")


def test_a_run_is_started_watched_and_stopped(client, lab):
    url, workspace = lab
    name = client.predict(SMALL | {"epochs": 1000, "name": "by-program"}, api_name="/train")["run"]
    assert name == "by-program" and find_run(name, workspace).settings().lr == 0.1  # the recipe's
    assert client.predict(name, api_name="/run")["state"] in ("starting", "running")
    assert client.predict(name, api_name="/stop")["name"] == name
    assert ended(name, workspace).state == "stopped"
    said = client.predict(name, api_name="/run")
    for _ in range(200):  # the page's cache may answer with what was
        if said["state"] == "stopped":
            break
        time.sleep(0.05)
        said = client.predict(name, api_name="/run")
    assert said["state"] == "stopped" and set(said["figures"]) == {"progress", "epochs"}
    assert str(workspace.root) not in str(said)
    assert name in [run["name"] for run in client.predict(api_name="/runs")]


def test_the_documented_lines_do_what_they_say(lab, digit, monkeypatch):
    url, workspace = lab
    monkeypatch.chdir(digit[0].parent)
    code, chinese = (
        next(code for code in re.findall(r"```python\n(.*?)```", page, re.S) if "gradio_client" in code)
        for page in ((PROJECT / "docs" / f"terminal{end}.md").read_text("utf-8") for end in ("", ".zh-CN"))
    )
    assert code == chinese and len([line for line in code.splitlines() if line]) == 5
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(code.replace("http://127.0.0.1:7860", url), {})
    *_, label, told = printed.getvalue().splitlines()  # the client says first that it is loaded
    name, state = told.split()
    assert label == digit[1] and state in ("starting", "running", "finished")
    assert ended(name, workspace).state == "finished"
    assert Path(workspace.checkpoints / name / "best.safetensors").is_file()


WILD = [
    "",
    "..",
    "../lenet-digits",
    "/etc/passwd",
    "a\0b",
    "<script>alert(1)</script>",
    "x" * 1_000_000,
    "r\n",
    "💥",
    None,
]


@pytest.mark.parametrize("text", WILD, ids=range(len(WILD)))
def test_no_text_is_more_than_a_name(client, lab, digit, text):
    """Every endpoint with a text, each wild one: one short sentence, nothing written."""

    def files():
        return sorted(path for path in lab[1].root.rglob("*") if ".uploads" not in path.parts)  # the digit's own

    before = files()
    calls = [
        {"name": text, "api_name": "/run"},
        {"name": text, "api_name": "/stop"},
        {"image": handle_file(digit[0]), "checkpoint": text, "api_name": "/classify"},
        *({"settings": SMALL | {field: text}, "api_name": "/train"} for field in ("dataset", "weights", "model")),
        {"settings": SMALL | {"name": text or "../x"}, "api_name": "/train"},
        {"settings": {str(text)[:100]: 1}, "api_name": "/train"},
    ]
    if text == "":
        calls = [call for call in calls if "weights" not in call.get("settings", {})]  # empty weights are none
    for call in calls:
        with pytest.raises(AppError) as error:
            client.predict(**call)
        said = str(error.value)
        assert said and len(said) < 1000 and "Traceback" not in said and "verbose error" not in said, call
    assert files() == before


WRONG = [
    None,
    [],
    [1],
    "mnist",
    5,
    {"epochs": "many"},
    {"lr": {}},
    {"model": []},
    {"a": {"b": [{}]}},
]


@pytest.mark.parametrize("settings", WRONG, ids=map(str, WRONG))
def test_what_are_no_settings_is_a_sentence(client, settings):
    with pytest.raises(AppError) as error:
        client.predict(settings, api_name="/train")
    assert "verbose error" not in str(error.value) and len(str(error.value)) < 300


def test_a_file_that_is_no_image_is_a_sentence(client, tmp_path):
    for content in (b"", b"no image", b"\x89PNG\r\n\x1a\n" + b"\0" * 1000):
        (tmp_path / "x.png").write_bytes(content)
        with pytest.raises(AppError, match="The image"):
            client.predict(handle_file(tmp_path / "x.png"), api_name="/classify")
    with pytest.raises(AppError, match="Give an image"):
        client.predict(None, api_name="/classify")


def test_a_file_of_the_servers_is_not_opened(lab):
    """A program may name a path instead of uploading a file; only what was uploaded is read."""
    named = {"path": str(PROJECT / "imgcls/web/favicon.png"), "meta": {"_type": "gradio.FileData"}}
    with httpx.Client(base_url=lab[0]) as http:
        event = http.post("/gradio_api/call/classify", json={"data": [named, "lenet-digits"]}).json()["event_id"]
        said = http.get(f"/gradio_api/call/classify/{event}", timeout=60).text
    assert "event: error" in said and "label" not in said


def test_fifty_at_once(client, digit):
    with ThreadPoolExecutor(50) as pool:
        asked = [pool.submit(client.predict, handle_file(digit[0]), api_name="/classify") for _ in range(50)]
        assert [one.result(SOON)["label"] for one in asked] == [digit[1]] * 50


def test_a_shared_lab_keeps_its_limits_and_its_password(tmp_path, digit):
    workspace = Workspace(tmp_path / "lab")
    workspace.root.mkdir()
    with served(workspace, {"SPACE_ID": "someone/lab", "IMGCLS_PASSWORD": "tell nobody"}) as url:
        with pytest.raises(Exception, match="401|credentials"):
            Client(url, verbose=False)
        coded = "Basic " + base64.b64encode(b"me:tell nobody").decode()
        for said in ({"headers": {"Authorization": coded}}, {"httpx_kwargs": {"auth": ("anybody", "tell nobody")}}):
            client = Client(url, verbose=False, **said)
            assert client.predict(handle_file(digit[0]), api_name="/classify")["label"] == digit[1]
        for asked in ({"epochs": 21}, {"dataset": "/etc"}, {"image_size": 500}, {"batch_size": 100_000}):
            with pytest.raises(AppError):
                client.predict(SMALL | asked, api_name="/train")
        assert not list(workspace.train_logs.glob("[!.]*"))
        made = client.predict(SMALL | {"epochs": 20}, "Ann", api_name="/train")
        for key in ("", "x", made["key"][:-2]):
            with pytest.raises(AppError, match="Only Ann"):
                client.predict(made["run"], key, api_name="/stop")
        assert client.predict(made["run"], made["key"], api_name="/stop")["owner"] == "Ann"
        assert ended(made["run"], workspace).state == "stopped"
