"""A class on one lab, each with a browser of their own: a queue that outlives the server, what is whose, the host."""

import json

import pytest
from axe import serious
from conftest import Server
from pausing import paused
from playwright.sync_api import expect

SOON = 60_000  # ms
LONG = 120_000
START = "?tab=train&epochs=20&threads=1"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab that others could reach too, by a name that a proxy would answer to."""
    made = Server(tmp_path_factory.mktemp("class"))
    made.environment |= {
        "IMGCLS_ALLOWED_HOSTS": "lab.example.org,127.0.0.1",
        "IMGCLS_HOST_PASSWORD": "tell nobody",
    }
    made.start()
    yield made
    made.end()


@pytest.fixture
def people(browser, lab):
    """A browser with cookies of its own for each who is asked for, opened on the Train tab."""
    contexts = []

    def come(language="en", query=START):
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        context.add_init_script("localStorage.setItem('imgcls-train-place', 'server')")
        contexts.append(context)
        page = context.new_page()
        page.goto(f"{lab.url}/{language}/{query}")
        expect(page.locator("#start")).to_be_visible(timeout=SOON)
        return page

    yield come
    for context in contexts:
        context.close()


def start(page, nickname):
    page.locator("#start").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_be_visible(timeout=SOON)
    assert not serious(page)
    dialog.locator("input").fill(nickname)
    dialog.locator("button.primary").click()
    expect(queue(page)).to_contain_text(nickname, timeout=SOON)


def again(page, lab, language):
    """The same browser opens the lab anew; its first page would do so by itself when the lab is back, and goes."""
    made = page.context.new_page()
    page.close()
    made.goto(f"{lab.url}/{language}/{START}")
    return made


def queue(page):
    return page.get_by_test_id("queue").filter(visible=True)


def states(lab):
    return [json.loads(p.read_text())["state"] for p in sorted(lab.root.glob("train_logs/*/state.json"))]


def running(lab):
    """The folder of the run that goes on."""
    return next(p.parent for p in lab.root.glob("train_logs/*/state.json") if '"running"' in p.read_text())


def ben_waits_and_the_host_looks_after_both(people, lab, ann, ben):
    """(Ann's page, the host's), after a restart of the server."""
    expect(queue(ben).locator("[data-do=stop]")).to_have_count(1)
    ben.locator("#start").click()
    expect(queue(ben).locator("li.own")).to_have_count(2, timeout=SOON)
    expect(ben.locator("#stop")).to_have_text("退出排队", timeout=SOON)

    # A restart of the server forgets neither the queue nor whose it is.
    lab.stop()
    lab.start()
    ann, ben = again(ann, lab, "en"), again(ben, lab, "zh")
    expect(queue(ben).locator("li.own")).to_have_count(2, timeout=SOON)
    expect(queue(ann).locator("li")).to_have_count(3, timeout=SOON)
    queue(ben).locator("li.own [data-do=stop]").last.click()
    expect(queue(ben).locator("li.own")).to_have_count(1, timeout=SOON)

    # The host.
    host = people()
    queue(host).locator("[data-ask=host]").click(timeout=SOON)
    dialog = host.locator("dialog[open]")
    assert not serious(host)
    dialog.locator("input").fill("guess")
    dialog.locator("button.primary").click()
    expect(dialog.locator(".failure")).to_contain_text("not the host's password", timeout=SOON)
    dialog.locator("input").fill("tell nobody")
    dialog.locator("button.primary").click()
    expect(queue(host)).to_contain_text("You are signed in as the teacher", timeout=SOON)
    host.locator("[data-head=projector]").click()
    assert queue(host).locator(".queue-who").last.evaluate("who => who.getBoundingClientRect().width") > 60
    host.locator("[data-head=projector]").click()
    kept = lab.root / "checkpoints" / "kept-by-cy"
    kept.mkdir(parents=True)
    host.reload()
    queue(host).locator("summary", has_text="1 network that a visitor kept").click(timeout=SOON)
    host.once("dialog", lambda question: question.accept())
    queue(host).locator("[data-do=delete-network]").click()
    expect(queue(host).locator("summary")).to_have_count(0, timeout=SOON)
    assert not kept.exists()
    queue(host).locator("[data-do=close]").click()
    expect(queue(host)).to_contain_text("Closed", timeout=SOON)
    expect(queue(ben)).to_contain_text("已关闭", timeout=SOON)
    ben.locator("#start").click()
    expect(ben.get_by_text("排队已暂时关闭")).to_be_visible(timeout=SOON)
    queue(host).locator("[data-do=reopen]").click()
    expect(queue(host)).not_to_contain_text("Closed", timeout=SOON)
    queue(host).locator("li", has_text="小明").locator("[data-do=stop]").click()
    expect(queue(ben).locator("li.own")).to_have_count(0, timeout=SOON)
    return ann, host


def test_two_share_a_lab_and_its_host_looks_after_it(people, lab):
    ann, ben = people(), people("zh")
    start(ann, "Ann")
    expect(ann.locator("section.run[data-state=running]")).to_be_visible(timeout=LONG)
    expect(ann.locator("#stop")).to_be_visible(timeout=SOON)
    assert not serious(ann)

    # Ann's cannot be stopped by Ben; his own waits, and he is asked who he is once.
    expect(queue(ben)).to_contain_text("Ann", timeout=SOON)
    expect(ben.locator("section.run[data-state=running]")).to_be_visible(timeout=SOON)
    expect(ben.locator("#stop")).to_be_hidden()
    start(ben, "小明")
    expect(queue(ben).locator("li.own")).to_contain_text("小明", timeout=SOON)
    expect(queue(ben).locator("li.own")).to_contain_text("后开始", timeout=SOON)
    with paused(running(lab)):
        ann, host = ben_waits_and_the_host_looks_after_both(people, lab, ann, ben)
    queue(host).locator("li", has_text="Ann").locator("[data-do=stop]").click()
    expect(ann.locator("section.run[data-state=stopped]")).to_be_visible(timeout=LONG)
    expect(ann.locator("#go-on")).to_be_visible(timeout=SOON)
    assert states(lab) == ["stopped"]


def test_the_address_to_join_is_shown(people):
    page = people("zh")
    page.locator("[data-head=join]").click()
    dialog = page.locator("dialog[open]")
    expect(dialog).to_contain_text("https://lab.example.org", timeout=SOON)
    assert dialog.locator("img.join-code").evaluate("image => image.naturalWidth > 100")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_whoever_does_not_say_a_name_starts_nothing(people, lab):
    page, before = people(), states(lab)
    page.locator("#start").click()
    page.locator("dialog[open] [value=cancel]").click(timeout=SOON)
    page.wait_for_timeout(1000)
    assert states(lab) == before


def test_a_visitor_trains_in_the_browser_unless_the_server_is_chosen(browser, lab):
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.goto(f"{lab.url}/en/?tab=train")
    expect(page.get_by_test_id("train-start")).to_be_visible(timeout=SOON)
    expect(page.locator("#start")).to_be_hidden()
    page.get_by_test_id("train-server").click()
    expect(page.locator("#start")).to_be_visible()
    page.reload()
    expect(page.locator("#start")).to_be_visible(timeout=SOON)
    page.get_by_test_id("train-browser").click()
    board_of(page, lab)
    context.close()


def board_of(page, lab):
    """What was learnt here stands on the board when somebody says so, and not before; the host hides and clears."""
    page.locator("#here-size").select_option("5000")
    page.get_by_test_id("train-step").click()
    expect(page.get_by_test_id("board-send")).to_be_visible(timeout=LONG)
    page.get_by_test_id("board").locator("summary").click()
    expect(page.get_by_test_id("board-line")).to_contain_text("Nobody has sent anything yet")
    page.get_by_test_id("board-send").click()
    page.locator("dialog[open] input").fill("Cy")
    page.locator("dialog[open] button.primary").click()
    points = page.locator(".board-chart circle")
    expect(points).to_have_count(1, timeout=SOON)
    points.hover()
    expect(page.get_by_test_id("board-line")).to_contain_text("Learning rate 0.05")
    assert not serious(page)
    assert page.request.post(f"{lab.url}/class/host", data={"password": "tell nobody"}).ok
    expect(page.get_by_test_id("board-clear")).to_be_visible(timeout=SOON)  # at the next look
    page.get_by_test_id("board-hide").click()
    expect(page.locator(".board-chart circle.hidden")).to_have_count(1, timeout=SOON)
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_test_id("board-clear").click()
    expect(points).to_have_count(0, timeout=SOON)
