"""What a person does: draw, read, undo, train, refresh, restart the server, stop, go on, try it; in both languages."""

import re
import urllib.request
from urllib.parse import urlsplit

import pytest
from pausing import paused
from playwright.sync_api import expect
from results import shows_result
from train_form import open_settings

SOON = 40_000  # ms
LONG = 90_000


def answer(page):
    return page.get_by_test_id("answer")


def opened(page, server, language="en"):
    page.goto(f"{server.url}/{language}/", timeout=LONG)
    page.wait_for_selector("#pad canvas", timeout=SOON)


def unfold(page, name, field):
    """`field`: one that lies in it; what is just being built takes nothing yet."""
    page.get_by_role("button", name=name).click()
    expect(page.locator(field)).to_be_visible(timeout=SOON)
    page.wait_for_function("!document.querySelector('[inert]')")


def test_a_drawn_3_is_read_and_shown_as_the_network_saw_it(page, server, draw_three):
    opened(page, server)
    expect(page.get_by_test_id("nothing")).to_contain_text("Draw something")
    draw_three(page)
    expect(answer(page)).to_have_text("3", timeout=SOON)
    seen = page.locator("figure.seen canvas")
    assert seen.get_attribute("width") == "28"
    assert seen.evaluate("c => c.getContext('2d').getImageData(0, 0, 28, 28).data.some(v => v > 0 && v < 255)")
    page.reload()
    expect(answer(page)).to_have_text("3", timeout=SOON)
    page.locator(".pad-undo").click()
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)
    draw_three(page)
    expect(answer(page)).to_have_text("3", timeout=SOON)
    page.locator(".pad-clear").click()
    expect(page.get_by_test_id("nothing")).to_be_visible(timeout=SOON)


def test_the_pad_can_be_used_by_keyboard(page, server):
    opened(page, server)
    page.locator("#pad canvas").focus()
    for key in ["ArrowUp"] * 9 + [" "] + ["ArrowDown"] * 18 + [" "]:
        page.keyboard.press(key)
    expect(answer(page)).to_have_text("1", timeout=SOON)


def test_a_photo_is_read_and_what_is_none_is_told(page, server, tmp_path):
    from PIL import Image

    from imgcls.data.download import load_arrays
    from imgcls.workspace import Workspace

    images, labels = load_arrays("mnist", Workspace())["test"]
    path = tmp_path / "digit.png"
    Image.fromarray(255 - images[0, 0].numpy()).resize((300, 300)).save(path)
    opened(page, server)
    page.get_by_role("tab", name="Photo").click()
    checkpoint = page.locator("#checkpoint input")
    expect(checkpoint).to_have_value(re.compile("^imagenet"), timeout=SOON)  # which names what photos show
    checkpoint.click()
    page.get_by_role("option", name=re.compile("^lenet-digits")).click()
    page.locator("#photo input[type=file]").first.set_input_files(path)
    expect(answer(page)).to_have_text(str(int(labels[0])), timeout=SOON)


def test_two_languages(page, server):
    opened(page, server, "zh")
    expect(page.get_by_role("tab", name="识别")).to_be_visible()
    expect(page).to_have_title(re.compile("图像分类实验室"))
    page.get_by_role("tab", name="训练").click()
    open_settings(page)
    page.locator("#field-lr input").fill("-1")
    page.locator("#settings-fold button").click()
    page.get_by_role("button", name="开始训练").click()  # what is wrong unfolds
    expect(page.locator("#field-lr")).to_contain_text("大于 0", timeout=SOON)
    page.locator("a.language").click()
    expect(page.get_by_role("tab", name="Classify")).to_be_visible(timeout=SOON)


