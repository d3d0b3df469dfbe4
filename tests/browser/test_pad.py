"""The pad under hands: which pointer draws, how sharp it is, and what a long stroke costs."""

import pytest
from playwright.sync_api import expect

SOON = 40_000  # ms
STROKES = "(JSON.parse(sessionStorage.getItem('imgcls-drawing')) ?? [])"


class Hands:
    """Fingers, palms and pens on the pad, as a device tells the browser of them; places are shares of its side."""

    def __init__(self, page, box):
        self.devices, self.box, self.fingers = page.context.new_cdp_session(page), box, {}

    def _touch(self, kind):
        points = [{"id": name, **finger} for name, finger in self.fingers.items()]
        self.devices.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def down(self, name, x, y, radius=8):
        self.fingers[name] = {**self.at(x, y), "radiusX": radius, "radiusY": radius}
        self._touch("touchStart")

    def move(self, name, x, y, radius=8):
        self.fingers[name] = {**self.at(x, y), "radiusX": radius, "radiusY": radius}
        self._touch("touchMove")

    def up(self, name):
        del self.fingers[name]
        self._touch("touchMove" if self.fingers else "touchEnd")  # of several, those are named that stay

    def cancel(self):
        self.fingers.clear()
        self._touch("touchCancel")

    def pen(self, kind, x, y):
        pressed = {"button": "left", "buttons": 1} if kind != "mouseMoved" else {}
        event = {"type": kind, "pointerType": "pen", "clickCount": 1, **pressed, **self.at(x, y)}
        self.devices.send("Input.dispatchMouseEvent", event)

    def at(self, x, y):
        return {"x": self.box["x"] + x * self.box["width"], "y": self.box["y"] + y * self.box["height"]}


@pytest.fixture
def hands(page, server):
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")
    page.locator("#pad canvas").scroll_into_view_if_needed()
    return Hands(page, page.locator("#pad canvas").bounding_box())


def lines(page):
    """Each stroke from where to where, in tenths of the pad's side."""
    made = page.evaluate(f"{STROKES}.map(({{ points }}) => [points[0], points.at(-1)])")
    return [[[round(v / 28) for v in point] for point in line] for line in made]


def line(hands, name, begin, end, **more):
    hands.down(name, *begin, **more)
    for step in (0.25, 0.5, 0.75, 1):
        hands.move(name, *(a + step * (b - a) for a, b in zip(begin, end, strict=True)), **more)


def test_a_second_finger_draws_nothing_and_ends_nothing(page, hands):
    hands.down(0, 0.2, 0.2)
    hands.move(0, 0.3, 0.4)
    hands.down(1, 0.9, 0.9)
    hands.move(1, 0.5, 0.9)
    hands.move(0, 0.4, 0.6)
    hands.up(1)
    hands.move(0, 0.5, 0.8)
    hands.up(0)
    assert lines(page) == [[[2, 2], [5, 8]]]


def test_a_palm_draws_nothing_whether_it_comes_first_or_grows(page, hands):
    hands.down(0, 0.8, 0.8, radius=90)
    line(hands, 1, (0.2, 0.2), (0.2, 0.8))
    hands.up(1)
    hands.up(0)
    assert lines(page) == [[[2, 2], [2, 8]]]
    hands.down(2, 0.6, 0.6)
    hands.move(2, 0.7, 0.7, radius=90)
    hands.up(2)
    assert lines(page) == [[[2, 2], [2, 8]]]


def test_a_touch_that_the_device_takes_back_leaves_nothing(page, hands):
    line(hands, 0, (0.2, 0.2), (0.2, 0.8))
    hands.cancel()
    assert lines(page) == []


def test_a_pen_goes_before_the_hand_that_holds_it(page, hands):
    hands.down(0, 0.8, 0.8)  # the hand comes down before the pen
    hands.move(0, 0.8, 0.7)
    hands.pen("mousePressed", 0.3, 0.2)
    hands.pen("mouseMoved", 0.3, 0.5)
    hands.move(0, 0.9, 0.7)
    hands.pen("mouseMoved", 0.3, 0.8)
    hands.pen("mouseReleased", 0.3, 0.8)
    hands.up(0)
    hands.pen("mouseMoved", 0.4, 0.4)  # it hovers, and the hand rests again
    line(hands, 1, (0.8, 0.8), (0.9, 0.9))
    hands.up(1)
    assert lines(page) == [[[3, 2], [3, 8]]]


