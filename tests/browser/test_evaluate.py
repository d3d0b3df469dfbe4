"""Evaluate and mend in a real browser: a cell opens its images, an image moves and comes back, a report is one file;
what an audit found is mended and taken back."""

import json
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect
from results import shows_result

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from photos import flowers  # noqa: E402
from test_evaluations import made  # noqa: E402

from imgcls.runs import audits  # noqa: E402
from imgcls.runs.evaluations import evaluate_checkpoint  # noqa: E402
from imgcls.workspace import Workspace  # noqa: E402

LONG = 60_000  # ms; a busy machine


@pytest.fixture(scope="session")
def lab(server):
    workspace = Workspace(server.root)
    root = flowers(workspace.data / "flowers", each=20, classes=("daisy", "rose"))
    for i in range(3):
        shutil.move(root / "rose" / f"{i:02}.jpg", root / "daisy" / f"wrong{i}.jpg")
    evaluate_checkpoint(made(workspace, "first"), workspace, dataset="flowers")
    audits.make_audit(audits.Request("flowers"), workspace)
    return workspace


def test_a_cell_an_image_and_a_report(page, server, lab, tmp_path):
    evaluate_and_open_its_link(page, server)
    everything_has_its_place(page)

    cells = page.locator("table.matrix td[data-true]")
    counts = [int(cell.inner_text()) for cell in cells.all()]
    cells.nth(counts.index(max(counts))).click()
    images = page.locator("ul.found > li > button")
    images.nth(max(counts) - 1).wait_for(timeout=LONG)
    assert images.count() == max(counts)

    images.first.click()
    move_the_image_and_undo(page, lab.data / "flowers")
    report_in_two_languages(page, tmp_path / "report.html")

    images.nth(1).click()
    page.locator(".to-classify").click()
    expect(page.locator("#photo img")).to_be_visible(timeout=LONG)
    expect(page.locator("#result")).to_contain_text("first knows", timeout=LONG)
    page.go_back()
    expect(page.get_by_test_id("evaluation")).to_be_visible(timeout=LONG)


def evaluate_and_open_its_link(page, server):
    chosen = page.locator("#evaluate-checkpoints .token")
    page.goto(f"{server.url}/en/?tab=evaluate&evaluated=first/best")
    expect(chosen).to_have_text([re.compile("first")], timeout=LONG)
    page.locator("#evaluate-run").click()
    shows_result(page, "#evaluate-run")
    page.get_by_test_id("evaluation").wait_for(timeout=LONG)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("button[data-head=link]").click()
    page.locator("button[data-head=link].copied").wait_for()
    link = page.evaluate("navigator.clipboard.readText()")
    assert parse_qs(urlsplit(link).query) == {"tab": ["evaluate"], "evaluated": ["first/best"]}
    page.goto("about:blank")
    page.goto(link)  # what is kept is there
    page.get_by_test_id("evaluation").wait_for(timeout=LONG)


def everything_has_its_place(page):
    """All on one page: there is no more to show, and every figure keeps its line."""
    page.locator("ul.found > li").first.wait_for(timeout=LONG)
    expect(page.get_by_role("button", name="Show more")).to_be_hidden()
    expect(page.locator("dl.headline")).to_contain_text("of 20 images", use_inner_text=True)
    columns = "list => getComputedStyle(list).gridTemplateColumns.split(' ').length"
    page.locator(".more-figures summary").click()
    page.locator("button[data-head=projector]").click()
    assert page.locator(".more-figures dl.figures").evaluate(columns) == 3
    page.locator("button[data-head=projector]").click()


def move_the_image_and_undo(page, dataset):
    before = images_of_classes(dataset)
    page.locator(".one-image").wait_for(timeout=LONG)
    page.locator(".mend select").select_option(index=1 if page.locator(".mend select").input_value() == "daisy" else 0)
    page.locator(".mend .move").click()
    page.locator(".said button").wait_for()
    assert before != images_of_classes(dataset)
    page.locator(".said button").click()
    page.get_by_text("Taken back.").wait_for()
    assert before == images_of_classes(dataset)


def images_of_classes(dataset):
    return {folder.name: len(list(folder.iterdir())) for folder in dataset.glob("*/")}


