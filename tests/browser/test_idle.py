"""What a page asks for when nobody does anything, and that it still notices what others do."""

import shutil

import psutil
from playwright.sync_api import expect
from train_form import open_settings

SOON = 60_000  # ms


def asked_for(page, seconds):
    """Requests of so many seconds, by the page's own clock."""
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.clock.run_for(seconds * 1000)
    page.wait_for_timeout(500)
    return asked


def beside(server):
    """The commands of the server's own processes."""
    return [process.cmdline() for process in psutil.Process(server.process.pid).children()]


def test_an_idle_page_asks_next_to_nothing(page, server):
    """A hundred such pages: fewer than five requests a second. Who only draws has nothing measured and no process made;
    when somebody has looked at Train, one stands by."""
    page.clock.install()
    earlier = beside(server)  # other tests have the same server
    page.goto(f"{server.url}/en/")
    page.clock.run_for(5000)
    page.wait_for_selector("#pad canvas")
    assert all(command in earlier for command in beside(server))
    for name in ("Train", "Init lab", "Data", "Classify"):  # a room's timers begin when it is first opened
        page.clock.run_for(2000)
        page.get_by_role("tab", name=name, exact=True).click()
    page.clock.run_for(2000)
    page.wait_for_selector("#pad canvas")
    for _ in range(240):  # a minute after the last movement, and when the form's estimate is there, it is at rest
        page.wait_for_timeout(500)
        if {url.split("/")[-1] for url in asked_for(page, 60)} <= {"changes"}:
            break
    asked = asked_for(page, 300)
    assert 0 < len(asked) <= 5 / 100 * 300, asked
    assert {url.split("/")[-1] for url in asked} == {"changes"}
    assert any("standby" in command for command in beside(server))


def test_a_run_that_somebody_else_starts_is_noticed(page, server):
    from imgcls.recipes import with_recipe
    from imgcls.runs.lifecycle import create_run
    from imgcls.workspace import Workspace

    page.goto(f"{server.url}/en/")
    page.get_by_role("tab", name="Train", exact=True).click()
    open_settings(page)
    page.locator("#field-epochs input").fill("3")
    run = create_run(with_recipe({"dataset": "mnist", "name": "from-elsewhere"}), Workspace(server.root))
    try:
        expect(page.locator("#run input")).to_be_visible(timeout=SOON)
        page.locator("#run input").click()
        expect(page.get_by_role("option", name="from-elsewhere")).to_be_visible(timeout=SOON)
    finally:
        shutil.rmtree(run.logs)  # other tests have the same server
