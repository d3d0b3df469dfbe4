"""The Data room and the Init lab, as a person uses them: look, collect with a camera, upload, train on it, compare."""

import http.server
import re
import sys
import threading
import zipfile
from pathlib import Path

import pytest
from axe import serious
from playwright.sync_api import expect
from results import shows_result
from train_form import open_settings

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from photos import flowers  # noqa: E402

SOON = 40_000  # ms
LONG = 90_000


def opened(page, server, room, language="en"):
    page.goto(f"{server.url}/{language}/")
    page.wait_for_selector("#pad canvas", timeout=SOON)
    page.get_by_role("tab", name=room, exact=True).click()


def test_a_data_set_is_looked_at_before_anything_is_trained(page, server):
    page.emulate_media(reduced_motion="no-preference")  # results glide into view, as for most people
    opened(page, server, "Data")
    expect(page.get_by_test_id("report")).to_contain_text("70,000", timeout=LONG)
    expect(page.get_by_test_id("samples").locator("img")).to_have_count(24, timeout=LONG)
    first = page.get_by_test_id("samples").locator("img").first.get_attribute("src")
    page.locator("#draw-others").click()
    shows_result(page, "#draw-others")
    expect(page.get_by_test_id("samples").locator("img").first).not_to_have_attribute("src", first, timeout=LONG)


def test_photos_are_collected_saved_and_trained_on(page, server, tmp_path):
    opened(page, server, "Data")
    page.get_by_role("tab", name="Make your own").click()
    own = flowers(tmp_path / "own", each=6, classes=("rose", "tulip"))
    for name in ("rose", "tulip"):
        page.locator(".collect-name input").fill(name)
        page.get_by_role("button", name="Add class").click()
        card = page.locator(".collect-class.chosen")
        expect(card.locator("strong")).to_have_text(name, timeout=SOON)
        page.locator(".collect-drop input").set_input_files(sorted((own / name).glob("*.jpg")))
        expect(card.locator("img")).to_have_count(6, timeout=SOON)
    page.locator(".collect-class.chosen img").first.click()  # deletes it
    expect(page.locator(".collect-class.chosen img")).to_have_count(5, timeout=SOON)
    page.locator(".collect-undo").click()
    expect(page.locator(".collect-class.chosen img")).to_have_count(6, timeout=SOON)
    page.locator(".collect-class.chosen img").first.click()
    expect(page.locator(".collect-class.chosen img")).to_have_count(5, timeout=SOON)

    page.reload()  # nothing is lost
    page.get_by_role("tab", name="Data", exact=True).click()
    page.get_by_role("tab", name="Make your own").click()
    expect(page.locator(".collect-class img")).to_have_count(11, timeout=SOON)

    page.locator(".collect-on").click()
    expect(page.locator(".collect-take")).to_be_enabled(timeout=SOON)
    page.wait_for_function("document.querySelector('.collect video').videoWidth > 0")
    page.locator(".collect-take").click()
    expect(page.locator(".collect-class img")).to_have_count(12, timeout=SOON)

    page.locator(".collect-save input").fill("../mine")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".collect-said")).to_contain_text("choose another name", timeout=SOON)
    page.locator(".collect-save input").fill("mine")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_test_id("report")).to_contain_text("mine", timeout=LONG)
    expect(page.get_by_test_id("report")).to_contain_text("12")
    assert sorted(p.name for p in (server.root / "data" / "mine").iterdir() if p.is_dir()) == ["rose", "tulip"]

    page.locator("#audit-it").click()
    shows_result(page, "#audit-it")
    page.locator("#cross-validate").click()
    shows_result(page, "#cross-validate")
    expect(page.locator("#cross-validation")).to_contain_text("of 12 images", timeout=LONG)
    page.locator("#train-on-it").click()
    shows_result(page, "#train-on-it")
    expect(page.get_by_role("tab", name="Train", exact=True)).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#command")).to_contain_text("--dataset mine", timeout=SOON)
    expect(page.get_by_test_id("plan").locator("[title=classifier]")).to_be_visible(timeout=LONG)
    open_settings(page)
    modes = page.locator("#field-transfer label")  # side by side: what learns in each, and how long it takes
    expect(modes.nth(1)).to_contain_text("2,946 weights", timeout=SOON)
    expect(modes.nth(2)).to_contain_text("3.4 M weights")
    page.get_by_role("button", name="Start training").click()
    expect(page.locator("section.run[data-state=finished]")).to_be_visible(timeout=LONG)
    page.wait_for_timeout(500)
    assert not serious(page)


