"""What a person did last stands: quick pupils against a server whose every answer comes late.

What was last chosen is what is shown, sent, in the address and in the command. Each run is made from its seed.
"""

import json
import random
import re
import shutil
import subprocess
import sys
from urllib.parse import parse_qs, urlsplit

import pytest
from conftest import Server
from photos import flowers
from playwright.sync_api import expect
from story import ROOMS, Story

from imgcls.settings import TrainSettings, command_line
from imgcls.web.shared import settings_form

LONG = 120_000  # ms
UNFOLD = """() => {  // at once: answers are on their way
  const fold = document.querySelector('#settings-fold [aria-expanded]');
  if (fold?.ariaExpanded === 'false') fold.click();
  return fold?.ariaExpanded === 'true';
}"""
SLOW = pytest.mark.slow
SEEDS = [1, *(pytest.param(seed, marks=SLOW) for seed in range(2, 15))]
TRAIN_SEEDS = [1, *(pytest.param(seed, marks=SLOW) for seed in range(2, 10))]
DELAYS = [pytest.param(0, marks=SLOW), 0.3, pytest.param(3, marks=SLOW)]  # seconds
PRESETS = {"sprint": "Sprint", "standard": "Standard", "thorough": "Thorough"}
NETWORKS = {"lenet": "LeNet", "resnet18": "ResNet18"}
SETS = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST"}
NUMBERS = {"epochs": (3, 7, 11), "lr": (0.25, 0.125), "batch_size": (32, 48)}
# Nothing is on its way to the server or back, and the form has its answer.
QUIET = "() => window.onTheWay === 0 && performance.now() - window.lastAnswer > 600"
COUNT = """window.onTheWay = 0; window.lastAnswer = 0;
{ const get = window.fetch; window.fetch = async (...asked) => {
  const counts = /gradio_api\\/(run|queue\\/join|component_server)/.test(asked[0]?.url ?? asked[0]);
  if (counts) window.onTheWay += 1;
  try { return await get(...asked); }
  finally { if (counts) { window.onTheWay -= 1; window.lastAnswer = performance.now(); } }
}; }"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    made = Server(tmp_path_factory.mktemp("late"))
    made.program = "tests/browser/late_app.py"
    made.late = made.root / "late.txt"
    made.late.write_text("0")
    made.environment |= {"IMGCLS_LATE": str(made.late)}
    flowers(made.root / "data" / "garden", each=12)
    two_runs(made)
    made.start()
    yield made
    made.end()


def two_runs(lab):
    """In a process of its own."""
    said = "['train', '--dataset', 'garden', '--model', 'lenet', '--epochs', '1', '--threads', '1', '--name', name]"
    code = f"from imgcls.cli.main import main\nfor name in ('one', 'two'): main({said})"
    made = subprocess.run([sys.executable, "-c", code], env=lab.environment, capture_output=True, text=True)
    assert made.returncode == 0 and (lab.root / "checkpoints" / "two").is_dir(), made.stderr


@pytest.fixture
def pupil(browser, lab):
    """A page of a pupil's own; `late(seconds)` is how long answers take from now on."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000}, locale="en-US")
    page = context.new_page()
    page.add_init_script(COUNT)
    lab.late.write_text("0")
    yield page
    lab.late.write_text("0")
    context.close()


def rest(page):
    page.wait_for_function(QUIET, timeout=LONG)


