"""A class over HTTP: who somebody is, whose runs are whose, what only the host may, and what attackers get."""

import base64
import io
import shutil
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import pytest
from itsdangerous import URLSafeTimedSerializer
from lenets import FORM
from PIL import Image
from starlette.testclient import TestClient

from imgcls.checkpoints.format import Meta, save_checkpoint
from imgcls.checkpoints.import_weights import check_room
from imgcls.errors import CheckpointError, DatasetError, RunError, SettingsError
from imgcls.models import build
from imgcls.recipes import with_recipe
from imgcls.runs import queue
from imgcls.runs.launcher import start_run
from imgcls.runs.lifecycle import create_run
from imgcls.runs.state import Owner
from imgcls.runs.store import Run
from imgcls.web.app import create_app
from imgcls.web.classroom.join_link import address
from imgcls.web.data.collect import room_for_one_more
from imgcls.web.data.tab import DataTab
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.hosting import hosting
from imgcls.web.server.security import TRIES
from imgcls.web.shared import run_cache
from imgcls.web.shared.identity import People, User
from imgcls.web.shared.run_cache import RunCache
from imgcls.workspace import PROJECT, Workspace

LAB = "http://192.168.1.7:7860"
SHARED = {"IMGCLS_HOST": "192.168.1.7", "IMGCLS_HOST_PASSWORD": "tell nobody"}
_file = io.BytesIO()
Image.new("L", (64, 64), 255).save(_file, "PNG")
DRAWING = "data:image/png;base64," + base64.b64encode(_file.getvalue()).decode()
EVIL = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """(application, workspace) of a shared lab."""
    workspace = Workspace(tmp_path_factory.mktemp("class") / "lab")
    workspace.root.mkdir()
    return create_app(hosting(env=SHARED), workspace), workspace


@pytest.fixture
def clean(lab, monkeypatch):
    """The workspace with one run that goes on: its process is this one. Every answer is made anew."""
    monkeypatch.setattr(run_cache, "TTL_S", 0.0)
    for folder in lab[1].train_logs.glob("[!.]*"):
        Run(folder.name, lab[1]).logs.joinpath("state.json").unlink(missing_ok=True)
    (lab[1].train_logs / queue.CLOSED).unlink(missing_ok=True)
    create_run(with_recipe({}), lab[1])
    return lab[1]


def browser(lab, nickname=None):
    made = TestClient(lab[0], base_url=LAB)
    if nickname is not None:
        assert post(made, "nickname", nickname=nickname).status_code == 200
    return made


def post(client, path, **asked):
    return client.post(f"/class/{path}", json=asked)


def waiting(workspace, nickname, client):
    """A run of whoever has the cookies of `client`, in the queue."""
    people = People(workspace, shared=True)
    (cookie,) = [value for name, value in client.cookies.items() if "who" in name]
    owner = people.owner(cookie.strip('"'))
    assert owner.nickname.startswith(nickname)  # "Ann 2" where another Ann has been here
    name = start_run(with_recipe({}), workspace, at_once=1, wait=True, owner=owner).name
    return name


def names(workspace):
    return [name for name, _ in queue.waiting(workspace)]


def test_ones_own_can_be_withdrawn_and_nobody_elses(lab, clean):
    ann, ben = browser(lab, "Ann"), browser(lab, "Ann")  # who call themselves the same
    name = waiting(clean, "Ann", ann)
    for somebody in (ben, browser(lab)):
        got = post(somebody, "do", what="stop", run=name)
        assert got.status_code == 403 and got.json()["error"].startswith("Only Ann")
        assert 'data-do="stop"' not in somebody.get("/class").json()["html"]
    assert 'data-do="stop"' in ann.get("/class").json()["html"] and names(clean) == [name]
    assert post(ann, "do", what="stop", run=name).status_code == 200 and names(clean) == []


def test_a_nickname_may_change_and_the_runs_stay(lab, clean):
    ann = browser(lab, "Ann")
    name = waiting(clean, "Ann", ann)
    assert post(ann, "nickname", nickname="Anna").json()["nickname"].startswith("Anna")
    assert post(ann, "do", what="stop", run=name).status_code == 200


