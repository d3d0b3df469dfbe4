"""Rules that hang on a class of <html> hold, although Gradio writes all others twice, below its own container."""

import re

from playwright.sync_api import expect
from train_form import open_settings

from imgcls.workspace import PROJECT

WEB = PROJECT / "imgcls" / "web"
SOON = 40_000  # ms
# For every rule of the head's sheet: elements as it names them, below the container, and the values that it gives
# beside those that they have.
BROKEN = """() => {
  // Those within @media count where it applies.
  const holds = media => matchMedia(media.mediaText).matches;
  const within = rule => !rule.media ? [rule] : holds(rule.media) ? [...rule.cssRules] : [];
  const flat = sheet => [...sheet.cssRules].flatMap(within);
  const ours = one => [...one.cssRules].some(rule => rule.selectorText?.startsWith('html.projector'));
  const sheet = [...document.styleSheets].find(ours), root = document.documentElement, wrong = [], seen = [];
  const inside = document.querySelector('.gradio-container .contain');
  const element = part => {
    const [tag] = part.match(/^[a-z]+/) ?? [], [, id] = part.match(/#([\\w-]+)/) ?? [];
    const svg = ['.whole', '.zoomed'].includes(part), space = `http://www.w3.org/${svg ? '2000/svg' : '1999/xhtml'}`;
    const made = document.createElementNS(space, svg ? 'g' : tag ?? 'div');
    for (const [, name] of part.matchAll(/\\.([\\w-]+)/g)) made.classList.add(name);
    for (const [, name, value] of part.matchAll(/\\[([\\w-]+)=([\\w-]+)\\]/g)) made.setAttribute(name, value);
    if (id) made.id = id;
    return made;
  };
  for (const rule of flat(sheet)) {
    for (const selector of rule.selectorText.split(/,(?![^(]*\\))/)) {
      const [above, ...parts] = selector.trim().split(/\\s+/);
      const state = above.match(/^html\\.([\\w-]+)$/)[1];
      let made = null, target = document.querySelector(parts.join(' '));
      if (!target) {
        target = inside;
        for (const part of parts) { const child = element(part); target.append(child); made ??= child; target = child; }
      }
      root.classList.add(state);
      for (const name of rule.style) {
        const is = getComputedStyle(target)[name];
        target.style.setProperty(name, rule.style.getPropertyValue(name), 'important');
        const should = getComputedStyle(target)[name];
        target.style.removeProperty(name);
        seen.push(`${selector} ${name}`);
        if (is !== should) wrong.push(`${selector} { ${name}: ${is} instead of ${should} }`);
      }
      root.classList.remove(state);
      made?.remove();
    }
  }
  return { wrong, seen };
}"""


def test_every_rule_above_the_container_holds(page, server):
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    made = page.evaluate(BROKEN)
    assert len(made["seen"]) >= 15 and not made["wrong"], made["wrong"]


# Every text that is to be seen, and how large it is on the screen, where that is smaller than asked.
SMALLER = """least => {
  const zoom = parseFloat(getComputedStyle(document.body).zoom), texts = document.createTreeWalker(document.body, 4);
  const found = new Set();
  while (texts.nextNode()) {
    const text = texts.currentNode, element = text.parentElement, range = document.createRange();
    range.selectNodeContents(text);
    const shown = text.data.trim() && element.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!shown || element.closest('script, style') || !range.getBoundingClientRect().width) continue;
    const svg = element.closest('svg'), box = svg?.viewBox.baseVal;
    const scale = box?.width ? svg.getBoundingClientRect().width / box.width : zoom;
    const size = scale * parseFloat(getComputedStyle(element).fontSize);
    if (size < least - 0.01) found.add(`${element.outerHTML.slice(0, 120)}: ${size.toFixed(1)} px`);
  }
  return [...found];
}"""


def test_the_back_row_can_read_a_projector(page, server):
    """Every text of every tab, with what folds open."""
    page.set_viewport_size({"width": 1920, "height": 1080})
    page.goto(f"{server.url}/en/?projector=1")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator(".examples button").first.click()
    page.locator("[data-panel=inside]").first.click()
    expect(page.locator(".stage-head").first).to_be_visible(timeout=SOON)
    small = page.evaluate(SMALLER, 24)
    for tab, there in {
        "train": "#plan p",
        "evaluate": "#evaluate-run",
        "data": "#samples img",
        "init-lab": "#lab-start",
    }.items():
        page.locator(f"#rooms > .tab-wrapper [data-tab-id={tab}]").click()
        expect(page.locator(there).first).to_be_visible(timeout=SOON)
        if tab == "train":
            open_settings(page)
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        small += page.evaluate(SMALLER, 24)
    assert not small, "\n".join(small)


def test_no_other_sheet_has_a_rule_for_a_class_of_the_root():
    """The names are those that the page's scripts give <html>."""
    scripts = "".join(path.read_text("utf-8") for path in WEB.rglob("*.js"))
    given = set(re.findall(r"(?:root|documentElement)\.classList\.\w+\('([\w-]+)'", scripts)) - {
        "dark",
        "on",
    }  # the camera's own root
    assert given == {"projector", "zoomed-charts"}
    for path in WEB.rglob("*.css"):
        if path.name != "whole_page.css":
            rules = re.sub(r"/\*.*?\*/", "", path.read_text("utf-8"), flags=re.S)
            assert not re.findall(rf"\.(?:{'|'.join(given)})\b[^{{}}]*{{", rules), path.name


def test_zoomed_curves_are_shown_and_so_is_the_way_back(page, server):
    from imgcls.web.i18n.translator import Translator
    from imgcls.web.shared.curves import Series, chart

    page.goto(f"{server.url}/en/?zoom=1")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    points = [(0, 0.1), (1, 0.9), (2, 0.97), (3, 0.98)]
    made = chart(
        "Accuracy", [Series("train", points, "line", "c1")], Translator("en"), x_end=3, x_name="epochs", percent=True
    )
    page.evaluate(
        "html => { const into = document.querySelector('.gradio-container .contain'); into.innerHTML = html; }", made
    )
    figure = page.locator("figure.chart.zooms")
    for zoomed in (True, False, True):
        expect(figure.locator("g.zoomed")).to_be_visible(visible=zoomed)
        expect(figure.locator("g.whole")).to_be_visible(visible=not zoomed)
        expect(figure.locator("button.zoom")).to_have_text("0 to 100%" if zoomed else "Zoom in", use_inner_text=True)
        figure.locator("button.zoom").click()