class Form:
    """The Train form under a pupil's hands, and what it should say."""

    def __init__(self, page):
        self.page, self.settings = (
            page,
            {"preset": "standard", "dataset": "mnist", "model": "lenet", "transfer": "scratch"},
        )
        self.settings = {**settings_form.defaults(self.settings), **self.settings}

    def press(self, name, value):
        """A button of the field `name`."""
        labels = {"preset": PRESETS, "model": NETWORKS}[name]
        self.page.locator(f"#field-{name} label", has_text=labels[value]).first.click()
        self.choose(name, value)

    def pick(self, name, value):
        """A line of a list."""
        self.page.locator(f"#field-{name} input").click()
        self.page.get_by_role("option", name=re.compile(f"^{SETS[value]}")).first.click()
        self.choose(name, value)

    def choose(self, name, value):
        """The recipe for it takes the place of numbers that were typed before."""
        if self.settings[name] == value:
            return
        chosen = {key: self.settings[key] for key in settings_form.RECIPE_INPUTS} | {name: value}
        kept = {key: self.settings[key] for key in settings_form.NOT_SET_BY_RECIPE}
        self.settings = {**settings_form.defaults(chosen), **kept, name: value}

    def type(self, name, value):
        self.page.wait_for_function(UNFOLD, polling=100)
        field = self.page.locator(f"#field-{name} input")
        field.click()
        field.press("Control+a")
        field.press_sequentially(str(value))
        self.settings[name] = value

    def act(self, chance):
        kind = chance.choice(["preset", "model", "dataset", "number", "number"])
        if kind == "preset":
            self.press("preset", chance.choice(list(PRESETS)))
        elif kind == "model":
            self.press("model", chance.choice(list(NETWORKS)))
        elif kind == "dataset":
            self.pick("dataset", chance.choice(list(SETS)))
        else:
            name = chance.choice(list(NUMBERS))
            self.type(name, chance.choice(NUMBERS[name]))

    def check(self):
        """Shown, in the command, in the address, and sent."""
        differing = settings_form.differing(self.settings)
        self.page.wait_for_function(
            "expected => document.querySelector('#command code').textContent.split(' --').sort().join() === expected",
            arg=",".join(sorted(command_line(differing).split(" --"))),
            timeout=LONG,
        )
        for name in NUMBERS:
            shown = float(self.page.locator(f"#field-{name} input").input_value())
            assert shown == pytest.approx(self.settings[name]), name
        for name in ("preset", "model"):
            assert self.page.locator(f"#field-{name} input:checked").input_value() == self.settings[name]
        expect(self.page.locator("#field-dataset input")).to_have_value(
            re.compile(f"^{SETS[self.settings['dataset']]}")
        )
        query = {name: value[0] for name, value in parse_qs(urlsplit(self.page.url).query).items()}
        said = {name: getattr(TrainSettings.checked({name: query[name]}), name) for name in query if name != "tab"}
        assert said == {n: v for n, v in differing.items() if {"dataset": "mnist", "model": "lenet"}.get(n) != v}
        assert self.page.locator(".block.wrong").count() == 0
        sent = self.sent()
        assert {name: sent[name] for name in self.settings if name in sent} == pytest.approx(self.settings)

    def sent(self):
        """What Start would send: the question is kept from the server."""
        asked = []

        def hold(route):
            asked.append(json.loads(route.request.post_data))
            route.abort()

        self.page.route(re.compile("queue/join"), hold)
        self.page.locator("#start").click()
        while not asked:
            self.page.wait_for_timeout(20)
        self.page.unroute(re.compile("queue/join"))
        inputs = self.page.evaluate(
            "id => gradio_config.dependencies.find(one => one.id === id).inputs", asked[-1]["fn_index"]
        )
        names = self.page.evaluate(
            "Object.fromEntries(gradio_config.components.map(one => [one.id, one.props.elem_id]))"
        )
        ids = [str(names.get(str(one)) or "") for one in inputs]
        data = asked[-1]["data"]
        return {
            name.removeprefix("field-"): value
            for name, value in zip(ids, data, strict=True)
            if name.startswith("field-")
        }


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_last_chosen_on_any_tab_stands(pupil, lab, seed):
    """Each answer of the server takes 0, 0.3 or 3 seconds; meanwhile somebody else's network comes."""
    chance = random.Random(seed)
    rooms = list(ROOMS)
    chance.shuffle(rooms)
    pupil.goto(f"{lab.url}/en/")
    rest(pupil)
    story = Story(pupil, chance)
    lab.late.write_text(f"mixed {seed}")
    for room in rooms:
        story.open(room)
        for _ in range(4):
            story.act()
        if room == rooms[2]:
            shutil.copytree(lab.root / "checkpoints" / "one", lab.root / "checkpoints" / f"of-{seed}")
    rest(pupil)
    lab.late.write_text("0")
    assert story.touched
    story.check(rest)


