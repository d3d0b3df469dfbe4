"""Sockets of a real server: the half-sent, the silent and the many close it to nobody."""

import contextlib
import socket
import threading

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from waiting import wait_until

from imgcls.web.server.connections import Connections, configured
from imgcls.web.server.hosting import hosting
from imgcls.web.server.security import guard

SOON = 60
HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@contextlib.contextmanager
def serving(connections, **changed):
    app = FastAPI()

    @app.post("/{path:path}")
    async def read(path: str, request: Request):
        return len(await request.body())

    @app.get("/{path:path}")
    async def found(path: str):
        return path

    guard(app, hosting(env={}))
    for middleware in app.user_middleware:
        if "traffic" in middleware.kwargs:
            for name, value in changed.items():
                setattr(middleware.kwargs["traffic"], name, value)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(configured(app, connections))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join(SOON)


def sent(port, text):
    made = socket.create_connection(("127.0.0.1", port), timeout=SOON)
    made.sendall(text)
    return made


def read(connection):
    """All that the server says before it closes the connection."""
    said = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            said += piece
    return said


def answers(port):
    return httpx.get(f"http://127.0.0.1:{port}/here", timeout=SOON).status_code == 200


@pytest.mark.parametrize("text", [b"", HEAD, HEAD + b"\r\nGET"])
def test_a_half_sent_request_is_let_go(text):
    with serving(Connections(head_seconds=0.3)) as port:
        assert read(sent(port, text)).startswith(b"HTTP/1.1 200") == text.endswith(b"GET")


def test_eight_hundred_half_sent_requests_close_the_lab_to_nobody():
    connections = Connections(head_seconds=3600, of_address=100)
    with serving(connections) as port, contextlib.ExitStack() as held:
        for _ in range(800):
            held.enter_context(contextlib.closing(sent(port, HEAD)))
        wait_until(lambda: len(connections) == 100)
        assert answers(port)


def test_who_is_being_answered_is_not_closed_for_who_is_silent():
    connections = Connections(head_seconds=3600, of_address=5)
    with serving(connections) as port, contextlib.ExitStack() as held:
        asking = sent(port, b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nab")
        wait_until(connections.answering)
        for _ in range(20):
            held.enter_context(contextlib.closing(sent(port, b"")))
        asking.sendall(b"c")
        assert asking.recv(100).startswith(b"HTTP/1.1 200")


def test_a_silent_upload_is_told_and_blocks_nobody():
    upload = b"POST /en/gradio_api/upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000000\r\n\r\n"
    with serving(Connections(), silent_seconds=0.5) as port, contextlib.ExitStack() as held:
        silent = [held.enter_context(contextlib.closing(sent(port, upload))) for _ in range(10)]
        other = httpx.post(f"http://127.0.0.1:{port}/en/gradio_api/upload", content=b"x" * 1000, timeout=SOON)
        assert other.status_code == 200
        assert all(read(one).startswith(b"HTTP/1.1 408") for one in silent)
