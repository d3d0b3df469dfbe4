"""What Classify opens on demand and asks the server for: other checkpoints, many pictures."""

import base64
import csv
import io
import re
import sys
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect
from test_live import SOON, opened

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from lenets import lenet  # noqa: E402
from photos import photo  # noqa: E402

from imgcls.data.download import load_arrays  # noqa: E402
from imgcls.workspace import Workspace  # noqa: E402


@pytest.fixture(scope="session")
def fives(server):
    """A checkpoint that always answers 5, and after epoch n answered n."""
    return lenet(Workspace(server.root), "fives", always=5, epochs=3)


def test_one_drawing_through_several_checkpoints(page, server, draw_three, fives):
    opened(page, server)
    page.locator("[data-panel=compare]").click()
    expect(page.locator(".compare .hint")).to_contain_text("Draw something", timeout=SOON)
    draw_three(page)
    cards = page.locator(".compared")
    answer = page.locator("[data-key='fives/best'] .compared-head strong")
    expect(answer).to_have_text("5", timeout=SOON)
    expect(page.locator("[data-key='lenet-digits/best'] .compared-head strong")).to_have_text("3", timeout=SOON)
    expect(cards).to_have_count(page.locator(".compare-slot").count(), timeout=SOON)  # all have answered
    before = cards.count()
    page.locator(".chip[data-key='fives/best@1']").click()
    expect(page.locator(".compare-slot[data-key='fives/best@1'] strong")).to_have_text("1", timeout=SOON)
    expect(cards).to_have_count(before + 1, timeout=SOON)
    page.locator(".chip[data-key='fives/best']").click()
    expect(answer).to_have_count(0)
    group = page.get_by_role("group", name="Other classes")
    expect(group.locator("[data-key='imagenet/best']")).to_have_attribute("aria-pressed", "false")


def test_many_pictures_become_a_table_and_a_file(page, server, tmp_path):
    images, labels = load_arrays("mnist", Workspace())["test"]
    for i in range(30):
        Image.fromarray(images[i, 0].numpy()).save(tmp_path / f"{i:02d}.png")
    (tmp_path / "=broken.png").write_bytes(b"no image")
    opened(page, server)
    page.locator("[data-panel=many]").click()
    page.locator("[data-many=files]").set_input_files(sorted(tmp_path.glob("*.png")))
    expect(page.locator(".many-said")).to_contain_text("30 pictures read", timeout=SOON)
    rows = page.locator(".many tbody tr")
    expect(rows).to_have_count(31)
    expect(rows.last).to_contain_text("not an image that can be read")  # what was read comes first
    shares = page.locator(".many tbody tr:not(.unsure) .share").all_text_contents()
    assert [float(s.strip("><%")) for s in shares] == sorted(float(s.strip("><%")) for s in shares)
    page.locator("[data-by=name]").click()
    assert page.locator(".many tbody .file").all_text_contents()[1:3] == ["00.png", "01.png"]
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save as CSV").click()
    table = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text("utf-8-sig"))))
    said = {row["file"]: row for row in table}
    assert len(said) == 31 and said["'=broken.png"]["error"]
    assert sum(said[f"{i:02d}.png"]["answer"] == str(int(labels[i])) for i in range(30)) >= 29
    assert set(table[0]) == {"file", "answer", "confidence", "sure", "familiarity", "error"}


def test_a_dropped_file_that_cannot_be_read_is_a_row_of_its_own(page, server, tmp_path):
    """Among those dropped on the page; the others are read all the same."""
    Image.new("L", (40, 40), 255).save(tmp_path / "paper.png")
    page.goto(f"{server.url}/en/")
    page.wait_for_selector("#pad canvas", timeout=SOON)
    page.locator("[data-panel=many]").click()
    page.locator(".many-drop").evaluate(
        """(drop, content) => {
          const bytes = Uint8Array.from(atob(content), c => c.charCodeAt(0)), file = new File([bytes], 'paper.png');
          const entry = (name, tell) => ({ webkitGetAsEntry: () => ({ name, isFile: true, file: tell }) });
          const items = [entry('locked.png', (found, wrong) => wrong(new DOMException('', 'NotReadableError'))),
            entry('paper.png', found => found(file))];
          const event = new Event('drop', { cancelable: true });
          drop.dispatchEvent(Object.assign(event, { dataTransfer: { items } }));
        }""",
        base64.b64encode((tmp_path / "paper.png").read_bytes()).decode(),
    )
    rows = page.locator(".many tbody tr")
    expect(rows).to_have_count(2, timeout=SOON)
    expect(rows.filter(has_text="locked.png")).to_contain_text("cannot be read")
    expect(page.locator(".many-said")).to_contain_text("0 pictures read")


