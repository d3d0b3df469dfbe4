"""TensorBoard below the lab's own address: for its host only, with nothing of the request that says who asks, at a path
that no other user of the computer can find, and gone when the server is."""

import http.client
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient
from waiting import wait_until

from imgcls.errors import ServeError
from imgcls.web.server import tensorboard
from imgcls.web.shared.identity import People
from imgcls.web.shared.work_gate import work_here

pytestmark = pytest.mark.skipif(not tensorboard.is_installed(), reason="TensorBoard is not installed")
PAGE = tensorboard.ForwardedResponse(200, {}, b"")
NEVER_SERVES = "import time; time.sleep(60)"


def lab_of(workspace, **people):
    app, people = FastAPI(), People(workspace, **{"shared": False, **people})
    board = tensorboard.add_routes(app, workspace.train_logs, people)

    @app.get("/become-host")
    def become_host(request: Request) -> Response:
        response = Response()
        people.remember_host(response, request)
        return response

    return SimpleNamespace(client=TestClient(app), board=board)


@pytest.fixture
def lab(workspace):
    lab = lab_of(workspace)
    yield lab
    lab.board.close()


def status_of(port, path):
    """As another program of this computer would ask."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


def test_it_opens_below_the_labs_address_and_ends_with_it(lab, workspace, tmp_path, monkeypatch):
    from torch.utils.tensorboard import SummaryWriter

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with SummaryWriter(str(workspace.train_logs / "first")) as writer:
        writer.add_scalar("loss", 0.5, 1)
    answer = lab.client.get("/tensorboard/", headers={"Authorization": "Basic secret", "Cookie": "who=me"})
    assert answer.status_code == 200 and "<title>TensorBoard" in answer.text
    assert "content-security-policy" not in answer.headers  # the lab's own door sets it
    assert "first" in lab.client.get("/tensorboard/data/runs").json()
    assert lab.client.get("/tensorboard/a b%0d%0ac").status_code == 404
    process, port, prefix = lab.board._process, lab.board._port, lab.board._prefix
    # Another program of this computer needs the path, and finds it neither in the process list nor in a file.
    assert status_of(port, "/data/runs") == 404 and status_of(port, f"{prefix}/data/runs") == 200
    if (command := Path(f"/proc/{process.pid}/cmdline")).exists():
        assert prefix.encode() not in command.read_bytes()
    assert not [path for path in tmp_path.rglob("*.info") if prefix in path.read_text()]
    process.stdin.close()  # as when the server is killed
    process.wait(20)
    assert lab.client.get("/tensorboard/data/runs").status_code == 200  # begun anew
    again = lab.board._process
    lab.board.close()
    assert again.poll() is not None
    assert lab.client.get("/tensorboard/data/runs").status_code == 502 and lab.board._process is again


def test_what_says_who_asks_does_not_go_on(lab, monkeypatch):
    asked = []
    monkeypatch.setattr(lab.board, "ask", lambda method, path, headers, body: asked.append((path, headers)) or PAGE)
    lab.client.get("/tensorboard/data?tag=a%20b", headers={"Authorization": "x", "Cookie": "y", "Accept": "z"})
    assert asked[0][0] == "/data?tag=a%20b"
    assert not {"authorization", "cookie", "host"} & {name.lower() for name in asked[0][1]}


def test_in_a_shared_lab_only_its_host_opens_it(workspace, monkeypatch):
    lab = lab_of(workspace, shared=True, host_password="x")
    monkeypatch.setattr(lab.board, "ask", lambda *_: PAGE)
    refused = lab.client.get("/tensorboard/", headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    assert refused.status_code == 403 and refused.text == "只有实验室管理者可以打开 TensorBoard。"
    lab.client.get("/become-host")
    assert lab.client.get("/tensorboard/").status_code == 200


@pytest.mark.parametrize(("site", "status"), [("cross-site", 403), ("same-origin", 200), ("none", 200)])
def test_another_sites_page_does_not_begin_it(lab, monkeypatch, site, status):
    monkeypatch.setattr(lab.board, "ask", lambda *_: PAGE)
    assert lab.client.get("/tensorboard/", headers={"Sec-Fetch-Site": site}).status_code == status


def test_downloads_do_not_wait_while_it_starts(lab, monkeypatch):
    begun, released, given_up = threading.Semaphore(0), threading.Event(), threading.Event()

    def start_for_long(*_):
        begun.release()
        if not released.wait(3):
            given_up.set()
        return PAGE

    monkeypatch.setattr(lab.board, "ask", start_for_long)
    pages = [threading.Thread(target=lab.client.get, args=["/tensorboard/"]) for _ in range(2)]
    for page in pages:
        page.start()
    assert all(begun.acquire(timeout=20) for _ in pages)
    assert work_here("download", None, lambda: not given_up.is_set())
    released.set()
    for page in pages:
        page.join(20)


def test_closing_waits_for_no_start_and_leaves_no_process(lab, monkeypatch):
    monkeypatch.setattr(tensorboard, "PROGRAM", NEVER_SERVES)
    refusals = []

    def open_it():
        with pytest.raises(ServeError) as refusal:
            lab.board.ask("GET", "/", {}, b"")
        refusals.append(refusal)

    first, queued = (threading.Thread(target=open_it, daemon=True) for _ in range(2))
    first.start()
    wait_until(lambda: lab.board._process is not None)
    queued.start()
    process, began = lab.board._process, time.monotonic()
    lab.board.close()
    assert time.monotonic() - began < 10 and process.poll() is not None
    first.join(20), queued.join(20)
    assert len(refusals) == 2 and lab.board._process is process  # the one in the queue began no other


def test_one_that_nobody_asks_ends(lab, monkeypatch):
    monkeypatch.setattr(
        tensorboard,
        "PROGRAM",
        f"import sys; print(' at http://127.0.0.1:9/', file=sys.stderr, flush=True); {NEVER_SERVES}",
    )
    monkeypatch.setattr(tensorboard, "IDLE_S", 0.5)
    lab.board._running_port()
    process = lab.board._process
    wait_until(lambda: process.poll() is not None)


def test_one_that_does_not_start_is_told(lab, monkeypatch):
    monkeypatch.setattr(tensorboard, "PROGRAM", "import sys; sys.exit('no such thing')")
    answer = lab.client.get("/tensorboard/", headers={"Accept-Language": "zh"})
    assert answer.status_code == 502 and answer.text.startswith("TensorBoard 没能启动（no such thing）")
