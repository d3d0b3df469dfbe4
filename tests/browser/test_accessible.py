"""Every tab in both languages, light and dark: axe-core finds nothing serious, and nothing is wider than a phone."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

TABS = {
    "en": ("Classify", "Train", "Evaluate", "Data", "Init lab"),
    "zh": ("识别", "训练", "评估", "数据", "初始化实验"),
}
NAMES = ("classify", "train", "evaluate", "data", "init-lab")
WITHIN = {"en": {"Data": "Make your own", "Classify": "Photo"}, "zh": {"数据": "自己做一个", "识别": "照片"}}
MORE = {"en": "More settings", "zh": "更多设置"}
SERIOUS = ("serious", "critical")
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
        page.wait_for_timeout(1000)  # what a tab shows comes when it is opened
        yield tab
        if name == "evaluate":
            page.get_by_role("button", name=tab, exact=True).click()
            page.locator("section.evaluation").wait_for(timeout=90_000)
            yield "evaluated"
        if name == "train":
            page.get_by_role("button", name=MORE[language]).click()
            page.wait_for_timeout(300)
            yield MORE[language]
        if tab in WITHIN[language]:
            page.get_by_role("tab", name=WITHIN[language][tab], exact=True).first.click()
            page.wait_for_timeout(500)
            yield WITHIN[language][tab]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_serious(page, server, draw_three, language, scheme):
    page.emulate_media(color_scheme=scheme)
    found = []
    for state in states(page, server, language, draw_three):
        for one in Axe().run(page).response["violations"]:
            if one["impact"] in SERIOUS:
                found += [(state, one["id"], node["html"][:200], node["failureSummary"][:200]) for node in one["nodes"]]
    assert not found, "\n".join(map(str, found))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_nothing_is_wider_than_a_phone(page, server, draw_three, language):
    page.set_viewport_size({"width": 390, "height": 844})
    wide = {state: page.evaluate(TOO_WIDE) for state in states(page, server, language, draw_three)}
    assert len(wide) > 7 and not any(wide.values()), wide
    assert page.locator("#rooms").bounding_box()["x"] == 16
    page.locator("[data-head=join]").click()  # nothing lies over it
    expect(page.locator("dialog[data-dialog=join]")).to_be_visible()
