"""One draws before Gradio has built the page, in the place where its own pad will be, and nothing drawn is lost."""

import pytest
from playwright.sync_api import expect

SOON = 40_000  # ms
SCRIPTS = "**/assets/*.js"  # Gradio's
STROKES = "JSON.parse(sessionStorage.getItem('imgcls-drawing')) ?? []"
SHOWN = {"h1": "header.site h1", "pad": ".pad canvas", "undo": ".pad-undo", "language": ".language"}


@pytest.fixture
def slow_page(browser, server):
    """open(language, query, **screen): a page whose scripts of Gradio's do not come before `come` is called."""
    opened = []

    def open(language, query="", **screen):
        context = browser.new_context(**screen)
        page, held, came = context.new_page(), [], []
        opened.append(context)
        page.route(SCRIPTS, lambda route: route.continue_() if came else held.append(route))
        page.goto(f"{server.url}/{language}/{query}", wait_until="commit")
        page.locator("#first").wait_for(state="attached" if not query else "detached")

        def come():
            came.append(True)
            for route in held:
                route.continue_()

        return page, come

    yield open
    for context in opened:
        context.close()


def boxes(page, inside):
    return {name: page.locator(f"{inside} {part}").first.bounding_box() for name, part in SHOWN.items()}


def stroke(page, *points, lift=True):
    box = page.locator("#first canvas").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    if lift:
        page.mouse.up()
    return box


@pytest.mark.parametrize(
    ("language", "screen"),
    [
        ("en", {"viewport": {"width": 1280, "height": 800}}),
        ("zh", {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}),
        ("en", {"viewport": {"width": 1920, "height": 1080}, "color_scheme": "dark"}),
    ],
)
def test_what_is_drawn_before_the_page_is_built_stays_in_its_place(slow_page, language, screen):
    page, come = slow_page(language, **screen)
    page.locator('#first [data-width="32"]').click()
    stroke(page, (0.4, 0.2), (0.3, 0.5), (0.7, 0.5))
    before = boxes(page, "#first")
    box = stroke(page, (0.6, 0.3), (0.6, 0.5), lift=False)  # and while the pen is down
    come()
    page.locator("#pad canvas").wait_for(timeout=SOON)
    page.wait_for_function("document.querySelector('#pad canvas').getBoundingClientRect().width > 0")
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.8 * box["height"], steps=4)
    assert page.locator("#first").is_visible()
    page.mouse.up()
    expect(page.locator("#first")).to_have_count(0, timeout=SOON)
    expect(page.get_by_test_id("answer")).to_have_text("4", timeout=SOON)
    drawn = page.evaluate(STROKES)
    assert [one["width"] for one in drawn] == [32, 32]
    assert [round(v / 28) for v in (*drawn[1]["points"][0], *drawn[1]["points"][-1])] == [6, 3, 6, 8]
    expect(page.locator('#pad [data-width="32"]')).to_have_attribute("aria-pressed", "true")
    assert page.locator("#pad canvas").evaluate("canvas => canvas === document.activeElement")
    for name, now in boxes(page, ".gradio-container").items():
        assert all(abs(now[side] - before[name][side]) <= 2 for side in now), (name, before[name], now)


@pytest.mark.parametrize("query", ["?tab=train", "?source=photo", "?projector=1"])
def test_a_link_to_another_place_shows_no_pad_meanwhile(slow_page, query):
    page, _ = slow_page("en", query)
    assert page.locator(".pad").count() == 0


def test_the_tabs_are_those_that_come(slow_page):
    page, come = slow_page("zh")
    shown = page.locator(".first-tabs.rooms a").all_inner_texts()
    come()
    expect(page.locator("#rooms > .tab-wrapper [role=tab]")).to_have_text(shown, timeout=SOON)
