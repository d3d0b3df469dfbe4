"""The network learns in the page: start, pause, change, go on, refresh, keep; the terminal reads what was learnt."""

import json
import os
import re
import subprocess
import sys

import pytest
from axe import serious
from playwright.sync_api import expect

PROJECT_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LONG = 120_000  # ms: the images are made and sent, and eight epochs learnt beside other tests
# Whether the run that the browser keeps has this learning rate.
KEPT_RATE = """rate => new Promise(resolve => {
  const asked = indexedDB.open('imgcls-training');
  asked.onsuccess = () => {
    const run = asked.result.transaction('runs').objectStore('runs').get('this-page');
    run.onsuccess = () => { asked.result.close(); resolve(run.result?.state.settings.lr === rate); };
  };
})"""
PHASE = ".browser-training[data-phase={}]"


def opened(page, server, language="en"):
    page.goto(f"{server.url}/{language}/?tab=train")
    page.get_by_test_id("train-browser").click(timeout=LONG)
    expect(page.get_by_test_id("train-start")).to_be_visible(timeout=LONG)


def phase(page, name):
    page.locator(PHASE.format(name)).wait_for(timeout=LONG)


def accuracy(page):
    return float(page.get_by_test_id("train-accuracy").inner_text().rstrip("%"))


def slide(page, label, value):
    page.get_by_label(label, exact=False).and_(page.locator("input[type=range]")).fill(str(value))


def draw(page, canvas=".pad-here canvas"):
    from conftest import THREE

    page.locator(canvas).first.scroll_into_view_if_needed()
    box = page.locator(canvas).first.bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in THREE]
    page.mouse.move(*points[0])
    page.mouse.down()
    for x, y in points[1:]:
        page.mouse.move(x, y, steps=4)
    page.mouse.up()


def learn_in_another_tab(page, server):
    twin = page.context.new_page()  # it has a run of its own
    opened(twin, server)
    twin.locator("#here-size").select_option("5000")
    twin.get_by_test_id("train-step").click()
    phase(twin, "paused")
    twin.close()


def change_what_is_over(page):
    slide(page, "Learning rate", -0.5)  # it has learnt with 0.025
    page.locator("#here-epochs").fill("12.4")
    page.locator("#here-epochs").press("Tab")
    expect(page.locator("#here-epochs")).to_have_value("12")
    expect(page.locator(".here-curve text.mark")).to_have_text("Learning rate 0.025")


def test_a_network_learns_is_changed_survives_a_refresh_and_is_kept(page, server, tmp_path):
    opened(page, server)
    page.locator("#here-size").select_option("5000")
    page.get_by_test_id("train-step").click()
    phase(page, "paused")
    page.get_by_test_id("train-epoch").click()
    expect(page.get_by_test_id("train-place")).to_have_text("1 / 8", timeout=LONG)
    phase(page, "paused")
    slide(page, "Learning rate", -1.6)  # 0.025
    expect(page.locator(".here-curve text.mark")).to_have_text("Learning rate 0.025", timeout=LONG)
    page.wait_for_function(KEPT_RATE, arg=0.025, timeout=LONG)
    learn_in_another_tab(page, server)
    page.reload()
    phase(page, "paused")
    expect(page.get_by_test_id("train-place")).to_have_text("1 / 8", timeout=LONG)
    page.locator("#here-back").fill("0")  # the weights of each epoch are there again
    expect(page.locator(".here-back output")).to_have_text("before the first step")
    page.locator("#here-back").press("End")
    expect(page.locator(".here-curve text.mark")).to_have_text("Learning rate 0.025", timeout=LONG)
    page.locator("#here-epochs").fill("12")  # half the rate takes longer
    page.locator("#here-epochs").press("Tab")
    expect(page.get_by_test_id("train-place")).to_have_text("1 / 12", timeout=LONG)
    page.get_by_test_id("train-start").click()
    draw(page)
    phase(page, "done")
    assert accuracy(page) >= 97
    expect(page.locator(".here-draw").get_by_test_id("answer")).to_have_text("3")
    assert int(re.sub(r"\D", "", page.get_by_test_id("train-rate").inner_text())) > 100
    page.locator("#here-back").fill("0")  # before the first step
    expect(page.locator(".here-back output")).to_have_text("before the first step")
    page.locator("#here-back").press("End")
    change_what_is_over(page)
    page.locator("#here-name").fill("from-a-page")
    page.get_by_test_id("train-keep").click()
    expect(page.get_by_test_id("train-kept")).to_contain_text("from-a-page", timeout=LONG)
    with page.expect_download() as got:
        page.get_by_test_id("train-download").click()
    file = tmp_path / "mine.safetensors"
    got.value.save_as(file)
    drawing = tmp_path / "three.png"
    page.locator(".pad-here canvas").screenshot(path=drawing)
    for checkpoint in ("from-a-page", str(file)):
        command = [sys.executable, "-m", "imgcls", "predict", "--json", "--checkpoint", checkpoint, str(drawing)]
        said = subprocess.run(command, cwd=PROJECT_ROOT, env=server.environment, capture_output=True, text=True)
        assert said.returncode == 0, said.stderr
        assert json.loads(said.stdout)["label"] == "3"