def test_only_the_host_reorders_removes_and_closes(lab, clean):
    ann = browser(lab, "Ann")
    first, second, third = (waiting(clean, "Ann", ann) for _ in range(3))
    for what in ("up", "down", "remove", "close", "reopen", "explode", None, ["stop"], 5):
        for somebody in (ann, browser(lab)):
            assert post(somebody, "do", what=what, run=first).status_code == 403
    assert names(clean) == [first, second, third] and not queue.is_closed(clean)
    host = browser(lab)
    assert post(host, "host", password="guess").status_code == 403
    assert post(host, "host", password="tell nobody").json()["host"] is True
    for what, run, left in (
        ("up", third, [first, third, second]),
        ("down", first, [third, first, second]),
        ("up", third, [third, first, second]),
        ("up", "nobody", [third, first, second]),
        ("stop", first, [third, second]),
        ("remove", second, [third]),
    ):
        post(host, "do", what=what, run=run)
        assert names(clean) == left
    assert "Closed" in post(host, "do", what="close").json()["html"]
    assert "Closed" in browser(lab).get("/class").json()["html"]
    with pytest.raises(Exception, match="queue is closed"):
        waiting(clean, "Ann", ann)
    assert post(host, "do", what="reopen").status_code == 200 and not queue.is_closed(clean)
    assert post(host, "leave").json()["host"] is False
    assert post(host, "do", what="close").status_code == 403


def test_where_a_lab_is_full_its_host_makes_room(lab, clean):
    """What visitors kept has no run behind it; their data sets are folders."""
    run = create_run(with_recipe({"name": "trained"}), clean)
    meta = Meta(model="lenet", classes=("a", "b"), preprocess=FORM, run="any")
    weights = build("lenet", channels=1, classes=10, image_size=28).state_dict()
    for name in ("kept", "imported", run.name):
        save_checkpoint(clean.checkpoints / name / "best.safetensors", weights, meta)
    (clean.data / "pets" / "cat").mkdir(parents=True)
    with pytest.raises(CheckpointError, match="2 networks .*its host"):
        check_room(clean, 2)
    with pytest.raises(DatasetError, match="its host"):
        room_for_one_more(clean, replace(hosting(env=SHARED).limits, data_sets=1))
    host = browser(lab)
    post(host, "host", password="tell nobody")
    assert "delete-network" not in browser(lab).get("/class").json()["html"]
    html = host.get("/class").json()["html"]
    assert html.count('data-do="delete-network"') == 2 and "2 networks that visitors kept" in html
    assert post(browser(lab), "do", what="delete-network", run="kept").status_code == 403
    for other in ("trained", "lenet-digits", "..", "", "../data/pets", None, 5):
        assert post(host, "do", what="delete-network", run=other).status_code == 403
    assert "1 network that a visitor kept" in post(host, "do", what="delete-network", run="kept").json()["html"]
    assert not (clean.checkpoints / "kept").exists() and run.best.is_file()
    check_room(clean, 2)

    people = SimpleNamespace(visitor=lambda request: User(host=request == "host"))
    context = SimpleNamespace(
        translate=Translator("en"), run_cache=RunCache(clean), limits=hosting(env=SHARED).limits, people=people
    )
    tab = DataTab(context, SimpleNamespace(form=None))
    assert [tab.usable(who, "pets")[-1]["visible"] for who in ("host", "guest")] == [True, False]
    with pytest.raises(RunError, match="nothing is deleted"):
        tab.remove("guest", "pets")
    tab.remove("host", "pets")
    assert not (clean.data / "pets").exists()


@pytest.mark.parametrize(
    "forged",
    ["host", "x" * 100_000, "", "Imhvc3Qi.aSMkZA.x", URLSafeTimedSerializer("guess", "host").dumps("host")],
    ids=["plain", "long", "empty", "old", "guessed"],  # the last one's text is another every second
)
def test_a_forged_cookie_is_nobodys(lab, clean, forged):
    names_of = {part: People(clean, shared=True)._name(part) for part in ("who", "host")}
    for said in names_of.values():
        stranger = browser(lab)
        got = stranger.get("/class", headers={"Cookie": f"{said}={forged}"})
        assert (got.json()["nickname"], got.json()["host"]) == ("", False)
        refused = stranger.post("/class/do", json={"what": "close"}, headers={"Cookie": f"{said}={forged}"})
        assert refused.status_code == 403


def test_a_visitors_cookie_makes_no_host(lab, clean):
    """Signed by the lab itself, for another purpose."""
    ann = browser(lab, "host")
    (said,) = ann.cookies.values()
    name = People(clean, shared=True)._name("host")
    assert browser(lab).get("/class", headers={"Cookie": f"{name}={said}"}).json()["host"] is False


def test_a_new_password_ends_what_the_one_before_opened(workspace):
    one, two = (People(workspace, shared=True, host_password=word) for word in ("first", "second"))
    said = one._signer("host").dumps(["host", "x"])
    assert one._is_host(said) and not two._is_host(said)
    nobody = People(workspace, shared=True)
    assert not nobody._is_host(nobody._signer("host").dumps(["host", "x"]))
    assert not People(workspace, shared=True).is_password("")


