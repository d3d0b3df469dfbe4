"""The table of all runs, as a person uses it: a thousand of them, found, marked, compared, deleted and had back."""

import re
import sys
from pathlib import Path

from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from run_folders import a_run  # noqa: E402

from imgcls.runs import annotations  # noqa: E402
from imgcls.runs.store import find_run, list_runs  # noqa: E402
from imgcls.workspace import Workspace  # noqa: E402

SOON = 40_000  # ms


def test_a_thousand_runs_are_found_marked_and_laid_side_by_side(page, server):
    lab = Workspace(server.root)
    for i in range(1000):
        a_run(lab, f"many-{i:03}", lr=0.01 if i % 2 else 0.3, accuracy=0.5 + i / 2001, epochs=2, seed=i % 7)
    page.goto(f"{server.url}/en/?tab=train")
    table = page.locator("#runs-table")
    table.get_by_text("All runs").click(timeout=SOON)
    rows = table.locator(".rt-row")
    expect(rows.first).to_be_visible(timeout=SOON)
    assert rows.count() < 60  # only those in sight are there
    table.locator(".rt-search").fill("many lr>0.1 seed=3")
    expect(table.locator(".rt-count")).to_contain_text("71 of ")
    table.get_by_role("button", name="Validation").press("Enter")  # the largest first
    expect(table.get_by_role("button", name="Validation")).to_be_focused()  # drawn anew, and so are the rows
    expect(rows.first).to_contain_text("many-9")
    name = rows.first.locator(".name")
    assert name.get_attribute("title").endswith(name.locator("span").last.inner_text())  # what differs is seen whole
    expect(name.locator("span").last).to_have_css("flex-shrink", "0")
    assert not any(half in rows.first.inner_text() for half in (" AM", " PM"))  # as everywhere else
    for i in range(2):
        rows.nth(i).locator("input").press("Space")
        expect(rows.nth(i).locator("input")).to_be_checked()
        expect(rows.nth(i).locator("input")).to_be_focused()
    table.get_by_role("button", name="Compare").click()
    side = table.locator(".rt-side")
    expect(side).to_contain_text("Validation accuracy", timeout=SOON)
    expect(side.locator("tbody tr")).to_have_count(1)  # the same settings: there is nothing to tell
    expect(table.locator(".rt-compared figure.chart")).to_have_count(3)
    table.get_by_role("button", name="Tag", exact=True).click()
    table.locator(".rt-ask input").fill("good, <b>")
    table.locator(".rt-ask input").press("Enter")
    expect(rows.first.locator(".tag")).to_have_text(["<b>", "good"], timeout=SOON)
    chosen = [name for name in page.url.split("runs=")[1].split("&")[0].split("%2C")]
    assert all(annotations.read(find_run(name, lab)).tags == ("<b>", "good") for name in chosen)

    page.reload()  # what is chosen, searched and sorted stands in the address
    expect(table.locator(".rt-side")).to_be_visible(timeout=SOON)
    expect(table.locator(".rt-count")).to_contain_text("71 of ")
    expect(rows.first.locator("input")).to_be_checked()
    table.get_by_role("button", name="Delete").click()
    expect(table.locator(".rt-count")).to_contain_text("69 of ")
    for _ in range(2):  # the list is asked for again meanwhile
        table.get_by_text("All runs").click()
    table.get_by_role("button", name="Undo").click()
    expect(table.locator(".rt-count")).to_contain_text("71 of ")
    assert all(find_run(name, lab) for name in chosen)


def test_a_sweep_is_asked_for_and_answered_on_the_page(page, server):
    page.goto(f"{server.url}/en/?tab=train&train_images=600&val_split=200&epochs=1&device=cpu")
    panel, late = page.locator("#sweeps"), []

    def later(route):
        """The list of sweeps comes after what is asked meanwhile."""
        late.append(route) if "sweep_list" in (route.request.post_data or "") else route.continue_()

    page.route(re.compile("component_server"), later)
    page.get_by_role("button", name="Settings").first.click(timeout=SOON)
    rate = page.locator("#field-lr")
    rate.locator("input").focus()
    expect(rate.locator(".sw-vary")).to_have_css("opacity", "1")
    page.keyboard.press("Tab")  # reached without a mouse
    page.keyboard.press("Enter")
    expect(panel.locator(".sw-factor select")).to_have_value("lr")
    expect(panel.locator(".sw-factor input")).to_be_focused()
    assert len(panel.locator(".sw-factor input").input_value().split(",")) == 3  # around what the form says
    values, start = panel.locator(".sw-factor input"), panel.get_by_role("button", name="Start the sweep")
    values.fill("0.05, fast")
    start.click()
    expect(panel.locator(".sw-told")).to_contain_text("fast", timeout=SOON)
    assert late
    with page.expect_response(re.compile("component_server")):
        late.pop().continue_()
    page.unroute(re.compile("component_server"))
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 200)))")
    expect(panel.locator(".sw-told")).to_contain_text("fast")
    values.fill("0.05, 0.1")
    panel.locator(".sw-seeds").fill("1")
    start.click()
    expect(panel.locator(".sw-state")).to_contain_text("Finished · 2 / 2", timeout=180_000)
    expect(panel.locator(".sw-effects li")).to_have_count(1)
    expect(panel.locator(".sw-plots figure")).to_have_count(1)
    expect(panel.locator("tbody tr")).to_have_count(2)
    runs = [run for run in list_runs(Workspace(server.root)) if run.name.startswith("sweep-lenet-mnist")]
    assert len(runs) == 2 and all(run.settings().train_images == 600 for run in runs)
    best = panel.get_by_role("link", name="Fill the form with the best settings").get_attribute("href")
    assert "train_images=600" in best and "lr=0." in best and "tab=train" in best

    # Both next to each other: evaluated when it is asked for, the cells that differ marked, and all of it as one file.
    chosen = ",".join(run.name for run in runs)
    page.goto(f"{server.url}/en/?tab=train&run={runs[0].name}&runs={chosen}")
    table = page.locator("#runs-table")
    table.get_by_role("button", name="Evaluate them").click(timeout=SOON)
    expect(table.locator("table.matrix.against")).to_have_count(2, timeout=180_000)
    expect(table.locator("[data-testid=comparison]")).to_have_count(1)
    expect(table.locator("td.differs").first).to_be_visible()
    with page.expect_download() as told:
        table.get_by_role("button", name="Download as one page").click()
    html = Path(told.value.path()).read_text("utf-8")
    assert all(run.name in html for run in runs) and 'class="matrix against"' in html
    learnt = page.locator("#card .see-it-learn")
    learnt.get_by_text("See it learn").click()
    expect(learnt.locator("tbody tr")).to_have_count(12, timeout=SOON)