def report_in_two_languages(page, path):
    with page.expect_download() as coming:
        page.locator("button.report").click()
    coming.value.save_as(path)
    report = page.context.new_page()
    report.goto(path.as_uri())
    assert report.locator(".in-en table.matrix").is_visible() and not report.locator(".in-zh table.matrix").is_visible()
    report.get_by_text("中文").click()
    assert report.locator(".in-zh table.matrix").is_visible()
    report.close()


def test_of_two_quick_clicks_the_later_opens_its_image(page, server, lab):
    """The answer to the first click comes after that to the second."""
    page.goto(f"{server.url}/en/?tab=evaluate&evaluated=first/best")
    images = page.locator("ul.found > li > button")
    images.nth(1).wait_for(timeout=LONG)
    held = []
    ours = re.compile("component_server")

    def hold(route):
        if "evaluate_image" in route.request.post_data and "evaluate_images" not in route.request.post_data:
            held.append(route)
        else:
            route.continue_()

    page.route(ours, hold)
    for place in (0, 1):
        images.nth(place).click()
        while len(held) <= place:  # asked
            page.wait_for_timeout(20)
    second = held[1].fetch()
    held[1].fulfill(response=second)
    expect(page.locator("li.open")).to_have_count(1, timeout=LONG)
    with page.expect_response(lambda answer: "component_server" in answer.url):
        held[0].continue_()
    page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
    expect(page.locator("li.open")).to_have_count(1)
    assert (
        page.evaluate("[...document.querySelectorAll('ul.found > li')].indexOf(document.querySelector('li.open'))") == 2
    )
    page.unroute(ours)


def test_what_an_audit_found_is_mended(page, server, lab):
    page.goto(f"{server.url}/en/?tab=data")
    page.locator("#data-set input").fill("flowers", timeout=LONG)
    page.keyboard.press("Enter")
    page.get_by_test_id("audit").wait_for(timeout=LONG)
    suspects = page.locator("ul.suspects > li:visible")
    suspects.first.wait_for(timeout=LONG)
    expect(suspects).to_have_count(int(page.locator(".kinds [aria-pressed=true] b").inner_text()))
    count, roses = suspects.count(), len(list((lab.data / "flowers" / "rose").iterdir()))
    page.locator("ul.suspects [data-do=move][data-label=rose]").first.click()
    page.get_by_text("Moved to rose.").wait_for()
    expect(suspects).to_have_count(count - 1, timeout=LONG)
    assert len(list((lab.data / "flowers" / "rose").iterdir())) == roses + 1
    page.locator(".audit .said button").click()
    page.get_by_text("Taken back.").wait_for()
    expect(suspects).to_have_count(count)
    assert len(list((lab.data / "flowers" / "rose").iterdir())) == roses


@pytest.mark.slow
def test_labels_that_are_wrong_on_purpose_are_learnt_and_found_again(page, server):
    page.goto(f"{server.url}/en/?tab=init-lab")
    page.locator("#wrong-train_images input").fill("200", timeout=LONG)
    page.locator("#wrong-epochs input").fill("2")
    page.locator("#wrong-find").click()
    shows_result(page, "#wrong-find")
    verdict = page.locator("#flipped-audit").get_by_test_id("flipped")
    expect(verdict).to_contain_text("60 labels were flipped on purpose. Found again: ", timeout=LONG)
    found, right = (int(said.strip(" :%")) for said in re.findall(r" \d+%", verdict.inner_text()))
    assert found > 50 and right > 50
    named = int(page.locator("#flipped-audit .kinds [data-kind=label] b").inner_text())
    assert named == pytest.approx(60 * found / right, abs=2)
    page.locator("#wrong-start").click()
    shows_result(page, "#wrong-start")
    page.wait_for_url(re.compile("lab-wrong="), timeout=LONG)
    run = page.locator("#wrong-card").get_by_test_id("run")  # beside the lesson, not on another tab
    expect(run).to_have_attribute("data-state", "finished", timeout=LONG)
    assert run.locator("svg").count() >= 2
    (told,) = (Workspace(server.root).train_logs / re.search(r"lab-wrong=([\w-]+)", page.url)[1]).glob("settings.json")
    assert json.loads(told.read_text())["flip_labels"] == 0.3