def test_guessing_the_hosts_password_is_slow(workspace):
    client = TestClient(create_app(hosting(env=SHARED), workspace), base_url=LAB)
    for _ in range(TRIES):
        assert post(client, "host", password="guess").status_code == 403
    got = post(client, "host", password="guess")
    assert got.status_code == 403 and "Too many" in got.json()["error"]
    # The right one opens, whoever has guessed behind the same router.
    assert post(client, "host", password="tell nobody").json()["host"] is True


@pytest.mark.parametrize(
    "said",
    [
        "x" * 1_000_000,
        "x" * 25,
        "",
        "   ",
        "\u202egninnur",
        "a\0b",
        "\u3164",
        "\u2800 \u115f",
        "\u0301",
        None,
        5,
        ["Ann"],
        {},
    ],
)
def test_what_is_no_nickname_is_a_sentence(lab, clean, said):
    client = browser(lab)
    got = post(client, "nickname", nickname=said, language="zh")
    assert got.status_code == 403 and len(got.json()["error"]) < 100 and "昵称" in got.json()["error"]
    assert not client.cookies


def test_markup_in_a_nickname_is_text(lab, clean):
    client = browser(lab, EVIL[:24])
    waiting(clean, EVIL[:24], client)
    html = client.get("/class").json()["html"]
    assert "<img" not in html and "&lt;img" in html


@pytest.mark.parametrize("run", ["", "..", "../x", "/etc/passwd", "a\0b", "x" * 100_000, EVIL, None, 5, {}])
def test_no_text_is_more_than_a_runs_name(lab, clean, run):
    host = browser(lab)
    post(host, "host", password="tell nobody")
    before = sorted(clean.root.rglob("*"))
    for what in ("stop", "remove"):
        got = post(host, "do", what=what, run=run)
        assert got.status_code == 403 and str(clean.root) not in got.text and len(got.json()["error"]) < 200
    assert sorted(clean.root.rglob("*")) == before


def test_what_is_no_object_or_comes_from_another_page_is_refused(lab):
    client = browser(lab)
    for path in ("nickname", "host", "leave", "do"):
        for body in ("", "[]", "[" * 100_000, "5", "{", r'"\ud800"', "Infinity"):
            got = client.post(f"/class/{path}", content=body, headers={"Content-Type": "application/json"})
            assert 400 <= got.status_code < 500
        assert post(client, path).headers.get("set-cookie", "").count("who") == 0
        got = client.post(f"/class/{path}", json={}, headers={"Origin": "http://evil.example"})
        assert got.status_code == 403 and got.text.startswith("Only the lab's own page")


def test_fifty_starts_at_once_from_two_servers(workspace):
    """One begins; a person has three in the queue, all together sixty."""
    create_run(with_recipe({"name": "first"}), workspace)
    owners = [Owner(str(i % 10), f"n{i % 10}") for i in range(50)]

    def ask(owner):
        try:
            return start_run(with_recipe({}), workspace, at_once=1, wait=True, owner=owner).name
        except Exception as error:
            return str(error)

    with ThreadPoolExecutor(25) as pool:
        said = list(pool.map(ask, owners))
    assert len(names(workspace)) == 30 and sum("3 runs of yours" in one for one in said) == 20
    for i in range(40):
        ask(Owner(f"more{i}", "x"))
    assert len(names(workspace)) == queue.MAX_WAITING


def test_the_secret_is_the_servers_alone_and_outlives_it(workspace):
    one, two = (People(workspace, shared=True) for _ in range(2))
    owner = one.named("  Ann\u0041\u030a  B ")
    assert owner.nickname == "AnnÅ B" and two.owner(one.signed(owner)) == owner
    path = workspace.train_logs / ".secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(path.read_bytes()) == 32
    path.write_bytes(b"cut")  # what a full disk may leave
    assert len(People(workspace, shared=True).secret()) == 32


def test_on_ones_own_computer_nobody_is_asked(workspace):
    client = TestClient(create_app(hosting(env={}), workspace), base_url="http://127.0.0.1:7860")
    assert client.get("/class").json() == {"nickname": "", "host": True, "html": "", "busy": False}
    assert "--host 0.0.0.0" in client.get("/class/join").json()["html"]
    assert not (workspace.train_logs / ".secret").exists()


def test_the_address_that_students_type(lab):
    html = browser(lab).get("/class/join?language=zh").json()["html"]
    assert LAB in html and "data:image/svg+xml" in html and "加入" in html
    shown = {
        ("127.0.0.1:7860", "192.168.1.7"): LAB,  # the teacher's own browser, on the computer itself
        ("lab.local:7860", "192.168.1.7"): "http://lab.local:7860",
        ("localhost", "127.0.0.1"): None,
    }
    for (asked, host), url in shown.items():
        assert address(hosting(host=host, env={}), port=7860, host_header=asked) == url
    behind = hosting(env={"IMGCLS_ALLOWED_HOSTS": "lab.example.org"})
    assert address(behind, port=7860, host_header="127.0.0.1:7860") == "https://lab.example.org"
    space = hosting(env={"SPACE_ID": "a/b", "SPACE_HOST": "a-b.hf.space"})
    assert address(space, port=7860) == "https://a-b.hf.space"