@pytest.mark.parametrize(("accepted", "language"), [("zh-HK,zh;q=0.9", "zh"), ("de,en;q=0.7", "en"), ("", "en")])
def test_the_first_page_follows_the_browser(server, accepted, language):
    asked = urllib.request.Request(server.url + "/", headers={"Accept-Language": accepted})
    with urllib.request.urlopen(asked) as got:
        assert got.url == f"{server.url}/{language}/"
        assert "default-src 'self'" in got.headers["Content-Security-Policy"]


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}])
def test_strangers_are_turned_away(server, headers):
    asked = urllib.request.Request(server.url + "/en/gradio_api/upload", data=b"x", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(asked)
    assert refused.value.code in (400, 403)


@pytest.mark.parametrize("length", ["9000000", "1", None])
def test_a_request_larger_than_any_page_sends_is_refused(server, length):
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.putrequest("POST", "/en/gradio_api/component_server")
    connection.putheader("Content-Type", "application/json")
    if length:
        connection.putheader("Content-Length", length)
    if length in ("1", None):  # a length that the transfer then does not keep to
        connection.putheader("Transfer-Encoding", "chunked")
    connection.endheaders()
    assert connection.getresponse().status == 413
    connection.close()


def all_that_is_needed_is_in_sight(page):
    for needed in ("#field-preset", "#field-dataset", "#field-model", "#start", "#plan"):
        expect(page.locator(needed)).to_be_in_viewport(ratio=1, timeout=SOON)


# The pointer rests meanwhile: what it rests on is another element then, and browsers tell of a scroll a frame late.
DRAWN_ANEW_AND_SCROLLED = """async () => {
  const card = document.querySelector('#card section.run');
  card.innerHTML = card.innerHTML.replaceAll(/<span class="term"[^>]*>([^<]*)<.span>/g, '$1');
  dispatchEvent(new Event('scroll'));
  for (let i = 0; i < 3; i++) await new Promise(requestAnimationFrame);
}"""


def words_explain_themselves(page):
    """Under the pointer, and by keyboard."""
    tip = page.get_by_role("tooltip")
    page.locator("#card .term", has_text="Loss").hover()
    expect(tip).to_contain_text("How far the answers are from the right ones")
    page.evaluate(DRAWN_ANEW_AND_SCROLLED)
    expect(tip).to_contain_text("How far the answers are from the right ones")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.evaluate(DRAWN_ANEW_AND_SCROLLED)
    expect(tip).to_be_hidden()
    page.locator("#card .term", has_text="Validation accuracy").focus()
    expect(tip).to_contain_text("never learns from them")


def rename(page):
    unfold(page, "Details and downloads", "#new-name")
    for name, told in (("../elsewhere", "begins with a letter"), ("renamed", "")):
        page.locator("#new-name input, #new-name textarea").fill(name, timeout=SOON)
        page.locator("#rename").click()
        if told:
            expect(page.get_by_text(told)).to_be_visible(timeout=SOON)
    expect(page.locator("#card h2")).to_have_text("renamed", timeout=SOON)


def evaluate_the_run_that_is_shown(page):
    page.locator("#evaluate").click()
    expect(page.get_by_role("tab", name="Evaluate")).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#evaluate-checkpoints .token")).to_have_text([re.compile("renamed")], timeout=SOON)
    page.get_by_role("tab", name="Train").click()


def test_train_refresh_restart_stop_go_on_and_try(page, server, draw_three):
    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(f"{server.url}/en/?tab=train&train_images=6000", timeout=LONG)  # an epoch is over in a second
    all_that_is_needed_is_in_sight(page)
    open_settings(page)
    page.locator("#field-epochs input").fill("900")
    expect(page.locator("#start")).to_be_in_viewport(ratio=1)  # it sticks to the window's foot
    open_settings(page, "This run")
    page.locator("#field-name input, #field-name textarea").first.fill("from-the-page")
    expect(page.locator("#command")).to_contain_text("--epochs 900", timeout=SOON)
    expect(page.locator("#command")).to_contain_text("--name from-the-page", timeout=SOON)
    page.get_by_role("button", name="Start training").click()
    card = page.locator("section.run[data-state=running]")
    expect(card).to_be_visible(timeout=LONG)
    shows_result(page, "#start")
    expect(page.locator("#card h2")).to_be_in_viewport()
    expect(page.locator("#card h2")).to_have_text("from-the-page", timeout=SOON)
    expect(page.locator("#card header p")).to_have_text(re.compile(r"LeNet on MNIST · Standard · \d\d:\d\d"))
    expect(page.locator("#card polyline").first).to_be_visible(timeout=LONG)

    with paused(server.root / "train_logs" / "from-the-page"):
        page.evaluate("localStorage.setItem('imgcls-train-place', 'browser')")  # a link to a run shows the run
        page.reload()
        expect(card).to_be_visible(timeout=SOON)
        expect(page.locator("#card h2")).to_have_text("from-the-page", timeout=SOON)

        page.evaluate("localStorage.removeItem('imgcls-train-place')")
        page.goto("about:blank")  # a page that is open reloads itself when the server is back, and ends our own loading
        server.stop()
        server.start()
        opened(page, server)
        page.get_by_role("tab", name="Train").click()
        expect(card).to_be_visible(timeout=SOON)
    expect(page.locator("polyline.c2").first).to_be_visible(timeout=LONG)  # an epoch has ended

    picker = page.locator("#run input")
    expect(picker).to_have_value(re.compile("Running"), timeout=SOON)
    page.locator("#stop").click()
    expect(page.locator("section.run[data-state=stopped]")).to_be_visible(timeout=LONG)
    expect(picker).to_have_value(re.compile("Stopped"), timeout=SOON)  # the list follows its run
    words_explain_themselves(page)
    page.locator("#go-on").click()
    expect(card).to_be_visible(timeout=LONG)
    page.locator("#stop").click()
    expect(page.locator("section.run[data-state=stopped]")).to_be_visible(timeout=LONG)

    rename(page)
    evaluate_the_run_that_is_shown(page)
    page.locator("#try").click()
    expect(page.get_by_role("tab", name="Classify")).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("renamed"), timeout=SOON)
    shows_result(page, "#try")
    draw_three(page)
    expect(answer(page)).to_be_visible(timeout=SOON)