def test_two_pages_learn_side_by_side_and_the_page_stays_usable(browser, page, server):
    other = browser.new_page()
    for one in (page, other):
        opened(one, server)
        one.locator("#here-size").select_option("5000")
        one.get_by_test_id("train-start").click()
    for one in (page, other):
        phase(one, "done")
        assert accuracy(one) > 90
    other.close()


@pytest.mark.parametrize(("language", "scheme", "width"), [("en", "light", 1280), ("zh", "dark", 390)])
def test_everybody_can_use_it(browser, server, language, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server.url}/{language}/?tab=train&__theme={scheme}")
    page.get_by_test_id("train-browser").click(timeout=LONG)
    page.locator("#here-size").select_option("5000")
    page.get_by_test_id("train-epoch").click()
    phase(page, "paused")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert serious(page) == []
    page.keyboard.press("Escape")
    page.get_by_test_id("train-start").focus()
    page.keyboard.press("Enter")
    phase(page, "playing")
    page.keyboard.press("Enter")
    phase(page, "paused")
    context.close()


def test_four_networks_learn_side_by_side(page, server):
    """In the Init lab: each layer live from the press on; another activation, another initialisation at once. It is
    opened before its script is there, as by somebody quick on a busy network."""
    held = []
    page.route("**/scripts/**/side_by_side.js", lambda route: route.continue_() if held is None else held.append(route))
    page.goto(f"{server.url}/en/?tab=init-lab")
    page.get_by_test_id("side-open").click(timeout=LONG)
    late, held = held, None
    for route in late:
        route.continue_()
    page.get_by_test_id("side-start").click(timeout=LONG)
    networks = page.locator(".side-network")
    expect(networks).to_have_count(4)
    for i in range(4):
        expect(networks.nth(i).locator(".side-bar b").first).not_to_be_empty(timeout=LONG)
    expect(networks.nth(1)).to_contain_text("No gradient reaches the weights", timeout=LONG)
    page.locator(".side-inits [data-init=xavier-uniform]").click()
    expect(page.locator(".side-host .here-said")).to_have_text("4 at a time: take one away first.")
    page.locator(".side-inits [data-init=all-zeros]").click()
    page.locator(".side-inits [data-init=xavier-uniform]").click()
    page.locator("#side-activation").select_option("tanh")
    new = page.locator(".side-network[data-init=xavier-uniform]")
    expect(new.locator(".side-bar b").first).not_to_be_empty(timeout=LONG)
    page.get_by_test_id("side-start").click()
    expect(page.get_by_test_id("side-start")).to_have_text("Go on")
    assert serious(page) == []