def test_every_event_is_part_of_the_story(lab):
    """Of the page as Gradio has built it: a component that is added is touched, or named with a reason."""
    code = (
        "import sys; sys.path.insert(0, 'tests/browser')\n"
        "from imgcls.web import app, page; from imgcls.web.server.hosting import hosting; from story import missing\n"
        "from imgcls.workspace import Workspace\n"
        "kept, build = [], page.build\n"
        "page.build = lambda *given: kept.append(build(*given)) or kept[-1]\n"
        "app.create_app(hosting(None, None), Workspace.from_environment())\n"
        "print(sorted(missing(kept[0])))"
    )
    said = subprocess.run([sys.executable, "-c", code], env=lab.environment, capture_output=True, text=True)
    assert said.stdout == "[]\n", said.stdout + said.stderr


@pytest.mark.parametrize("seed", TRAIN_SEEDS)
def test_quick_pupils_fill_the_train_form(pupil, lab, seed):
    pupil.goto(f"{lab.url}/en/?tab=train")
    expect(pupil.locator("#command code")).to_have_text(re.compile("train"), timeout=LONG)
    rest(pupil)
    lab.late.write_text(f"mixed {seed}")
    form, chance = Form(pupil), random.Random(seed)
    for _ in range(7):
        form.act(chance)
    rest(pupil)
    form.check()


def test_a_number_typed_after_a_preset_stands_though_both_are_asked_about_at_once(pupil, lab):
    """An earlier question is still on its way when both are changed."""
    pupil.goto(f"{lab.url}/en/?tab=train")
    expect(pupil.locator("#command code")).to_have_text(re.compile("train"), timeout=LONG)
    rest(pupil)
    lab.late.write_text("3")
    form = Form(pupil)
    with pupil.expect_request(re.compile("gradio_api/run")):
        form.type("epochs", 7)
    form.press("preset", "thorough")
    form.type("batch_size", 48)
    rest(pupil)
    form.check()


@pytest.mark.parametrize("delay", DELAYS)
def test_a_link_opens_what_it_says_and_what_is_typed_meanwhile_stays(pupil, lab, delay):
    lab.late.write_text(str(delay))
    pupil.goto(f"{lab.url}/en/?tab=train&preset=sprint&model=resnet18&seed=5")
    expect(pupil.locator("#field-preset")).to_be_visible(timeout=LONG)
    form = Form(pupil)
    form.choose("model", "resnet18")
    form.choose("preset", "sprint")
    form.settings["seed"] = 5
    if delay:  # the answer about the link is still on its way
        form.type("batch_size", 48)
    rest(pupil)
    form.check()


@pytest.mark.parametrize("delay", DELAYS)
def test_what_is_ticked_and_guessed_in_the_init_lab_stays(pupil, lab, delay):
    pupil.goto(f"{lab.url}/en/?tab=init-lab")
    expect(pupil.locator("#lab-expected label").first).to_be_visible(timeout=LONG)
    rest(pupil)
    lab.late.write_text(str(delay))
    pupil.locator("#lab-inits label", has_text="All zeros").click()  # taken out
    pupil.locator("#lab-inits label", has_text="Kaiming normal").first.click()
    pupil.locator("#lab-expected label", has_text="Too small").click()
    pupil.locator("#lab-model label", has_text="ResNet18").click()
    rate = pupil.locator("#lab-lr input")
    rate.click()
    rate.press("Control+a")
    rate.press_sequentially("0.25")
    rest(pupil)
    assert pupil.locator("#lab-expected input:checked").input_value() == "too-small"
    assert float(rate.input_value()) == 0.25
    names = pupil.locator("#lab-expected input").evaluate_all("all => all.map(one => one.value)")
    ticked = pupil.locator("#lab-inits input:checked").count()
    assert "all-zeros" not in names and "kaiming-normal" in names and len(names) == ticked
    query = parse_qs(urlsplit(pupil.url).query)
    assert query["lab-expected"] == ["too-small"] and query["lab-lr"] == ["0.25"] and query["lab-model"] == ["resnet18"]