@pytest.mark.parametrize("good", [True, False])
def test_a_zip_becomes_a_data_set_or_a_sentence(page, server, tmp_path, good):
    name = "blumen" if good else "boese"
    path = tmp_path / f"{name}.zip"
    with zipfile.ZipFile(path, "w") as made:
        for file in sorted(flowers(tmp_path / "z", each=3).rglob("*.jpg")):
            made.write(file, ("" if good else "../") + file.relative_to(tmp_path / "z").as_posix())
    opened(page, server, "数据", "zh")
    page.get_by_role("tab", name="自己做一个").click()
    page.locator("#zip input[type=file]").set_input_files(path)
    expect(page.locator("#zip")).to_contain_text(name, timeout=SOON)
    page.get_by_role("button", name="解压并查看").click()
    shows_result(page, "#unpack")
    if good:
        expect(page.get_by_test_id("report")).to_contain_text("blumen", timeout=LONG)
        expect(page.get_by_test_id("report")).to_contain_text("9")
    else:
        expect(page.get_by_text("会跑到文件夹之外")).to_be_visible(timeout=SOON)
        assert not list((server.root / "data").glob(".boese*"))


def test_initialisations_are_compared(page, server):
    opened(page, server, "Init lab")
    for name in ("Xavier uniform", "All zeros", "Too large"):
        page.locator("#lab-inits label", has_text=name).click()  # two remain
    page.locator("#lab-epochs input").fill("2")
    page.locator("#lab-train_images input").fill("2000")
    expect(page.locator("#lab-start")).to_be_in_viewport(ratio=1)  # it sticks to the window's foot
    page.get_by_role("button", name="Compare").click()
    shows_result(page, "#lab-start")
    card = page.get_by_test_id("lab")
    expect(card).to_have_attribute("data-state", "running", timeout=LONG)
    page.reload()
    page.get_by_role("tab", name="Init lab").click()
    expect(card).to_have_attribute("data-state", "finished", timeout=LONG)
    expect(card.locator("dl.inits > div")).to_have_count(2)
    expect(card.locator(".layer-bar .dies").first).to_be_visible()
    expect(card.locator("polyline").first).to_be_visible()
    card.locator("details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    page.wait_for_timeout(300)
    assert not serious(page)


def test_transfer_says_before_start_what_learns(page, server):
    import torch
    import torchvision

    weight = server.root / "weight"
    weight.mkdir(exist_ok=True)
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), weight / "own.pth")
    opened(page, server, "Train")
    page.locator("#field-model label", has_text="ResNet18").click()
    open_settings(page)
    page.locator("#field-transfer label", has_text="Last layer only (head)").click()
    page.locator("#field-weights input").click()  # shown with the transfer
    page.get_by_role("option", name="own.pth").click()
    plan = page.get_by_test_id("plan")
    expect(plan).to_contain_text("Only the last layer (head) learns", timeout=LONG)
    expect(plan).to_contain_text(re.compile(r"5,130 of 11,1\d\d,\d\d\d weights"))
    expect(plan.locator("[title=fc]")).to_be_visible()


def test_gradio_s_own_words_are_in_the_page_s_language(page, server):
    opened(page, server, "识别", "zh")
    page.get_by_role("tab", name="照片").click()
    expect(page.locator("#photo")).to_contain_text("点击上传", timeout=SOON)
    assert page.evaluate("document.documentElement.lang") == "zh-CN"