@pytest.mark.parametrize("ratio", [1, 2, 2.625])
def test_the_pad_has_a_pixel_for_each_of_the_screen_s(browser, server, ratio):
    context = browser.new_context(device_scale_factor=ratio)
    page = context.new_page()
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")
    sharp = "c => Math.abs(c.width - c.getBoundingClientRect().width * devicePixelRatio) <= 1 && c.width === c.height"
    page.wait_for_function(f"({sharp})(document.querySelector('#pad canvas'))", timeout=SOON)
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.8 * box["height"], steps=5)
    page.mouse.up()
    page.wait_for_function(f"{STROKES}.length === 1")
    # What is read is the same whatever the screen is, and lies where the line was drawn.
    read = page.evaluate("(({ width, data }) => [width, data[98 * width + 98], data[98 * width + 20]])"
                         "(document.querySelector('#pad .pad').grey())")  # fmt: skip
    assert read == [196, 0, 255]
    inked = "c => [...c.getContext('2d').getImageData(c.width >> 1, c.width >> 1, 1, 1).data]"
    assert page.locator("#pad canvas").evaluate(inked) == [0, 0, 0, 255]
    page.evaluate("document.documentElement.style.zoom = 1.5")  # another size: what is drawn stays
    page.wait_for_function(f"({sharp})(document.querySelector('#pad canvas'))", timeout=SOON)
    assert page.locator("#pad canvas").evaluate(inked) == [0, 0, 0, 255]
    context.close()


def test_a_long_stroke_costs_as_many_steps_as_it_has_points(page, server):
    """Counted: the curves that are drawn, beside the strokes before it and while it goes on."""
    page.add_init_script("""window.curves = 0; const drawn = CanvasRenderingContext2D.prototype.quadraticCurveTo;
      CanvasRenderingContext2D.prototype.quadraticCurveTo = function(...at) { curves += 1; drawn.apply(this, at); };""")
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")
    stroke = """count => {
      const canvas = document.querySelector('#pad canvas'), box = canvas.getBoundingClientRect();
      canvas.setPointerCapture = () => {};
      const tell = (name, i) => {
        const x = .5 + .4 * Math.cos(i / 40), y = .5 + .4 * Math.sin(i / 31);
        const pen = { pointerId: 7, pointerType: 'pen' };
        const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height };
        canvas.dispatchEvent(new PointerEvent(name, { ...pen, ...at, bubbles: true }));
      };
      const before = curves, pad = document.querySelector('#pad .pad');
      tell('pointerdown', 0);
      for (let i = 1; i < count; i++) { tell('pointermove', i); pad.grey(); }
      const while_ = curves - before, seen = pad.grey();
      tell('pointerup', count);
      const end = pad.grey(), differ = seen.data.reduce((sum, v, i) => sum + Math.abs(v - end.data[i]), 0);
      return { while_, all: curves - before, off: differ / seen.data.length };
    }"""
    made = [page.evaluate(stroke, 500) for _ in range(4)]
    for one in made:  # two sheets, each with the new and the end; then once more, whole
        assert one["while_"] < 500 * 2 * 3 and one["all"] < 500 * 2 * 4, made
        assert one["off"] < 3, made  # grey levels: what is read on the way is what is read at the end
    page.locator(".pad-undo").click()
    page.evaluate(stroke, 100)
    page.reload()
    expect(page.locator(".answer-label")).to_be_visible(timeout=SOON)


def test_points_that_were_undone_are_free_again(page, server):
    page.goto(f"{server.url}/en/")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")
    page.evaluate("""() => {
      const pad = document.querySelector('#pad .pad');
      const points = Array.from({ length: 20000 }, (_, i) => [140 + 90 * Math.cos(i), 140 + 90 * Math.sin(i)]);
      pad.put([{ width: 11, points }]);
    }""")
    page.locator(".pad-undo").click()
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 200, steps=8)
    page.mouse.up()
    assert page.evaluate(f"{STROKES}.map(one => one.points.length)") == [9]
