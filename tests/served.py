"""The lab behind a real uvicorn in this process, for tests that ask over HTTP."""

import contextlib
import socket
import threading
import time

import uvicorn

from imgcls.web.app import create_app
from imgcls.web.server.connections import Connections, configured
from imgcls.web.server.hosting import hosting


@contextlib.contextmanager
def served(workspace, env=None):
    """Its address while the block lasts; `env` as for `hosting`."""
    app = create_app(hosting(env=env or {}), workspace)
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(configured(app, Connections()))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.02)
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(30)
