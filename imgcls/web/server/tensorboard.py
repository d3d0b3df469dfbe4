"""TensorBoard beside the page, under the lab's own address: `/tensorboard/`.

A process of its own, begun when somebody opens it and ended with the server, however that ends. It listens on this
computer alone, at a port and below a path that nobody else is told; whoever wants to see it comes through the lab's
doors (security.py), and in a shared lab only its host does. Of a request nothing goes on to it that says who asks.
"""

from __future__ import annotations

import http.client
import importlib.util
import re
import secrets
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from imgcls.errors import ImgclsError, ServeError
from imgcls.web.shared.identity import People
from imgcls.web.shared.work_gate import address_of, work

# Its input is the server's end of a pipe: it closes when the server is gone, killed too.
PROGRAM = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from tensorboard.main import run_main
run_main()
"""
SERVES = re.compile(rb" at http://127\.0\.0\.1:(\d+)/")
START_S, ANSWER_S = 60.0, 60.0
RELOAD_S = 5  # between two looks at the runs
GIVEN = ("accept", "accept-encoding", "content-type", "if-none-match")  # headers that go on to it
KEPT = ("content-type", "content-encoding", "cache-control", "etag", "expires")  # headers that come back


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class TensorBoard:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._prefix = "/" + secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """`path`: with its question, from the first slash. Raises ServeError where it does not start or answer."""
        asking = http.client.HTTPConnection("127.0.0.1", self._started(), timeout=ANSWER_S)
        try:
            asking.request(method, self._prefix + path, body or None, headers)
            answer = asking.getresponse()
            kept = {name: value for name, value in answer.getheaders() if name.lower() in KEPT}
            return Answer(answer.status, kept, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise ServeError("TensorBoard does not answer ({error}): open it again.", error=error) from None
        finally:
            asking.close()

    def close(self) -> None:
        with self._lock:
            if self._process is not None:
                self._process.terminate()
                self._process = None

    def _started(self) -> int:
        """Its port."""
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self._begin()
            return self._port

    def _begin(self) -> None:
        asked = {
            "logdir": self.folder, "host": "127.0.0.1", "port": 0, "path_prefix": self._prefix, "load_fast": "false",
            "reload_interval": RELOAD_S,
        }  # fmt: skip
        flags = [f"--{name}={value}" for name, value in asked.items()]
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *flags],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        told, last = threading.Event(), [b""]

        def read() -> None:
            assert process.stderr is not None
            for line in process.stderr:  # to its end: a full pipe would stop it
                last[0] = line
                if not told.is_set() and (found := SERVES.search(line)):
                    self._port = int(found[1])
                    told.set()
            told.set()

        self._port = 0
        threading.Thread(target=read, daemon=True).start()
        told.wait(START_S)
        if not self._port:
            process.kill()
            why = last[0].decode("utf-8", "replace").strip()
            raise ServeError("TensorBoard did not start ({error}): install it again, then open it again.", error=why)
        self._process = process


def is_installed() -> bool:
    return importlib.util.find_spec("tensorboard") is not None


def add_routes(app: FastAPI, folder: Path, people: People) -> TensorBoard:
    """`folder`: of all runs' logs."""
    board = TensorBoard(folder)

    async def answered(request: Request) -> Response:
        if not people.visitor(request).host:
            return PlainTextResponse("Only the lab's host opens TensorBoard.", 403)
        if not is_installed():
            return PlainTextResponse("TensorBoard is not installed: pip install tensorboard", 404)
        path = "/" + quote(request.path_params["path"]) + (f"?{request.url.query}" if request.url.query else "")
        headers = {name: request.headers[name] for name in GIVEN if name in request.headers}
        body = await request.body()
        try:
            answer = await work(
                "download", None, lambda: board.ask(request.method, path, headers, body), address_of(request)
            )
        except ImgclsError as error:
            return PlainTextResponse(str(error), 502)
        return Response(answer.body, answer.status, answer.headers)

    app.add_route("/tensorboard/{path:path}", answered, methods=["GET", "POST"])
    return board