def test_a_data_set_that_is_not_here_is_fetched_from_the_page(page, server):
    """As far as a test can: what comes is not what its name says, which is told; stopping is tried with the rest."""
    sent = threading.Event()

    class Slow(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            self.send_response(200)
            self.send_header("Content-Length", "2000000")
            self.end_headers()
            self.wfile.write(bytes(1_000_000))
            sent.wait(30)
            self.wfile.write(bytes(1_000_000))

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", server.mirror), Slow) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        page.goto(f"{server.url}/en/?tab=data&set=cifar10")
        view = page.locator("#fetch-set section.fetch")
        expect(view).to_contain_text("CIFAR-10 is not here yet", timeout=SOON)
        expect(page.locator("#data-set input")).to_have_value("CIFAR-10 · not here yet")
        expect(page.locator("#train-on-it")).to_be_disabled()
        view.get_by_role("button", name="Fetch it").click()
        expect(view).to_contain_text("of 2.0 MB", timeout=SOON)
        stop = view.get_by_role("button", name="Stop")
        expect(stop).to_be_focused()  # whoever began it by keyboard can stop it
        stop.evaluate("button => { button.isTheSame = true; }")
        for _ in range(3):  # it is drawn anew, and a click that has begun arrives
            with page.expect_response(re.compile("component_server")):
                pass
        assert stop.evaluate("button => button.isTheSame && button === document.activeElement")
        page.locator("#data-set input").click()
        page.get_by_role("option", name="MNIST", exact=True).click()
        expect(view).to_have_count(0, timeout=SOON)
        expect(page.locator("#train-on-it")).to_be_enabled(timeout=SOON)
        expect(page.get_by_test_id("report")).to_contain_text("70,000", timeout=SOON)
        expect(page.get_by_test_id("samples")).to_be_visible(timeout=SOON)
        page.goto(f"{server.url}/zh/?tab=train&dataset=cifar10&model=lenet")  # it goes on, and is seen there too
        view = page.locator("#fetch-for-training section.fetch")
        expect(view).to_contain_text("正在下载 CIFAR-10", timeout=SOON)
        sent.set()
        expect(view).to_contain_text("下载不完整或有改动", timeout=SOON)
        mirror.shutdown()


def test_photos_go_to_the_class_they_were_dropped_on(page, server, tmp_path):
    opened(page, server, "Data")
    page.get_by_role("tab", name="Make your own").click()
    own = flowers(tmp_path / "own", each=5, classes=("rose",))
    for name in ("cat", "dog"):
        page.locator(".collect-name input").fill(name)
        page.get_by_role("button", name="Add class").click()
        expect(page.locator(".collect-class.chosen strong")).to_have_text(name, timeout=SOON)
    cards = {name: page.locator(".collect-class", has=page.locator("strong", has_text=name)) for name in ("cat", "dog")}
    held, holding = [], True

    def hold(route):
        held.append(route) if holding and "collect_photo" in route.request.post_data else route.continue_()

    page.route(re.compile("component_server"), hold)
    cards["cat"].click()
    files, drop = sorted((own / "rose").glob("*.jpg")), page.locator(".collect-drop input")
    drop.set_input_files(files[:3])
    drop.set_input_files(files[3:])  # while the first of those is on its way
    while not held:
        page.wait_for_timeout(20)
    cards["dog"].get_by_role("button", name="dog 0").press("Enter")
    expect(cards["dog"].get_by_role("button", pressed=True)).to_be_focused()
    holding = False
    for route in held:
        route.continue_()
    expect(cards["cat"].locator("img")).to_have_count(5, timeout=SOON)
    expect(cards["dog"].locator("img")).to_have_count(0)
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator(".collect-clear").click()
    expect(page.locator(".collect-class")).to_have_count(0, timeout=SOON)


def test_a_camera_that_is_unplugged_says_so(page, server):
    page.add_init_script("""const open = MediaDevices.prototype.getUserMedia;
      MediaDevices.prototype.getUserMedia = async function(...what) {
        return window.opened = await open.apply(this, what); };""")
    unplug = "() => { const [track] = opened.getVideoTracks(); track.stop(); track.dispatchEvent(new Event('ended')); }"
    opened(page, server, "Data")
    page.get_by_role("tab", name="Make your own").click()
    page.locator(".collect-on").click()
    page.wait_for_function("document.querySelector('.collect video').videoWidth > 0")
    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_function("opened.getTracks().every(track => track.readyState === 'ended')", timeout=SOON)
    page.get_by_role("tab", name="Data", exact=True).click()
    page.locator(".collect-on").click()
    expect(page.locator(".collect-on")).to_have_text("Camera off", timeout=SOON)
    page.evaluate(unplug)
    expect(page.locator(".collect-said")).to_contain_text("The camera is gone", timeout=SOON)
    expect(page.locator(".collect-on")).to_have_text("Camera on")
    page.get_by_role("tab", name="Classify", exact=True).click()
    page.get_by_role("tab", name="Photo", exact=True).click()
    page.get_by_role("button", name="Live camera").click()
    page.wait_for_function("document.querySelector('.camera video').videoWidth > 0")
    page.evaluate(unplug)
    expect(page.locator(".camera-said")).to_contain_text("The camera is gone", timeout=SOON)
    expect(page.get_by_role("button", name="Live camera")).to_be_visible()
