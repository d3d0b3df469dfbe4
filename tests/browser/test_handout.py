"""The file that is handed out, opened from the disk: it reads and speaks both languages without a request."""

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from axe import serious
from playwright.sync_api import expect
from test_browser_training import accuracy, draw, phase
from test_live import SOON, opened

from imgcls.web.classify.handout import handout
from imgcls.web.standalone.page import training_page
from imgcls.web.standalone.site import write_site
from imgcls.workspace import PROJECT, Workspace


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("handed-out") / "lenet.html"
    path.write_text(handout(PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors", Workspace()), "utf-8")
    return path


@pytest.mark.parametrize(("width", "locale", "button"), [(1280, "en-US", "Look inside"), (390, "zh-CN", "看看内部")])
def test_it_needs_nothing_but_itself(browser, file, draw_three, width, locale, button):
    context = browser.new_context(viewport={"width": width, "height": 800}, locale=locale, has_touch=width < 500)
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(file.as_uri())
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3")
    page.get_by_role("button", name=button).click()
    page.locator(".stage.conv2 .map").first.click()
    expect(page.locator(".exciting canvas").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator(".languages button").click()  # the drawing stays
    expect(page.get_by_test_id("answer")).to_have_text("3")
    expect(page.get_by_role("button", name=button)).to_have_count(0)
    context.close()
    assert asked == [file.as_uri()] and not wrong


def test_the_page_hands_it_out(page, server):
    opened(page, server)
    with page.expect_download(timeout=60_000) as got:
        page.locator(".take-home").click()
    assert got.value.suggested_filename == "lenet-digits.html"
    assert "Draw a digit" in open(got.value.path(), encoding="utf-8").read()


def test_one_file_learns_without_a_server(browser, tmp_path):
    """On a phone, in Chinese; the run goes on in English."""
    file = tmp_path / "learn.html"
    file.write_text(training_page(PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors", Workspace()), "utf-8")
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, locale="zh-CN", color_scheme="dark", has_touch=True
    )
    page = context.new_page()
    asked, wrong = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(file.as_uri())
    page.get_by_test_id("train-start").click()
    phase(page, "playing")
    page.locator(".languages button").click()
    phase(page, "done")
    assert accuracy(page) >= 97 and page.get_by_test_id("train-rate").inner_text() != "–"
    draw(page)
    expect(page.get_by_test_id("answer")).to_have_text("3")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    page.get_by_test_id("room-train").focus()
    page.keyboard.press("ArrowRight")  # to the network that the file was made of
    expect(page.locator(".alone-draw").get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    page.locator(".alone-draw .panel-buttons button").first.click()
    expect(page.locator(".alone-draw .stage.conv2 .map").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.reload()
    page.get_by_test_id("room-train").click()
    phase(page, "done")
    context.close()
    assert not wrong and all(url.split("#")[0] == file.as_uri() or url.startswith("blob:") for url in asked)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The address of a static site, and its server."""
    folder = tmp_path_factory.mktemp("site") / "space"
    write_site(folder, Workspace(), sizes=(5000,))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SilentHandler, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", server
    server.server_close()


class SilentHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def test_a_site_that_was_loaded_once_works_without_its_server(browser, site):
    url, server = site
    context = browser.new_context(viewport={"width": 1280, "height": 900}, locale="en-US")
    page = context.new_page()
    wrong = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(url)
    draw(page, ".alone-draw canvas")
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")  # all files are kept
    server.shutdown()
    page.goto(f"{url}#train")
    page.reload()
    page.get_by_test_id("train-epoch").click()
    phase(page, "paused")
    assert accuracy(page) > 50
    page.get_by_test_id("room-init").click()
    page.get_by_test_id("side-start").click()
    expect(page.locator(".side-network .side-bar b").first).not_to_be_empty(timeout=SOON)
    assert serious(page) == []
    context.close()
    assert not wrong
