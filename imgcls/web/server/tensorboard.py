"""TensorBoard beside the page, under the lab's own address: `/tensorboard/`.

A process of its own, begun when somebody opens it; it ends with the server, however that ends, and when nobody has
asked it for a while. It listens on this computer alone, below a path that is in no process list and no file: it is
handed over in a pipe. Whoever wants to see it comes through the lab's doors (security.py), and in a shared lab only its
host does. Of a request nothing goes on to it that says who asks.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import re
import secrets
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from imgcls.errors import ImgclsError, ServeError
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.language import wanted
from imgcls.web.shared.identity import People
from imgcls.web.shared.work_gate import Busy, address_of, work

# Its input is the server's end of a pipe: first a line of flags, then nothing until it closes, when the server is gone,
# killed too. TensorBoard would write its port and path to a file in the temporary folder that everybody can read.
PROGRAM = """
import json, os, sys, threading
sys.argv = ["tensorboard", *json.loads(sys.stdin.buffer.readline())]
threading.Thread(target=lambda: (sys.stdin.buffer.read(), os._exit(0)), daemon=True).start()
from tensorboard import manager
manager.write_info_file = lambda info: None
from tensorboard.main import run_main
run_main()
"""
SERVING_LINE = re.compile(rb" at http://127\.0\.0\.1:(\d+)/")
START_S, ANSWER_S, END_S = 60.0, 60.0, 5.0
IDLE_S = 1800.0  # without a request, after which it ends and gives its memory back; longer than any answer takes
RELOAD_S = 5  # between two looks at the runs
REQUEST_HEADERS = ("accept", "accept-encoding", "content-type", "if-none-match")  # that go on to it
RESPONSE_HEADERS = ("content-type", "content-encoding", "cache-control", "etag", "expires")  # that come back


@dataclass(frozen=True)
class ForwardedResponse:
    status: int
    headers: dict[str, str]
    body: bytes


class TensorBoard:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._starting = threading.Lock()  # held while it starts, up to START_S
        self._lock = threading.Lock()  # of what follows; never held while anybody waits
        self._prefix = "/" + secrets.token_hex(16)
        self._process: subprocess.Popen[bytes] | None = None
        self._port = 0
        self._last_request = 0.0
        self._closed = False

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> ForwardedResponse:
        """`path`: with its question, from the first slash. Raises ServeError where it does not start or answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self._running_port(), timeout=ANSWER_S)
        try:
            connection.request(method, self._prefix + path, body or None, headers)
            response = connection.getresponse()
            returned = {name: value for name, value in response.getheaders() if name.lower() in RESPONSE_HEADERS}
            return ForwardedResponse(response.status, returned, response.read())
        except (OSError, http.client.HTTPException) as error:
            raise ServeError("TensorBoard does not answer ({error}): open it again.", error=error) from None
        finally:
            connection.close()

    def close(self) -> None:
        """For good: a request that still waits begins no other."""
        with self._lock:
            self._closed = True
            process = self._process
        if process is not None:
            _end(process)

    def _running_port(self) -> int:
        with self._lock:
            self._last_request = time.monotonic()
        with self._starting:
            if self._process is None or self._process.poll() is not None:
                self._start()
            return self._port

    def _start(self) -> None:
        settings = {
            "logdir": self.folder, "host": "127.0.0.1", "port": 0, "path_prefix": self._prefix, "load_fast": "false",
            "reload_interval": RELOAD_S,
        }  # fmt: skip
        flags = [f"--{name}={value}" for name, value in settings.items()]
        with self._lock:
            if self._closed:
                raise ServeError("The lab is closing: start it again, then open TensorBoard.")
            self._process = process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            self._port = 0
        assert process.stdin is not None
        with suppress(OSError):  # it has ended already: its last line says why
            process.stdin.write(json.dumps(flags).encode() + b"\n")
            process.stdin.flush()
        settled, ended, last_line = threading.Event(), threading.Event(), [b""]

        def read() -> None:
            assert process.stderr is not None
            with process.stderr as lines:
                for line in lines:  # to its end: a full pipe would stop it
                    last_line[0] = line
                    if not settled.is_set() and (found := SERVING_LINE.search(line)):
                        self._port = int(found[1])
                        settled.set()
            ended.set()
            settled.set()

        threading.Thread(target=read, daemon=True).start()
        threading.Thread(target=self._end_when_idle, args=[process, ended], daemon=True).start()
        settled.wait(START_S)
        if not self._port:
            _end(process)
            why = last_line[0].decode("utf-8", "replace").strip()
            raise ServeError("TensorBoard did not start ({error}): install it again, then open it again.", error=why)

    def _end_when_idle(self, process: subprocess.Popen[bytes], ended: threading.Event) -> None:
        while not ended.is_set():
            with self._lock:
                left = self._last_request + IDLE_S - time.monotonic()
            if left <= 0:
                _end(process)
                return
            ended.wait(left)


def _end(process: subprocess.Popen[bytes]) -> None:
    """It has nothing to save."""
    process.kill()
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_S)
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


def is_installed() -> bool:
    return importlib.util.find_spec("tensorboard") is not None


def add_routes(app: FastAPI, folder: Path, people: People) -> TensorBoard:
    """`folder`: of all runs' logs."""
    board = TensorBoard(folder)

    async def forward(request: Request) -> Response:
        translate = Translator(wanted(request.headers.get("accept-language", "")))
        if not people.visitor(request).host:
            return PlainTextResponse(translate("Only the lab's host opens TensorBoard."), 403)
        # On one's own computer everybody is the host: a picture on another site's page would begin it.
        if request.headers.get("sec-fetch-site") == "cross-site":
            return PlainTextResponse(
                translate("Another site asks for TensorBoard: open it from the lab's own page."), 403
            )
        if not is_installed():
            return PlainTextResponse(
                translate("TensorBoard is not installed: run `pip install tensorboard`, then open it again."), 404
            )
        path = "/" + quote(request.path_params["path"]) + (f"?{request.url.query}" if request.url.query else "")
        headers = {name: request.headers[name] for name in REQUEST_HEADERS if name in request.headers}
        body = await request.body()
        try:
            response = await work(
                "tensorboard", None, lambda: board.ask(request.method, path, headers, body), address_of(request)
            )
        except ImgclsError as error:
            return PlainTextResponse(translate.message(error.message), 429 if isinstance(error, Busy) else 502)
        return Response(response.body, response.status, response.headers)

    app.add_route("/tensorboard/{path:path}", forward, methods=["GET", "POST"])
    return board
