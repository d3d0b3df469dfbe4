"""What a visitor can make the lab keep: drawings too large for a pad, events that nobody reads, files of a server that
was killed. Counted in bytes of the process and on the disk."""

import asyncio
import base64
import io
import json
import os
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import psutil
import pytest
from PIL import Image
from served import served
from waiting import wait_until

from imgcls.web.server.gradio_internals import UNREAD_SECONDS, Sessions, upload_folder
from imgcls.web.shared import uploads
from imgcls.web.shared.uploads import KEPT_SECONDS, SWEEP_SECONDS, UPLOADS, prepare_uploads, sweep
from imgcls.workspace import Workspace

MB = 1_000_000


def resident():
    return psutil.Process().memory_info().rss


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    workspace = Workspace(tmp_path_factory.mktemp("flat") / "lab")
    workspace.root.mkdir()
    limits = httpx.Limits(max_connections=99)
    with served(workspace) as url, httpx.Client(base_url=url, timeout=300, limits=limits) as client:
        client.workspace = workspace
        yield client


def test_two_hundred_huge_drawings_are_refused_by_their_headers(lab):
    file = io.BytesIO()
    Image.new("1", (8800, 8800)).save(file, "PNG")
    drawing = "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
    asked = {"drawing": drawing, "checkpoint": "lenet-digits/best"}
    first = lab.post("/drawn/en", json=asked)  # whatever is loaded for the first answer is loaded now
    assert len(drawing) < 300_000 and first.status_code == 200 and 'role="alert"' in first.text
    before = resident()
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: lab.post("/drawn/en", json=asked).text, range(200)))
    assert set(answers) == {first.text}
    assert resident() - before < 100 * MB  # one of them decoded takes 300


def test_eighty_unread_posts_of_seven_megabytes_leave_nothing(lab):
    event = json.dumps({"data": ["x" * 7 * MB], "fn_index": 0, "session_hash": "s"}).encode()

    def post():
        return lab.post("/en/gradio_api/queue/join", content=event, headers={"Content-Type": "application/json"})

    assert post().status_code == 413
    before = resident()
    assert {post().status_code for _ in range(80)} == {413}
    assert resident() - before < 100 * MB  # kept, they would be 560


def test_posts_that_are_small_enough_have_a_limit_in_sum(lab):
    event = {"data": ["x" * 900_000], "fn_index": 0, "session_hash": "s"}
    said = [
        lab.post("/zh/gradio_api/queue/join", json=event | {"session_hash": f"s{i}"}).status_code for i in range(40)
    ]
    assert said[0] == 200 and said[-1] == 429 and 10 < said.count(200) < 35
    assert lab.get("/zh/").status_code == 200


def test_answers_that_nobody_reads_are_forgotten(lab, monkeypatch):
    """One whose stream is open is read."""
    now = [0.0]
    sessions = Sessions(clock=lambda: now[0])
    with gr.Blocks() as page:
        gr.Button("x").click(lambda: "x" * 1000, None, gr.Textbox(), api_name="x")
    sessions.add("", page)
    queue = page._queue
    for name in ("read", "unread"):
        queue.pending_messages_per_session[name] = asyncio.Queue()
        queue.pending_event_ids_session[name] = {f"event of {name}"}
    assert sessions.there("", "read", "") and sessions.there("", "", "event of unread")
    assert not sessions.there("", "other", "") and not sessions.there("/en", "read", "")

    async def later():
        with sessions.reading("", "read", ""):
            for now[0] in (0.0, UNREAD_SECONDS - 1, UNREAD_SECONDS + 1):
                await sessions.forget_unread()
                assert sessions.there("", "unread", "") == (now[0] < UNREAD_SECONDS)
            assert sessions.there("", "read", "")
        for now[0] in (100.0, 101.0 + UNREAD_SECONDS):
            await sessions.forget_unread()
        assert not sessions.there("", "read", "") and not queue.pending_event_ids_session

    asyncio.run(later())


def test_a_stream_of_nobody_is_told_so(lab):
    for path in ("/en/gradio_api/queue/data?session_hash=none", "/gradio_api/call/runs/none", "/gradio_api/queue/data"):
        answer = lab.get(path)
        assert answer.status_code == 404 and "session_not_found" in answer.text


def upload(client, name="a.bin", content=b"x" * 1000):
    return Path(client.post("/en/gradio_api/upload", files={"files": (name, content)}).json()[0])


def test_uploads_lie_in_the_workspace_for_this_user_alone(lab):
    folder = lab.workspace.root / UPLOADS
    assert upload(lab).is_relative_to(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_in_a_folder_that_is_named_only_uploads_are_swept(tmp_path, monkeypatch):
    """It may be /tmp: what others keep there is theirs."""
    named, workspace = tmp_path / "other", Workspace(tmp_path / "lab")
    theirs = named / "theirs" / "thesis.txt"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("three years")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(named))
    for _ in range(2):  # a second page of the same process keeps its uploads in the same place
        folder = prepare_uploads(workspace)
        assert folder.is_relative_to(named) and folder != named and upload_folder() == folder
    assert folder.parent == named
    left = folder / "0123" / "photo.jpg"
    left.parent.mkdir()
    left.write_bytes(b"x")
    sweep(workspace, now=time.time() + KEPT_SECONDS + 1)
    assert theirs.is_file() and not left.exists() and folder.is_dir()


def test_what_a_killed_server_left_goes_within_the_hour(lab):
    """Nothing in memory tells of it, half an upload least of all."""
    folder, made = lab.workspace.root / UPLOADS, lab.workspace.root / ".downloads"
    left = [folder / "0123" / "photo.jpg", folder / "tmp3p3lgsy5", made / "x.zip"]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    sweep(lab.workspace)
    assert all(path.is_file() for path in left)
    os.utime(left[0], (0, 0))  # a copy has its original's time
    sweep(lab.workspace)
    assert left[0].is_file()
    assert KEPT_SECONDS + SWEEP_SECONDS < 3600
    sweep(lab.workspace, now=time.time() + KEPT_SECONDS + 1)
    assert not any(path.exists() for path in left) and not left[0].parent.exists()


def test_a_server_sweeps_when_it_starts(tmp_path, monkeypatch):
    monkeypatch.setattr(uploads, "KEPT_SECONDS", -1.0)
    workspace = Workspace(tmp_path / "lab")
    left = workspace.root / UPLOADS / "tmp3p3lgsy5"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    with served(workspace):
        wait_until(lambda: not left.exists())


@pytest.mark.parametrize("page", ["/en", ""])
def test_what_is_no_request_is_refused_in_a_few_words(lab, page):
    """Whatever it is, and however long: none of it comes back."""
    for path in ("queue/join", "component_server", "run/predict", "call/train", "cancel", "upload"):
        for content in (b"", b"[]", b"5", b'{"a": NaN}', b"[" * 5000, b"x" * 900_000, b"\xff\xfe"):
            headers = {"Content-Type": "application/json"}
            answer = lab.post(f"{page}/gradio_api/{path}", content=content, headers=headers)
            assert 400 <= answer.status_code < 500 and len(answer.content) < 300, (path, content[:20])
