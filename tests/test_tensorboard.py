"""TensorBoard below the lab's own address: for its host only, with nothing of the request that says who asks, and gone
when the server is."""

import http.client
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from imgcls.web.server import tensorboard
from imgcls.web.shared.identity import People

pytestmark = pytest.mark.skipif(not tensorboard.is_installed(), reason="TensorBoard is not installed")


@pytest.fixture
def board(workspace):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(workspace.train_logs / "first")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    app = FastAPI()
    made = tensorboard.add_routes(app, workspace.train_logs, People(workspace, shared=False))
    yield SimpleNamespace(client=TestClient(app), board=made)
    made.close()


def test_it_opens_below_the_labs_address_and_ends_with_it(board):
    answer = board.client.get("/tensorboard/", headers={"Authorization": "Basic secret", "Cookie": "who=me"})
    assert answer.status_code == 200 and "<title>TensorBoard" in answer.text
    assert "content-security-policy" not in answer.headers  # the lab's own door sets it
    assert "first" in board.client.get("/tensorboard/data/runs").json()
    assert board.client.get("/tensorboard/a b%0d%0ac").status_code == 404
    process, port = board.board._process, board.board._port
    direct = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    direct.request("GET", "/")  # another program of this computer does not know the path
    assert direct.getresponse().status == 404
    process.stdin.close()  # as when the server is killed
    process.wait(20)
    assert board.client.get("/tensorboard/data/runs").status_code == 200  # begun anew
    again = board.board._process
    board.board.close()
    again.wait(20)


def test_what_says_who_asks_does_not_go_on(board, monkeypatch):
    asked = []
    monkeypatch.setattr(
        board.board,
        "ask",
        lambda method, path, headers, body: asked.append((path, headers)) or tensorboard.Answer(200, {}, b""),
    )
    board.client.get("/tensorboard/data?tag=a%20b", headers={"Authorization": "x", "Cookie": "y", "Accept": "z"})
    assert asked[0][0] == "/data?tag=a%20b"
    assert not {"authorization", "cookie", "host"} & {name.lower() for name in asked[0][1]}


def test_in_a_shared_lab_only_its_host_opens_it(workspace, monkeypatch):
    app = FastAPI()
    made = tensorboard.add_routes(app, workspace.train_logs, People(workspace, shared=True, host_password="x"))
    assert TestClient(app).get("/tensorboard/").status_code == 403 and made._process is None


def test_one_that_does_not_start_is_told(workspace, monkeypatch):
    monkeypatch.setattr(tensorboard, "PROGRAM", "import sys; sys.exit('no such thing')")
    app = FastAPI()
    tensorboard.add_routes(app, workspace.train_logs, People(workspace, shared=False))
    answer = TestClient(app).get("/tensorboard/")
    assert answer.status_code == 502 and "no such thing" in answer.text
