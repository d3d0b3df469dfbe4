"""The class board: who wants to sends a point, everybody sees it, the host hides and clears."""

import json
import threading

import httpx
import pytest
from served import served

from imgcls.errors import RunError
from imgcls.runs import class_board
from imgcls.runs.class_board import ClassBoard
from imgcls.runs.state import Owner

PASSWORD = "the teacher's"
SAID = {
    "what": "send",
    "accuracy": 0.973,
    "seconds": 4.2,
    "dataset": "mnist",
    "model": "lenet",
    "images": 5000,
    "settings": {"lr": 0.05, "epochs": 8, "seed": 3, "init": "xavier-uniform", "evil": "<script>"},
}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    from imgcls.workspace import Workspace

    workspace = Workspace(tmp_path_factory.mktemp("lab"))
    with served(workspace, {"IMGCLS_HOST": "0.0.0.0", "IMGCLS_HOST_PASSWORD": PASSWORD}) as url:
        yield url


@pytest.fixture
def person(lab):
    """`person(nickname)`: a browser of that person's."""
    made = []

    def come(nickname=None):
        client = httpx.Client(base_url=lab, timeout=60)
        made.append(client)
        if nickname:
            assert client.post("/class/nickname", json={"nickname": nickname}).status_code == 200
        return client

    yield come
    for client in made:
        client.close()


def board(client, **said):
    return client.post("/class/board", content=json.dumps(said)) if said else client.get("/class/board")


def test_a_class_sends_looks_hides_and_clears(person, monkeypatch):
    ann, ben, stranger, host = person("Ann"), person("Ben"), person(), person("Host")
    assert board(stranger).json() == {"host": False, "points": []}
    assert board(stranger, **SAID).status_code == 403  # of nobody
    assert board(ann, **SAID).status_code == 200
    assert "One at a time" in board(ann, **SAID).json()["error"]
    assert board(ben, **SAID | {"accuracy": 0.9}).status_code == 200
    points = board(stranger).json()["points"]
    assert [(one["nickname"], one["accuracy"]) for one in points] == [("Ann", 0.973), ("Ben", 0.9)]
    assert points[0]["settings"]["lr"] == 0.05 and points[0]["settings"]["init"] == "xavier-uniform"
    assert not {"who", "address"} & points[0].keys() and "evil" not in points[0]["settings"]
    for what in ("clear", "hide", "show", "other"):
        assert board(ann, what=what, id=points[0]["id"]).status_code == 403
    assert host.post("/class/host", json={"password": PASSWORD}).status_code == 200
    assert board(host, what="hide", id=points[0]["id"]).json()["points"][0]["hidden"]
    assert [one["nickname"] for one in board(ann).json()["points"]] == ["Ben"]
    assert board(host, what="show", id=points[0]["id"]).status_code == 200
    assert len(board(ann).json()["points"]) == 2
    assert board(host, what="clear").json()["points"] == [] == board(ann).json()["points"]


WRONG = {
    "accuracy": {"accuracy": 1.2},
    "no number": {"accuracy": "NaN"},
    "seconds": {"seconds": -1},
    "for ever": {"seconds": float("inf")},
    "settings": {"settings": {"lr": -3}},
    "no settings": {"settings": 7},
    "model": {"model": "nothing"},
    "path": {"dataset": "../../etc"},
    "long": {"settings": {"lr": 0.1, "x": "y" * 5000}},
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_point_is_refused(person, what):
    one = person(f"Wrong {what}")
    answer = board(one, **SAID | WRONG[what])
    assert answer.status_code == 403 and "The board takes an accuracy and settings" in answer.json()["error"]
    for content in (b"", b"[]", b"[" * 3000, b"null"):
        assert one.post("/class/board", content=content).status_code == 403


def test_the_board_holds_so_many_of_one_and_of_all(workspace, monkeypatch):
    """A flood from one address pushes nobody else's out."""
    made, now = ClassBoard(workspace), [1000.0]
    monkeypatch.setattr(class_board.time, "time", lambda: now[0])

    def send(person, address="school"):
        now[0] += 3
        return made.send(SAID, Owner(person, person, address))

    for _ in range(class_board.POINTS_EACH + 3):
        send("Ann")
    assert len(made.points()) == class_board.POINTS_EACH
    monkeypatch.setattr(class_board, "MAX_POINTS", 30)
    for i in range(60):
        send(f"bot {i}", "elsewhere")
    points = made.points()
    assert len(points) == 30 and sum(one.nickname == "Ann" for one in points) == class_board.POINTS_EACH
    monkeypatch.setattr(class_board, "MAX_POINTS", 400)
    now[0] += 100
    with pytest.raises(RunError, match="One at a time"):
        for i in range(class_board.A_MINUTE + 1):
            made.send(SAID, Owner(f"fast {i}", f"fast {i}", "elsewhere"))
    made.file.write_text("damaged")
    assert made.points() == []


def test_thirty_at_once_are_all_there(workspace):
    made = ClassBoard(workspace)
    threads = [threading.Thread(target=made.send, args=(SAID, Owner(str(i), str(i), "school"))) for i in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.nickname for one in made.points()}) == 30
