"""Every tab in both languages, light and dark: axe-core finds nothing serious, and nothing is wider than a phone."""

import shutil

import pytest
from axe import serious
from playwright.sync_api import expect
from train_form import open_settings

from imgcls.messages import Message
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.state import change
from imgcls.training import events
from imgcls.training.loggers.event_log import EventLog
from imgcls.workspace import Workspace

TABS = {
    "en": ("Classify", "Train", "Evaluate", "Data", "Init lab"),
    "zh": ("识别", "训练", "评估", "数据", "初始化实验"),
}
NAMES = ("classify", "train", "evaluate", "data", "init-lab")
WITHIN = {"en": {"Data": "Make your own", "Classify": "Photo"}, "zh": {"数据": "自己做一个", "识别": "照片"}}
# What is being made anew is faded meanwhile, and what follows it may be, too: nothing has been for a while.
SETTLED = """() => {
  const busy = [...document.querySelectorAll('.pending, .generating')].some(node => node.checkVisibility());
  if (busy || !window.calmSince) window.calmSince = performance.now();
  return performance.now() - window.calmSince > 1000;
}"""
# What a finger cannot reach: beyond the screen, and not inside something that scrolls.
TOO_WIDE = """() => {
  const scrolls = node => {
    for (let up = node.parentElement; up && up !== document.body; up = up.parentElement) {
      const style = getComputedStyle(up);
      if (['auto', 'scroll'].includes(style.overflowX)) return true;
    }
    return false;
  };
  return [...document.body.querySelectorAll('*')].filter(node => {
    const box = node.getBoundingClientRect();
    return node.checkVisibility({visibilityProperty: true, opacityProperty: true}) && box.width > 1 && box.height > 1
      && (box.right > innerWidth + 1 || box.left < -1) && !scrolls(node);
  }).map(node => node.outerHTML.slice(0, 160));
}"""


def states(page, server, language, draw):
    """The name of each state, when the page stands in it."""
    page.goto(f"{server.url}/{language}/")
    page.wait_for_selector("#pad canvas")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=40_000)  # the pad answers
    draw(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=40_000)
    for tab, name in zip(TABS[language], NAMES, strict=True):
        page.goto(f"{server.url}/{language}/?tab={name}")  # a phone has some tabs in a menu
        expect(page.locator(f"#{name}-tab, [role=tabpanel]:visible").first).to_be_visible()
        page.wait_for_function(SETTLED, timeout=40_000)  # what a tab shows comes when it is opened
        yield tab
        if name == "evaluate":
            page.get_by_role("button", name=tab, exact=True).click()
            page.locator("section.evaluation").wait_for(timeout=90_000)
            yield "evaluated"
        if name == "train":
            open_settings(page)
            page.wait_for_timeout(300)
            yield "settings"
        if tab in WITHIN[language]:
            page.get_by_role("tab", name=WITHIN[language][tab], exact=True).first.click()
            page.wait_for_timeout(500)
            yield WITHIN[language][tab]


# What a language does wrong it does in both schemes, what a scheme does wrong in both languages: two of the four tell.
@pytest.mark.parametrize(
    ("language", "scheme"),
    [
        ("en", "dark"),
        ("zh", "light"),
        pytest.param("en", "light", marks=pytest.mark.slow),
        pytest.param("zh", "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_is_wider_than_a_phone(page, server, draw_three, language, scheme):
    page.emulate_media(color_scheme=scheme)
    found, wide = [], {}
    for state in states(page, server, language, draw_three):
        found += [(state, *one) for one in serious(page)]
        if scheme == "light":
            page.set_viewport_size({"width": 390, "height": 844})
            page.wait_for_timeout(200)
            wide[state] = page.evaluate(TOO_WIDE)
            page.set_viewport_size({"width": 1280, "height": 900})
    assert not found, "\n".join(map(str, found))
    assert not any(wide.values()), wide
    assert scheme == "dark" or len(wide) > 7


@pytest.fixture
def failed_run(server):
    """Diverged in its third step."""
    workspace = Workspace(server.root)
    run, said = create_run(with_recipe({"name": "diverged"}), workspace), Message("Training diverged: the loss is NaN.")
    with EventLog(run.logs) as log:
        for step in (1, 2):
            figures = {"loss": 2.3, "accuracy": 0.1, "lr": 0.1, "images_per_second": 1, "seconds_left": 9}
            log(events.Progress(step=step, epoch=step / 400, **figures))
        log(events.Failed(message=said, error="DivergedError"))
    change(workspace, run.logs, "failed", message=said)
    yield run
    shutil.rmtree(run.logs)


@pytest.mark.parametrize(("language", "scheme"), [("en", "dark"), ("zh", "light")])
def test_axe_finds_nothing_serious_in_a_failed_run_on_a_projector_with_the_way_to_join(
    page, server, failed_run, language, scheme
):
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{server.url}/{language}/?tab=train&run={failed_run.name}&projector=1")
    expect(page.locator("section.run[data-state=failed]")).to_be_visible(timeout=40_000)
    found = serious(page)
    page.locator("[data-head=join]").click()
    expect(page.locator("dialog[data-dialog=join]")).to_be_visible()
    assert not (found + serious(page))


def test_lists_and_tabs_are_left_and_opened_by_keyboard(page, server):
    page.goto(f"{server.url}/en/?tab=train")
    field = page.locator("#field-dataset input")
    field.click()
    expect(field).to_have_attribute("aria-expanded", "true", timeout=40_000)
    page.keyboard.press("Tab")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.click()
    page.keyboard.press("Escape")
    expect(field).to_have_attribute("aria-expanded", "false")
    field.click()
    expect(field).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("Escape")  # its list lies over what follows
    open_settings(page)
    page.locator("#field-epochs input").focus()
    assert page.locator("#field-epochs input").evaluate("field => getComputedStyle(field).outlineWidth") == "2px"
    page.locator("#rooms > .tab-wrapper [data-tab-id=train]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#rooms > .tab-wrapper [data-tab-id=evaluate]")).to_be_focused()
    expect(page.locator("#evaluate-run")).to_be_visible()


def test_the_answer_is_in_sight_while_one_draws_on_a_phone(page, server, draw_three):
    page.set_viewport_size({"width": 390, "height": 664})  # what the bars of a phone's browser leave of 844
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=40_000)
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=40_000)
    box = page.get_by_test_id("answer").bounding_box()
    assert page.evaluate("scrollY") == 0 and box["y"] + box["height"] <= 664
    page.locator("[data-panel=inside]").first.click()
    layers = page.locator(".flow-scroll")
    expect(layers.locator(".stage-head").first).to_be_visible()
    assert layers.evaluate("row => row.scrollWidth > row.clientWidth")  # and it fades out where more follows
    assert "gradient" in layers.evaluate("row => getComputedStyle(row).maskImage")


def test_a_phone_has_margins_and_its_dialogs(page, server):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server.url}/zh/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=40_000)
    assert page.locator("#rooms").bounding_box()["x"] == 16
    page.locator("[data-head=join]").click()  # nothing lies over it
    expect(page.locator("dialog[data-dialog=join]")).to_be_visible()
