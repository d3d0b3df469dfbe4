"""What a person may do on any tab, by chance, and what must stand in the end: for test_choices.py.

Nothing here names a field: which there are, what writes into which and what stands in the address is read from the page
that Gradio built, so that a field or an event that is added is part of the story at once.
"""

import json
import re
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import TimeoutError as TooLate

from imgcls.web.shared import settings_form

ROOMS = {"classify": "Classify", "train": "Train", "evaluate": "Evaluate", "data": "Data", "init-lab": "Init lab"}
FIELDS = ("checkbox", "checkboxgroup", "dropdown", "number", "radio", "textbox")
BUTTONS = ("train-on-it", "draw-others", "reuse", "try", "evaluate", "evaluate-run")  # pressed in the middle of a story
SUBMITS = {"train": ("start",), "evaluate": ("evaluate-run",), "init-lab": ("lab-start", "wrong-start")}  # at its end
# Events that no story makes happen, and why.
LEFT_OUT = {
    "adopt-file": "a file of weights: test_adopting",
    "adopt-make": "a file of weights: test_adopting",
    "photo": "a file: test_page",
    "camera": "a camera: test_live",
    "pad": "writes into no field: test_pad",
    "changes": "somebody else's doing: the runs that are made while the page is open",
    "stop": "ends a run: test_page",
    "go-on": "begins a run: test_page",
    "rename": "test_page",
    "delete": "asks first: test_page",
    "inside": "what opens below an answer: test_inside",
    "set-menu": "opens what asks first",
    "cross-validate": "takes seconds: test_rooms",
    "find-rate": "takes seconds: test_preset_choice",
    "stop-rate": "ends what find-rate began: test_lr_find",
    "wrong-card": "a run that ends: test_evaluate",
    "card": "a run that ends: test_page",
    "evaluation": "an image with its checkpoint: test_evaluate",
    "fetch-for-training": "a download: test_fetching",
    "fetch-set": "a download: test_fetching",
    "audit-it": "writes into no field: test_audit_page",
    "delete-set": "asks first: test_page",
    "collect": "photos: test_page",
    "unpack": "a file: test_page",
    "lab-stop": "ends a comparison: test_page",
    "lab-delete": "asks first: test_page",
    "lab-card": "a comparison that ends: test_page",
    "wrong-find": "an audit of minutes: test_audit",
    "form-state": "the form's own question: FOLLOWS",
    "networks": "a table that is folded away: test_networks",
}
# What the page's scripts ask by themselves: a change of these fields asks in the name of that component.
FOLLOWS = {"form-state": [f"field-{name}" for name in settings_form.RECIPE_FIELDS]}
NUMBERS = {"lr": (0.25, 0.125), "val_split": (0.25, 0.125), "flip_labels": (0.25, 0.125)}
READ = """() => ({
  components: Object.fromEntries(gradio_config.components.map(
    one => [one.id, { type: one.type, name: one.props.elem_id || '', choices: one.props.choices }])),
  events: gradio_config.dependencies.map(one => ({
    id: one.id, targets: one.targets, inputs: one.inputs, outputs: one.outputs, after: one.trigger_after,
    js: one.js || '' })),
})"""


@dataclass
class Touched:
    at: int
    shown: object  # as a person sees it


