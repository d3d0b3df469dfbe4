"""Look inside: every value on the page is the network's own, and its sum is written out."""

import pytest
import torch
from playwright.sync_api import expect
from results import shows_result
from test_live import READ, SHIPPED, SOON, opened, reader_script

from imgcls.inference.explain import units_of
from imgcls.inference.predictor import Predictor
from imgcls.web.classify.browser_weights import page_bytes

LAYERS = ("input", "conv1", "pool1", "conv2", "pool2", "fc1", "fc2", "fc3")


@pytest.fixture
def values(page, server, draw_three):
    """What torch makes of the drawing on the page: (before the ReLU, after it) of each layer."""
    import base64

    opened(page, server)
    draw_three(page)
    expect(page.get_by_test_id("answer")).to_have_text("3", timeout=SOON)
    strokes = page.evaluate("JSON.parse(sessionStorage.getItem('imgcls-drawing')).map(s => s.points)")
    weights = base64.b64encode(page_bytes(SHIPPED)).decode()
    read = page.evaluate(READ, [[strokes], weights, reader_script(server)])[0]
    predictor = Predictor.load(SHIPPED)
    net = predictor.model
    x = predictor.meta.preprocess.to_input(torch.tensor(read["stored"], dtype=torch.uint8).view(1, 1, 28, 28))
    made = {"input": (x, x)}
    with torch.no_grad():
        for i in (1, 2):
            raw = getattr(net, f"conv{i}")(x)
            made[f"conv{i}"] = raw, raw.relu()
            x = torch.nn.functional.max_pool2d(raw.relu(), 2)
            made[f"pool{i}"] = x, x
        x = x.flatten(1)
        for i in (1, 2, 3):
            raw = getattr(net, f"fc{i}")(x)
            x = raw if i == 3 else raw.relu()
            made[f"fc{i}"] = raw, x
    return made


def shown(page):
    output = page.locator(".sum output")
    return float(output.get_attribute("data-sum")), float(output.get_attribute("data-value"))


def test_a_pixel_s_sum_is_torch_s(page, values):
    page.locator("[data-panel=inside]").click()
    for name, channel, y, x in [("conv1", 2, 9, 13), ("pool1", 5, 6, 6), ("conv2", 11, 4, 5), ("pool2", 3, 2, 1)]:
        canvas = page.locator(f".stage.{name} canvas").nth(channel)
        canvas.scroll_into_view_if_needed()
        box, side = canvas.bounding_box(), int(canvas.get_attribute("width"))
        canvas.hover(position={"x": (x + 0.5) * box["width"] / side, "y": (y + 0.5) * box["height"] / side})
        expect(page.locator(".sum")).to_contain_text(f"map {channel + 1}, row {y + 1}, column {x + 1}")
        raw, after = values[name]
        assert shown(page) == pytest.approx((raw[0, channel, y, x].item(), after[0, channel, y, x].item()), abs=1e-4)
        assert page.locator(".stage.input .field").is_visible()
    for name, unit in [("fc1", 50), ("fc2", 7)]:
        canvas = page.locator(f".stage.{name} canvas")
        box, rows = canvas.bounding_box(), int(canvas.get_attribute("height"))
        column, row = unit % 10, unit // 10
        canvas.hover(position={"x": (column + 0.5) * box["width"] / 10, "y": (row + 0.5) * box["height"] / rows})
        raw, after = (value[0, unit].item() for value in values[name])
        page.wait_for_function(
            "raw => Math.abs(document.querySelector('.sum output').dataset.sum - raw) < 1e-4", arg=raw
        )
        assert shown(page) == pytest.approx((raw, after), abs=1e-4)
    page.locator(".stage.fc3 .map").nth(3).hover()
    assert shown(page)[1] == pytest.approx(values["fc3"][0][0, 3].item(), abs=1e-4)


def test_by_keyboard_from_pixel_to_pixel_and_layer_to_layer(page, values):
    page.locator("[data-panel=inside]").focus()
    page.keyboard.press("Enter")
    page.locator(".stage.input .map").first.wait_for()
    for _ in range(8):  # past what else can be opened
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('map')"):
            break
    expect(page.locator(".sum")).to_contain_text("Input, map 1, row 15, column 15")
    page.keyboard.press("Tab")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".sum")).to_contain_text("Convolution 1, map 2, row 14, column 14")
    assert shown(page)[0] == pytest.approx(values["conv1"][0][0, 1, 13, 13].item(), abs=1e-4)


def test_a_map_shows_its_kernel_and_what_excites_it(page, values):
    page.locator("[data-panel=inside]").click()
    page.locator(".stage.conv2 .map").nth(4).click()
    expect(page.locator(".chosen-map canvas.kernel")).to_have_count(6)
    expect(page.locator(".exciting canvas")).to_have_count(8, timeout=60_000)


def test_it_follows_the_drawing(page, values):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("[data-panel=inside]").click()
    shows_result(page, "[data-panel]")
    for seen in ("#pad canvas", ".flow-scroll"):  # the drawing and every layer of it, in one view
        expect(page.locator(seen)).to_be_in_viewport(ratio=0.9)
    picture = "document.querySelector('.stage.conv1 canvas').toDataURL()"
    page.locator(".pad-clear").click()
    before = page.evaluate(picture)
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8, steps=5)
    page.mouse.up()
    page.wait_for_function(f"before => {picture} !== before", arg=before)  # with the next frame


def test_units_that_never_answer_are_counted():
    predictor = Predictor.load(SHIPPED)
    with torch.no_grad():
        predictor.model.conv1.bias[2] = -100  # on purpose
        predictor.model.fc1.bias[7] = -1000
    images = torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8)
    made = units_of(predictor, images)
    assert made["dead.conv1"].tolist() == [0, 0, 1, 0, 0, 0] and made["dead.fc1"][7] == 1
    assert (made["top.conv1"][2] == -1).all()
    with torch.no_grad():
        answers = predictor.model.conv1(predictor.meta.preprocess.to_input(images)).amax((2, 3))
    best = made["images"][made["top.conv1"][0, 0]]
    assert torch.equal(best, images[answers[:, 0].argmax(), 0])