def test_many_can_be_stopped(page, server, tmp_path):
    for i in range(400):
        Image.effect_noise((28, 28), 90).save(tmp_path / f"{i:03d}.png")
    opened(page, server)
    page.locator("[data-panel=many]").click()
    page.locator("[data-many=files]").set_input_files(sorted(tmp_path.glob("*.png")))
    page.locator(".many").get_by_role("button", name="Stop").click()
    expect(page.locator(".many-said")).to_contain_text("Stopped after", timeout=SOON)
    expect(page.locator(".many .progress")).to_be_hidden()


def test_a_photo_is_explained_and_looked_into(page, server, tmp_path):
    photo("rose", 3, size=(200, 160)).save(tmp_path / "rose.png")
    page.goto(f"{server.url}/en/?source=photo")
    page.locator("#photo input[type=file]").first.set_input_files(tmp_path / "rose.png")
    expect(page.locator("#result figure.seen")).to_be_visible(timeout=SOON)
    page.get_by_role("button", name="Why").click()
    expect(page.locator(".stage-why canvas[data-state=done]")).to_have_count(2, timeout=SOON)
    caption, pixels = (
        page.locator(".overlay figcaption").first,
        "c => c.getContext('2d').getImageData(0, 0, 7, 7).data.join()",
    )
    first, before = caption.inner_text(), page.locator(".overlay canvas").first.evaluate(pixels)
    page.get_by_role("group", name="Which class").get_by_role("button").nth(3).click()
    expect(caption).not_to_have_text(first, timeout=SOON)
    assert page.locator(".overlay canvas").first.evaluate(pixels) != before
    page.get_by_role("group", name="At which stage").get_by_role("button", name="Stage 1").click()
    assert page.locator(".overlay canvas").first.get_attribute("width") == "28"
    page.get_by_role("button", name="Look inside").click()
    maps = page.locator(".stage.strongest .map")
    expect(maps).to_have_count(5 * 16, timeout=SOON)
    maps.last.click()
    expect(page.locator(".chosen-map figcaption")).to_have_text(re.compile(r"Stage 4, map \d+"))


def test_the_camera_is_answered_while_it_is_open_and_a_picture_of_it_is_held(page, server):
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/seen/" in request.url else None)
    page.goto(f"{server.url}/zh/?source=photo")
    page.get_by_role("button", name="实时摄像头").click()
    expect(page.get_by_test_id("answer")).not_to_be_empty(timeout=SOON)
    expect(page.locator("#photo")).to_be_hidden()
    while len(asked) < 3:
        page.wait_for_timeout(100)
    page.get_by_role("button", name="定格这一张").click()
    expect(page.locator("#photo img")).to_be_visible(timeout=SOON)
    expect(page.get_by_test_id("answer")).not_to_be_empty(timeout=SOON)
    count = len(asked)
    page.get_by_role("button", name="实时摄像头").click()
    page.wait_for_timeout(1500)
    assert len(asked) > count
    page.route("**/seen/**", lambda route: (page.wait_for_timeout(700), route.continue_()))  # a late answer
    page.get_by_role("tab", name="手绘").click()
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.wait_for_timeout(1500)
    count = len(asked)
    page.wait_for_timeout(1000)
    assert len(asked) == count and page.locator("#result").inner_text().strip() == ""
    page.unroute_all(behavior="ignoreErrors")


def test_a_second_click_while_the_camera_opens_leaves_no_camera_on(page, server):
    page.add_init_script(
        "const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); window.streams = [];"
        "navigator.mediaDevices.getUserMedia = async asked => {"
        " const made = await open(asked); window.streams.push(made); return made; };"
    )
    page.goto(f"{server.url}/en/?source=photo")
    page.get_by_role("button", name="Live camera").dblclick()
    page.wait_for_timeout(1000)
    stop = page.get_by_role("button", name="Stop the camera")
    if stop.count():
        stop.click()
    live = "window.streams.flatMap(stream => stream.getTracks()).filter(track => track.readyState === 'live').length"
    assert page.evaluate(live) == 0 and page.evaluate("window.streams.length") == 1
    expect(page.get_by_test_id("nothing")).to_contain_text("Choose a photo", timeout=SOON)


def test_a_slow_server_answers_while_one_draws(page, server):
    """One question at a time, the newest drawing each."""
    asked = []
    page.route("**/drawn/**", lambda route: (asked.append(1), page.wait_for_timeout(400), route.continue_()))
    page.goto(f"{server.url}/en/?checkpoint=imagenet/best&source=draw")
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    page.locator("#first").wait_for(state="detached")
    box = page.locator("#pad canvas").bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    answers = page.locator("#result [data-testid=answer]")
    for step in range(200):
        page.mouse.move(box["x"] + 40 + step, box["y"] + 40 + (step * 7) % 150)
        page.wait_for_timeout(20)
        if answers.count():
            break
    assert answers.count() == 1 and len(asked) <= step * 20 / 400 + 2
    page.mouse.up()
    page.wait_for_timeout(1000)  # what is on its way
    page.unroute_all(behavior="ignoreErrors")
