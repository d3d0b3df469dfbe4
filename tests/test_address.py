"""What stands in the page's address is read again, and what cannot be is left out; what a run leaves can be fetched."""

import csv
from urllib.parse import parse_qsl

from hypothesis import given
from hypothesis import strategies as st

from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.settings import TrainSettings
from imgcls.web import downloads
from imgcls.web.shared import address
from imgcls.web.shared.run_cache import RunCache


def test_settings_travel_in_the_address():
    said = {"dataset": "flowers & co", "model": "alexnet", "lr": 0.01, "nesterov": False, "epochs": 7}
    assert address.settings(dict(parse_qsl(address.query(said)))) == said
    assert address.query({"dataset": "mnist", "model": "lenet"}) == ""


@given(st.dictionaries(st.sampled_from(sorted(TrainSettings.model_fields)), st.text(max_size=600)))
def test_an_old_or_wild_link_still_opens(given):
    said = address.settings(given)
    for name, value in said.items():
        assert getattr(TrainSettings.checked({name: value}), name) == value
    assert address.settings({f"lab-{name}": value for name, value in given.items()}, prefix="lab-") == said


@given(st.sampled_from(["//", "\\\\", "/\\", "\\/"]), st.text())
def test_a_link_asks_no_other_computer_for_a_folder(start, rest):
    assert address.settings({"dataset": start + rest, "weights": start + rest}) == {}


@given(st.dictionaries(st.sampled_from(["tab", "source"]), st.text()))
def test_only_what_there_is_is_opened(given):
    assert address.chosen(given, "tab", ["draw", "photo"]) in (None, "draw", "photo")
    assert address.chosen({**given, "tab": "photo"}, "tab", ["draw", "photo"]) == "photo"


def test_curves_and_checkpoint_are_handed_out_by_a_runs_name_only(workspace):
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from imgcls.training import events
    from imgcls.training.loggers.event_log import EventLog

    run = create_run(with_recipe({"name": "r"}), workspace)
    with EventLog(run.logs) as log:
        log(events.Progress(step=3, epoch=0.5, loss=1.5, accuracy=0.25, lr=0.1, images_per_second=1, seconds_left=1))
    app = FastAPI()
    downloads.add_routes(app, RunCache(workspace))
    client = TestClient(app, base_url="http://lab")
    rows = list(csv.DictReader(client.get("/runs/r/curves.csv").text.splitlines()))
    assert rows == [{"part": "train", "step": "3", "epoch": "0.5", "loss": "1.5", "accuracy": "0.25", "lr": "0.1"}]
    assert client.get("/runs/r/checkpoint").status_code == 404
    run.best.parent.mkdir(parents=True, exist_ok=True)
    run.best.write_bytes(b"weights")
    assert client.get("/runs/r/checkpoint").content == b"weights"
    for name in ("nothing", "..", "%2e%2e%2fr", "..%2f..%2fetc", "%00", "x" * 5000):
        assert client.get(f"/runs/{name}/checkpoint").status_code == 404