@pytest.mark.parametrize(
    ("language", "told"), [("en", "must be a whole number from 1 to 1000"), ("zh", "1 到 1000 的整数")]
)
def test_a_wrong_setting_is_told_at_its_field_until_it_is_mended(page, server, language, told):
    page.goto(f"{server.url}/{language}/?tab=train")
    field = page.locator("#field-epochs")
    open_settings(page)
    field.locator("input").fill("0")
    field.locator("input").blur()
    expect(field).to_contain_text(told, timeout=SOON)
    page.locator("#start").click()
    expect(field).to_contain_text(told)
    field.locator("input").fill("3")
    field.locator("input").blur()
    expect(field).not_to_contain_text(told, timeout=SOON)


def test_the_address_brings_the_same_view_again(page, server):
    main = "#rooms > .tab-wrapper [data-tab-id={}]"
    page.goto(f"{server.url}/en/?tab=train&model=alexnet&dataset=mnist&lr=0.02")
    expect(page.locator(main.format("train"))).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#field-lr input")).to_have_value("0.02")
    expect(page.locator("#settings-fold")).to_contain_text("Learning rate 0.02", timeout=SOON)
    open_settings(page)
    page.locator("#field-epochs input").fill("7")
    page.locator("#field-epochs input").blur()
    page.wait_for_url("**epochs=7**")
    page.locator(main.format("data")).click()
    page.wait_for_url("**tab=data**")
    expect(page.locator(main.format("data"))).to_have_attribute("aria-selected", "true")
    page.go_back()
    expect(page.locator(main.format("train"))).to_have_attribute("aria-selected", "true", timeout=SOON)
    page.locator("a.language").click()
    page.wait_for_url("**/zh/**")
    expect(page.locator("#field-epochs input")).to_have_value("7", timeout=SOON)
    expect(page.locator("#field-lr input")).to_have_value("0.02")
    expect(page.locator(main.format("train"))).to_have_attribute("aria-selected", "true")