def test_a_choice_that_is_gone_is_told_at_its_field(pupil, lab):
    """A network that somebody deletes, and a guess whose initialisation is taken out."""
    shutil.copytree(lab.root / "checkpoints" / "one", lab.root / "checkpoints" / "soon-gone")
    pupil.goto(f"{lab.url}/en/?checkpoint=soon-gone%2Fbest")
    checkpoint = pupil.locator("#checkpoint input")
    expect(checkpoint).to_have_value(re.compile("^soon-gone"), timeout=LONG)
    rest(pupil)
    shutil.rmtree(lab.root / "checkpoints" / "soon-gone")
    told = pupil.locator("#checkpoint .choice-gone")
    expect(told).to_have_text("“soon-gone/best” was chosen here and is not there any more.", timeout=LONG)
    expect(checkpoint).not_to_have_value(re.compile("^soon-gone"))
    checkpoint.click()
    pupil.get_by_role("option").first.click()
    expect(told).to_have_count(0)
    pupil.get_by_role("tab", name="Init lab", exact=True).click()
    pupil.locator("#lab-expected label", has_text="Too small").click()
    pupil.locator("#lab-inits label", has_text="Too small").click()
    expect(pupil.locator("#lab-expected .choice-gone")).to_have_text(re.compile("^“Too small"), timeout=LONG)
    assert pupil.locator("#lab-expected input:checked").count() == 0


@pytest.mark.parametrize("delay", DELAYS)
def test_the_set_that_is_trained_on_comes_with_its_network_at_once(pupil, lab, delay):
    """No other state of the form is ever shown, and no field is called wrong on the way."""
    pupil.goto(f"{lab.url}/en/?tab=train")
    expect(pupil.locator("#command code")).to_have_text(re.compile("train"), timeout=LONG)
    pupil.goto(f"{lab.url}/en/?tab=data&set=garden")
    expect(pupil.locator("#data-set input")).to_have_value("garden", timeout=LONG)
    rest(pupil)
    pupil.evaluate("""() => { window.wrong = []; new MutationObserver(() => {
      for (const one of document.querySelectorAll('.block.wrong, #plan .failure')) window.wrong.push(one.textContent);
    }).observe(document.body, { subtree: true, childList: true, attributes: true }); }""")
    lab.late.write_text(str(delay))
    pupil.locator("#train-on-it").click()
    expect(pupil.locator("#field-dataset input")).to_have_value("garden", timeout=LONG)
    command = pupil.locator("#command code")
    expect(command).to_contain_text("--dataset garden", timeout=LONG)
    assert pupil.locator("#field-model input:checked").input_value() == "efficientnet-lite0-joined"
    assert pupil.locator("#field-transfer input:checked").input_value() == "head"
    assert pupil.evaluate("window.wrong") == []


def test_a_plain_visit_leaves_the_address_alone(pupil, lab):
    from imgcls.recipes import with_recipe
    from imgcls.runs.lifecycle import create_run
    from imgcls.workspace import Workspace

    create_run(with_recipe({"dataset": "mnist", "name": "somebody-s"}), Workspace(lab.root))
    pupil.goto(f"{lab.url}/en/")
    for room in ("Train", "Evaluate", "Data", "Init lab"):
        pupil.get_by_role("tab", name=room, exact=True).click()
        rest(pupil)
    pupil.get_by_role("tab", name="Classify", exact=True).click()
    rest(pupil)
    assert urlsplit(pupil.url).query == ""