class Story:
    def __init__(self, page, chance):
        self.page, self.chance, self.turn = page, chance, 0
        said = page.evaluate(READ)
        self.components = {int(key): one for key, one in said["components"].items()}
        self.events = {one["id"]: one for one in said["events"]}
        self.types = {one["name"]: one["type"] for one in self.components.values() if one["name"]}
        self.written, self.address = self._writes(), self._addresses()
        self.touched, self.done, self.sent = {}, [], {}
        page.on("request", self._note)

    def name(self, key):
        return self.components[key]["name"] if key is not None and key in self.components else ""

    def roots(self, event):
        """The components whose event this is, or follows."""
        while event["after"] is not None:
            event = self.events[event["after"]]
        return {self.name(key) for key, _ in event["targets"]}

    def _writes(self):
        """{component that a person changes: what its events may write into}"""
        made = {}
        for event in self.events.values():
            for root in self.roots(event):
                for source in (root, *FOLLOWS.get(root, ())):
                    made.setdefault(source, set()).update(self.name(key) for key in event["outputs"])
        return made

    def _addresses(self):
        """{field: its name in the address}"""
        made = {}
        for event in self.events.values():
            put = re.search(r'address\.js.*\)\.follow\("([^"]+)"', event["js"])
            if put and len(event["inputs"]) == 1:
                made[self.name(event["inputs"][0])] = put[1]
        return made

    def _note(self, request):
        """The last values that were sent of each field."""
        if request.method != "POST" or not re.search("gradio_api/(run|queue/join)", request.url):
            return
        said = json.loads(request.post_data)
        inputs = self.events.get(said.get("fn_index"), {}).get("inputs", [])
        if len(inputs) == len(said["data"]):
            self.sent.update({self.name(key): (self.turn, v) for key, v in zip(inputs, said["data"], strict=True)})

    # What a person does

    def open(self, room):
        self.page.get_by_role("tab", name=ROOMS[room], exact=True).click()
        self.page.wait_for_timeout(100)  # a person looks where they are
        self.page.evaluate("document.querySelectorAll('.disclosure [aria-expanded=false]').forEach(one => one.click())")
        for folded in self.page.locator(".more > button, .more-networks > button").all():
            if folded.is_visible() and "open" not in (folded.get_attribute("class") or ""):
                folded.click()

    def visible(self):
        """Fields and buttons that can be touched now."""
        names = [name for name, kind in self.types.items() if kind in FIELDS or name in BUTTONS]
        return self.page.evaluate(
            """names => names.filter(name => {
              const block = document.getElementById(name), hand = block?.matches('button') ? block
                : block?.querySelector('input:not([disabled]), textarea:not([disabled])');
              return hand && block.getClientRects().length && block.checkVisibility({ visibilityProperty: true })
                && !block.closest('[inert]');
            })""",
            names,
        )

    def act(self):
        there = self.visible()
        if not there:
            return
        name = self.chance.choice(there)
        self.turn += 1
        block = self.page.locator(f"#{name}")
        try:
            self.done.append((name, getattr(self, f"_{self.types[name]}")(name, block)))
        except TooLate:  # it was taken away under the hand
            self.done.append((name, "gone"))
            self.touched.pop(name, None)
            return
        if self.types[name] != "button":
            self.touched[name] = Touched(self.turn, self.shown(name))
        for other in self.written.get(name, ()):
            if other != name:
                self.touched.pop(other, None)

    def _button(self, name, block):
        block.click(timeout=10_000)

    def _radio(self, name, block):
        self.chance.choice(block.locator("label:has(input)").all()).click(timeout=10_000)

    _checkboxgroup = _radio

    def _checkbox(self, name, block):
        block.locator("input").click(timeout=10_000)

    def _number(self, name, block):
        value = self.chance.choice(NUMBERS.get(name.partition("-")[2], (3, 7, 11)))
        return self._type(block.locator("input"), value)

    def _textbox(self, name, block):
        return self._type(block.locator("input, textarea"), self.chance.choice(("one", "two", "three")))

    def _type(self, field, value):
        field.click(timeout=10_000)
        field.press("Control+a")
        field.press_sequentially(str(value))
        return value

    def _dropdown(self, name, block):
        block.locator("input").click(timeout=10_000)
        options = self.page.locator("[role=option]")
        options.first.wait_for(timeout=10_000)
        chosen = self.chance.choice(options.all())
        said = chosen.inner_text(timeout=10_000)
        chosen.click(timeout=10_000)
        if block.locator(".token").count():
            self.page.keyboard.press("Escape")
        return said

    # What stands

    def shown(self, name):
        return self.page.evaluate(
            """async name => {
              await new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)));
              const block = document.getElementById(name), all = [...block.querySelectorAll('input, textarea')];
              const checks = all.filter(one => ['radio', 'checkbox'].includes(one.type));
              const say = one => one.type === 'radio' ? one.value : one.closest('label').textContent.trim();
              if (checks.length) return checks.filter(one => one.checked).map(say).sort();
              const tokens = [...block.querySelectorAll('.token')].map(one => one.textContent.trim());
              return tokens.length ? tokens : [all[0].value];
            }""",
            name,
        )

    def check(self, rest):
        """Each room is looked into once more: what was last chosen is what is shown, sent and in the address."""
        for room in ROOMS:
            self.open(room)
            rest(self.page)
            there = self.visible()
            for name in (name for name in self.touched if name in there):
                shown = self.shown(name)
                assert shown == self.touched[name].shown, (name, shown, self.touched[name], self.done)
            for button in SUBMITS.get(room, ()):
                self._submit(button)
        self._check_sent()
        self._check_address()

    def _submit(self, button):
        """What it would send: the question is kept from the server."""
        asked = []

        def hold(route):
            """Not broken off: Gradio takes that for a server that is away, and loads the page anew."""
            event = self.events[json.loads(route.request.post_data)["fn_index"]]
            if button in self.roots(event):
                asked.append(event)
                nothing = [{"__type__": "update"}] * len(event["outputs"])
                route.fulfill(json={"event_id": "held"} if "queue" in route.request.url else {"data": nothing})
            else:
                route.continue_()

        self.turn += 1
        self.page.route(re.compile("gradio_api/(run|queue/join)"), hold)
        self.page.locator(f"#{button}").click()
        for _ in range(500):
            if asked:
                break
            self.page.wait_for_timeout(20)
        assert asked, f"{button} asked nothing"
        self.page.unroute(re.compile("gradio_api/(run|queue/join)"))

    def _check_sent(self):
        for name, touched in self.touched.items():
            turn, value = self.sent.get(name, (0, None))
            if turn < touched.at or self.types[name] == "dropdown":
                continue
            kind, shown = self.types[name], touched.shown
            if kind in ("number", "textbox"):
                assert (float(shown[0]) if kind == "number" else shown[0]) == value, (name, self.done)
            elif kind == "checkboxgroup":
                assert len(shown) == len(value), (name, shown, value, self.done)
            elif kind == "checkbox":
                assert bool(shown) == value, (name, self.done)
            else:
                chosen = sorted(value if isinstance(value, list) else [value])
                assert shown == chosen, (name, shown, chosen, self.done)

    def _check_address(self):
        query = {name: said[0] for name, said in parse_qs(urlsplit(self.page.url).query).items()}
        for name, touched in self.touched.items():
            turn, value = self.sent.get(name, (0, None))
            if name in self.address and turn >= touched.at and (said := query.get(self.address[name])) is not None:
                sent = ",".join(value) if isinstance(value, list) else value
                same = float(said) == pytest.approx(float(sent)) if self.types[name] == "number" else said == sent
                assert same, (name, said, sent, self.done)


def missing(blocks):
    """Components of a built page with events that no story makes happen, and that are not named in LEFT_OUT."""
    known = {*BUTTONS, *LEFT_OUT, *(name for all_of in SUBMITS.values() for name in all_of)}
    found = set()
    for event in blocks.fns.values():
        for key, kind in event.targets:
            block = blocks.blocks.get(key)
            name = getattr(block, "elem_id", None) or ""
            shown = block.get_block_name() if block is not None else "page"
            if name not in known and shown not in (*FIELDS, "tabs", "tabitem", "timer", "page"):
                found.add((name or shown, kind))
    return found