MAIN, SOURCE, PART = (f"{tabs} > .tab-wrapper [data-tab-id={{}}]" for tabs in ("#rooms", "#sources", "#data-rooms"))


def test_what_is_open_in_each_room_stands_in_the_address(page, server):
    page.goto(f"{server.url}/en/")
    page.wait_for_function("document.querySelector('#checkpoint input')?.value")
    assert not urlsplit(page.url).query
    page.locator(SOURCE.format("photo")).click()
    page.wait_for_url("**source=photo**")
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("^imagenet"), timeout=SOON)
    page.locator("#checkpoint input").click()
    page.get_by_role("option", name=re.compile("^lenet-digits")).click()
    page.wait_for_url("**checkpoint=lenet-digits**")
    page.locator(MAIN.format("data")).click()
    page.locator("#data-set input").click()
    page.get_by_role("option", name="pen-digits", exact=True).click()
    page.wait_for_url("**set=pen-digits**")
    page.locator(PART.format("make")).click()
    page.locator(MAIN.format("init-lab")).click()
    page.locator("#lab-epochs input").fill("3")
    page.locator("#lab-inits label", has_text="All zeros").click()
    page.locator("#lab-expected label", has_text="Too small").click()
    page.wait_for_url("**lab-epochs=3**")
    page.wait_for_url("**lab-expected=too-small**")
    page.locator("a.language").click()

    page.wait_for_url("**/zh/**")
    expect(page.locator(MAIN.format("init-lab"))).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#lab-epochs input")).to_have_value("3")
    expect(page.locator("#lab-inits input:checked")).to_have_count(4)
    expect(page.locator("#lab-expected input:checked")).to_have_count(1)
    page.locator(MAIN.format("data")).click()
    expect(page.locator(PART.format("make"))).to_have_attribute("aria-selected", "true")
    page.locator(PART.format("look")).click()
    expect(page.locator("#data-set input")).to_have_value(re.compile("^pen-digits"))
    page.locator(MAIN.format("classify")).click()
    expect(page.locator(SOURCE.format("photo"))).to_have_attribute("aria-selected", "true")
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("^lenet-digits"))


def test_a_wild_address_opens_the_page_as_it_begins(page, server):
    wild = "tab=nothing&source=x&checkpoint=../../x&set=//host/share&part=%3Cimg%3E&run=..&lab=..&evaluated=,&on=/&of=x"
    page.goto(f"{server.url}/en/?{wild}&lab-inits=x&lab-model=x&lab-epochs=-1&lr=x&dataset=%5C%5Chost%5Cshare&zoom=x")
    expect(page.locator(MAIN.format("classify"))).to_have_attribute("aria-selected", "true", timeout=SOON)
    expect(page.locator("#checkpoint input")).to_have_value(re.compile("^lenet-digits"))
    page.locator(MAIN.format("train")).click()
    expect(page.locator("#command")).to_contain_text("--dataset mnist --model lenet", timeout=SOON)
    page.context.grant_permissions(["clipboard-write"])
    open_settings(page)
    page.locator("#command button").click()
    expect(page.locator("#command button")).to_have_text("Copied", use_inner_text=True)
    expect(page.get_by_test_id("toast-body")).to_have_count(0)
    page.goto(f"{server.url}/en/?tab=train&run=gone")  # a name that could be a run's
    expect(page.locator("#run-not-here")).to_contain_text("There is no run called “gone” here", timeout=SOON)


@pytest.mark.parametrize(
    ("query", "checkpoint", "known"),
    [
        ("source=photo", "imagenet", "imagenet knows 1,000 classes"),
        ("source=photo&checkpoint=lenet-digits/best", "lenet-digits", "lenet-digits knows the digits 0 to 9"),
    ],
)
def test_a_link_to_photos_opens_them_with_what_the_network_knows(page, server, query, checkpoint, known):
    page.goto(f"{server.url}/en/?{query}")
    expect(page.get_by_test_id("nothing")).to_contain_text(known, timeout=SOON)
    expect(page.locator("#checkpoint input")).to_have_value(re.compile(f"^{checkpoint}"))
