"""A real server in a process of its own, and a real Chromium."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --use-fake-device-for-media-stream --use-fake-ui-for-media-stream"
).split()


def chromium():
    named = [
        os.environ.get("CHROMIUM"),
        # The shell first: the same engine without the browser's own windows, which cost as much as the page.
        *map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")),
    ]
    return next((path for path in named if path), None)


# What Gradio says of a request that was on its way when the page was left for another; its farewells for an event that
# had no number yet are refused.
LEFT = ("AbortError: signal is aborted", "Unexpected error Connection errored out.")
LEFT += ("/gradio_api/reset", "/gradio_api/cancel")
AWAY = ("net::ERR_CONNECTION_REFUSED", "net::ERR_EMPTY_RESPONSE", "net::ERR_CONNECTION_RESET")


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Server:
    program = "app.py"
    started = []

    def __init__(self, root):
        Server.started.append(self)
        self.root, self.process, self.stopped = root, None, 0
        self.port, self.mirror = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = os.environ | {
            "IMGCLS_HOME": str(root),
            "IMGCLS_PORT": str(self.port),
            "IMGCLS_DATA_MIRROR": f"http://127.0.0.1:{self.mirror}",  # where a test may listen
        }

    def start(self):
        log = open(self.root / "server.txt", "ab")
        self.process = subprocess.Popen(
            [sys.executable, self.program], cwd=PROJECT, env=self.environment, stdout=log, stderr=subprocess.STDOUT
        )
        for _ in range(900):
            try:
                urllib.request.urlopen(self.url + "/en/", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.root / "server.txt").read_text()
                time.sleep(0.2)
        raise AssertionError("the server did not answer within three minutes")

    def stop(self):
        self.stopped += 1
        self.process.terminate()
        self.process.wait(20)

    def end_runs(self):
        """They outlive tests and servers: one that learns on takes a core from all tests that follow."""
        for state in (self.root / "train_logs").glob("*/state.json"):
            (state.parent / "stop").touch()

    def end(self):
        self.stop()
        self.end_runs()


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("served"))
    made.start()
    yield made
    made.end()


@pytest.fixture(scope="module")
def browser():
    """Of one file: while Playwright runs, this thread has an event loop, and another file's asyncio.run fails."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = chromium()
        try:
            made = playwright.chromium.launch(executable_path=path, args=FLAGS)
        except Exception as error:
            pytest.skip(f"no Chromium here: install one, or run `playwright install chromium` ({str(error)[:80]})")
        yield made
        made.close()
    for started in Server.started:
        started.end_runs()


@pytest.fixture(scope="module")
def context(browser):
    """One of a file: with its scripts fetched and compiled, the next page opens in half the time. Nothing glides:
    drawing that takes a quarter of a page's processor time. Tests that look at it ask for it."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 900}, locale="en-US", permissions=["camera"], reduced_motion="reduce"
    )
    yield made
    made.close()


@pytest.fixture
def page(context, server):
    """A page of its own, as a new visitor's: nothing that a browser keeps of a site is there, but for its files. Its
    console errors and requests to other machines fail the test."""
    made, wrong, stopped = context.new_page(), [], server.stopped
    context.clear_cookies()
    origin = {"origin": server.url, "storageTypes": "local_storage,indexeddb,cache_storage,service_workers"}
    context.new_cdp_session(made).send("Storage.clearDataForOrigin", origin)
    made.on("pageerror", lambda error: wrong.append(str(error)))
    made.on(
        "console",
        lambda said: wrong.append(f"console: {said.text} {said.location['url']}") if said.type == "error" else None,
    )
    made.on(
        "request",
        lambda r: None if r.url.startswith((server.url, "data:", "blob:")) else wrong.append(f"request to {r.url}"),
    )
    yield made
    for left in context.pages:
        left.close()
    wrong = [said for said in wrong if not any(left in said for left in LEFT)]
    if server.stopped > stopped:  # by the test: a page that is open meanwhile asks in vain
        wrong = [said for said in wrong if not any(away in said for away in AWAY)]
    assert not wrong, wrong


THREE = [(0.34, 0.28), (0.45, 0.2), (0.6, 0.22), (0.66, 0.33), (0.58, 0.44), (0.47, 0.48), (0.6, 0.52), (0.68, 0.64)]
THREE += [(0.6, 0.78), (0.45, 0.82), (0.33, 0.74)]


@pytest.fixture
def draw_three():
    def draw(page):
        page.locator("#first").wait_for(state="detached")  # the first page's pad lies over this one until it is built
        box = page.locator("#pad canvas").bounding_box()
        points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
        page.mouse.move(*points[0])
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(x, y, steps=4)
        page.mouse.up()

    return draw