def test_a_copy_of_a_hosts_cookie_is_worth_nothing_after_logging_out(lab, clean):
    """On every server of the workspace."""
    host, copy, other = browser(lab), browser(lab), browser(lab)
    post(host, "host", password="tell nobody")
    post(other, "host", password="tell nobody")
    copy.cookies.update(host.cookies)
    assert copy.get("/class").json()["host"] is True
    assert post(host, "leave").json()["host"] is False
    assert copy.get("/class").json()["host"] is False and other.get("/class").json()["host"] is True
    second = TestClient(create_app(hosting(env=SHARED), clean), base_url=LAB, cookies=copy.cookies)
    assert second.get("/class").json()["host"] is False
    second.cookies = other.cookies
    assert second.get("/class").json()["host"] is True


def test_two_people_are_told_apart(workspace):
    people = People(workspace, shared=True)
    ann = people.named("Ann")
    assert people.named("ann").nickname == "ann 2" and people.named("Ann").nickname == "Ann 3"
    assert people.named("Ann", ann) == ann  # who is known already keeps it
    long = people.named("x" * 24).nickname
    assert people.named("x" * 24).nickname not in (long, "x" * 24)
    create_run(with_recipe({"name": "first"}), workspace)
    start_run(with_recipe({}), workspace, at_once=1, wait=True, owner=Owner("elsewhere", "Ben"))
    assert People(workspace, shared=True).named("Ben").nickname == "Ben 2"  # whom another server has seen


def test_what_a_program_gets_opens_no_page(workspace):
    people = People(workspace, shared=True)
    owner = people.named("Ann")
    key = people.key(owner)
    assert people.owner_of_key(key) == owner and people.owner(key) is None
    assert people.owner_of_key(people.signed(owner)) is None


def test_a_place_in_the_queue_costs_an_address(lab, clean):
    """A nickname costs nothing."""
    people, near, far = People(clean, shared=True), "10.0.0.7", "10.0.0.8"

    def ask(address, name):
        request = SimpleNamespace(client=SimpleNamespace(host=address))
        owner = people.at(request, people.named(name))
        return start_run(with_recipe({}), clean, at_once=1, wait=True, owner=owner).name

    first = [ask(near, f"n{i}") for i in range(queue.WAITING_EACH)]
    with pytest.raises(Exception, match="3 runs from your address"):
        ask(near, "another")
    with pytest.raises(Exception, match="3 runs from your address"):
        ask(f"::ffff:{near}", "another")
    other = ask(far, "n0")
    assert names(clean) == [*first, other]
    host = browser(lab)
    post(host, "host", password="tell nobody")
    assert host.get("/class").json()["html"].count('data-do="remove-address"') == queue.WAITING_EACH
    assert "remove-address" not in browser(lab).get("/class").json()["html"]
    assert post(browser(lab), "do", what="remove-address", run=first[0]).status_code == 403
    post(host, "do", what="remove-address", run=first[1])
    assert names(clean) == [other]


def test_a_lab_behind_one_address_can_have_more_of_them_wait():
    assert hosting(env={"IMGCLS_WAITING_EACH": "30"}).limits.waiting_each == 30
    with pytest.raises(SettingsError, match="IMGCLS_WAITING_EACH"):
        hosting(env={"IMGCLS_WAITING_EACH": "0"})


def test_no_sentence_tells_where_the_lab_lies(lab, clean):
    """A checkpoint that cannot be read, a set that is not there: by their names, not by the server's folders."""
    broken = clean.checkpoints / "broken" / "best.safetensors"
    weights = build("lenet", channels=1, classes=10, image_size=28).state_dict()
    save_checkpoint(broken, weights, Meta(model="lenet", classes=("a", "b"), preprocess=FORM, run="broken"))
    client = browser(lab)
    said = [client.post("/drawn/en", json={"drawing": DRAWING, "checkpoint": "broken/best"}).text]
    for error in (DatasetError("No set in {path}.", path=clean.data), CheckpointError("{path}!", path=broken)):
        said += [Translator(language).message(error.message) for language in ("en", "zh")]
    assert "broken/best.safetensors" in said[0] and "No set in data" in said[1]
    for one in said:
        assert str(clean.root) not in one and str(PROJECT) not in one
    shutil.rmtree(broken.parent)
