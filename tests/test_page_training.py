"""Training in the browser: the images that it is sent, its runs, and what the lab takes from it."""

from __future__ import annotations

import json
import struct

import httpx
import numpy as np
import pytest
import torch
from drawings import LABELS, drawn
from engine import evaluated
from safetensors.torch import load_file, save
from served import served

from imgcls.checkpoints.format import load_checkpoint, read_extra, read_meta
from imgcls.cli.main import main
from imgcls.data.datasets import load_dataset
from imgcls.inference.predictor import Predictor
from imgcls.models import build
from imgcls.recipes import preprocess_for
from imgcls.runs import background_jobs, page_runs
from imgcls.settings import TrainSettings, choices
from imgcls.training.optim import lr_factor
from imgcls.web.classify import bundle
from imgcls.web.engine.dataset_file import make_file, page_settings
from imgcls.web.engine.routes import engine_names
from imgcls.workspace import Workspace

FOR_EVER = "private, max-age=31536000, immutable"
FEW = 400  # images
OPENED = """
  const { readDataset } = await import(`${ENGINE}/dataset.js`), { Session } = await import(`${ENGINE}/session.js`);
  const bytes = fs.readFileSync(file), buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  const dataset = await readDataset(buffer);
  const module = await WebAssembly.compile(fs.readFileSync(`${WASM}/lenet-simd.wasm`));
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A file of a few digits, and where it lies."""
    made = make_file("mnist", FEW, Workspace(), held_out=200)
    path = tmp_path_factory.mktemp("data") / made.name
    path.write_bytes(made.content)
    return path


def test_a_page_reads_the_images_that_the_trainer_would_learn_from(digits):
    said = evaluated(
        OPENED + "return { ...dataset, images: [...dataset.images], labels: [...dataset.labels] };", file=str(digits)
    )
    settings = page_settings("mnist", FEW)
    data = load_dataset(settings, Workspace(), preprocess_for(settings))
    assert said["learnt"] == FEW and said["held"] == 200 and said["classes"] == list(data.classes)
    pixels = np.concatenate([data.train.images[:].numpy(), data.val.images[:200].numpy()]).ravel()
    assert np.array_equal(np.array(said["images"], np.uint8), pixels)
    assert said["labels"] == [*data.train.labels.tolist(), *data.val.labels[:200].tolist()]


def test_the_name_of_a_file_is_that_of_its_content(digits):
    again, other = make_file("mnist", FEW, Workspace(), held_out=200), make_file("mnist", FEW + 1, Workspace())
    assert again.name == digits.name and again.content == digits.read_bytes()
    assert other.name != again.name


@pytest.mark.parametrize("schedule", choices("schedule") or ())
@pytest.mark.parametrize("warmup", [0.0, 0.5])
def test_the_learning_rate_goes_as_the_trainers(schedule, warmup):
    settings = TrainSettings.checked({"schedule": schedule, "warmup_epochs": warmup, "step_epochs": 2, "epochs": 5})
    values = settings.model_dump(include={"schedule", "warmup_epochs", "step_epochs", "step_factor"})
    ours = evaluated(
        "const { rateFactor } = await import(`${ENGINE}/schedule.js`);"
        "return Array.from({ length: 100 }, (_, i) => rateFactor(i, { ...settings, total: 100, perEpoch: 20 }));",
        settings=values,
    )
    theirs = [lr_factor(step, total=100, per_epoch=20, settings=settings) for step in range(100)]
    assert ours == pytest.approx(theirs, rel=1e-12)


def test_a_run_goes_on_from_its_state_bit_for_bit_after_a_change_in_the_middle_of_an_epoch(digits):
    """A state is taken in the middle of an epoch, sent through what IndexedDB does to it, and gone on from."""
    whole, resumed, marks, places = evaluated(
        OPENED
        + """
      const settings = { epochs: 2, batch_size: 64, augment: 'pen', seed: 3 }, end = s => s.advance(Infinity);
      const begun = () => {
        const s = new Session(module, dataset, settings);
        s.advance(Infinity, { steps: 3 });
        s.change({ batch_size: 32, lr: 0.05 });
        return s;
      };
      const one = begun(), two = begun(), other = new Session(module, dataset, settings);
      other.goOn(structuredClone(two.state()));
      end(one); end(other);
      const both = [one, other].map(s => [...s.engine.numbers('weights')]);
      return [...both, one.marks, one.held_out.map(p => p.epoch)];
    """,
        file=str(digits),
    )
    assert whole == resumed
    assert [(mark["name"], mark["before"], mark["value"]) for mark in marks] == [
        ("batch_size", 128 // 2, 32),
        ("lr", 0.1, 0.05),
    ]
    assert places == [1, 2]


def test_it_learns_digits_and_keeps_every_epoch(tmp_path):
    made = make_file("mnist", 2000, Workspace(), held_out=1000)
    path = tmp_path / made.name
    path.write_bytes(made.content)
    said = evaluated(
        OPENED
        + """
      const s = new Session(module, dataset, { epochs: 4, batch_size: 32 });
      const first = s.evaluate().accuracy;
      s.advance(Infinity);
      const held = s.held_out.map(p => p.accuracy), epochs = s.snapshots.map(([n]) => n);
      return { first, held, epochs, done: s.done, points: s.curve.length };
    """,
        file=str(path),
    )
    assert said["first"] < 0.3 and said["held"][-1] > 0.85
    assert said["epochs"] == [0, 1, 2, 3, 4] and said["done"] and said["points"] >= 4


def test_a_run_that_diverges_ends(digits):
    done, diverged, epoch = evaluated(
        OPENED
        + "const s = new Session(module, dataset, { epochs: 3, lr: 5000, schedule: 'constant' });"
        + "s.advance(Infinity); return [s.done, s.diverged, s.epoch];",
        file=str(digits),
    )
    assert done and diverged and epoch < 3


def test_what_a_page_saves_the_terminal_opens(digits, tmp_path, capsys):
    file = tmp_path / "mine.safetensors"
    evaluated(
        OPENED
        + """
      const { writeTensors } = await import(`${TRAIN}/run_file.js`), s = new Session(module, dataset, { epochs: 1 });
      s.advance(Infinity);
      const meta = { ...dataset.meta, epoch: 1, run: 'mine', metrics: { val_accuracy: s.held_out[0].accuracy } };
      fs.writeFileSync(out, writeTensors(s.tensors(), { imgcls: JSON.stringify(meta) }));
    """,
        file=str(digits),
        out=str(file),
    )
    assert load_checkpoint(file)[1].run == "mine"
    drawing = tmp_path / "three.png"
    drawn()[LABELS.index("3")].save(drawing)
    assert main(["predict", "--checkpoint", str(file), "--json", str(drawing)]) == 0
    assert "label" in capsys.readouterr().out


# ---- the lab's side


@pytest.fixture
def lab(workspace, monkeypatch):
    """A lab whose background processes are not started: what they do is a test's own."""
    started = []
    monkeypatch.setattr(page_runs, "calibrate_later", lambda workspace: started.append(workspace.root))
    with served(workspace) as url, httpx.Client(base_url=url, timeout=120) as client:
        client.started = started
        yield client


def weights(model="lenet", **changes):
    torch.manual_seed(1)
    state = build(model, channels=1, classes=10, image_size=28).state_dict()
    return {name: changes.get(name.replace(".", "_"), tensor).contiguous() for name, tensor in state.items()}


def body(tensors, **said):
    settings = {"epochs": 3, "lr": 0.05, "batch_size": 64, "momentum": 0.8, "seed": 4}
    text = json.dumps({"dataset": "mnist", "model": "lenet", "images": 5000, "settings": settings} | said).encode()
    return struct.pack("<I", len(text)) + text + (tensors if isinstance(tensors, bytes) else save(tensors))


def test_everything_a_page_loads_is_named_by_its_content_and_kept_for_ever(lab):
    for entry in bundle.ENTRIES:
        script = lab.get(f"/scripts/{bundle.digest(entry)}.js")
        assert script.headers["cache-control"] == FOR_EVER and "javascript" in script.headers["content-type"]
    for name in engine_names().values():
        engine = lab.get(f"/engine/{name}")
        assert engine.content[:4] == b"\0asm" and engine.headers["cache-control"] == FOR_EVER
    url = lab.get("/training-data", params={"dataset": "mnist", "images": 5000}).json()["url"]
    sent = lab.get(f"/{url}")
    assert sent.headers["cache-control"] == FOR_EVER
    assert sent.content[:2] == b"\x1f\x8b" and len(sent.content) < 2_000_000
    assert lab.get("/training-data/unknown").status_code == 404
    assert lab.get("/engine/unknown.wasm").status_code == 404


@pytest.mark.parametrize(
    "asked", [{"dataset": "none"}, {"images": 17}, {"images": -1}, {"dataset": "../x"}, {"dataset": ""}]
)
def test_images_that_are_not_to_be_had_are_refused_with_a_sentence(lab, asked):
    answer = lab.get("/training-data", params={"dataset": "mnist", "images": 5000} | asked)
    assert answer.status_code == 403 and answer.json()["error"]


@pytest.mark.parametrize("model", ["lenet", "lenet-16-32"])
def test_a_network_that_is_kept_is_a_checkpoint_like_any_other(lab, workspace, model):
    sent = weights(model)
    answer = lab.post("/page-runs", content=body(sent, model=model, name="mine"))
    assert answer.json() == {"name": "mine", "checkpoint": "mine/best"}
    path = workspace.checkpoints / "mine" / "best.safetensors"
    meta, found = read_meta(path), load_file(path)
    assert (meta.model, meta.settings["lr"], meta.settings["train_images"]) == (model, 0.05, 5000)
    assert all(torch.equal(found[name], tensor) for name, tensor in sent.items())
    # The file that every page learns from was divided by the recipe's seed; the page's own drew its weights.
    assert meta.settings["seed"] == page_settings("mnist", 5000).seed != 4 and meta.data["page_seed"] == "4"
    assert lab.started == [workspace.root]
    assert page_runs.waiting(workspace) == [path]


def test_the_background_job_measures_and_calibrates_what_waits(workspace):
    run = page_runs.PageRun("mnist", "lenet", 300, {"epochs": 1})
    classes = tuple("0123456789")
    paths = [page_runs.keep(save(weights()), run, classes, workspace) for _ in range(2)]
    assert len({path.parent.name for path in paths}) == 2
    damaged = page_runs.keep(save(weights()), run, classes, workspace)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1000])  # as a full disk of another program leaves it
    folder = background_jobs.prepare(background_jobs.jobs_folder("page-runs", workspace) / "all", {})
    assert page_runs.work(folder, workspace) == 0
    assert page_runs.waiting(workspace) in ([], [damaged])  # its header may still be read
    for path in paths:
        assert 0 < (read_meta(path).metrics["val_accuracy"] or 0) < 0.5
        assert "temperature" in read_extra(path)
        assert Predictor.cached(path).meta.classes == classes


NAN = torch.full((84,), float("nan"))
WRONG = {
    "shape": body(weights(fc2_bias=torch.zeros(85))),
    "type": body(weights(fc2_bias=torch.zeros(84, dtype=torch.float64))),
    "not a number": body(weights(fc2_bias=NAN)),
    "huge": body(weights(fc2_bias=torch.full((84,), 1e9))),
    "missing": body({"conv1.weight": torch.zeros(6, 1, 5, 5)}),
    "extra": body(weights() | {"more": torch.zeros(1)}),
    "no file": body(b"hello"),
    "too long": body(weights() | {"more": torch.zeros(1_100_000)}),
    "another network": body(weights(), model="resnet18"),
    "no network": body(weights(), model="nothing"),
    "setting": body(weights(), settings={"lr": -1}),
    "data": body(weights(), dataset="none"),
    "path": body(weights(), dataset="/etc"),
    "name": body(weights(), name="../x"),
    "images": body(weights(), images="many"),
    "images of another number": body(weights(), images=1001),
    "nothing": b"",
    "no description": struct.pack("<I", 4) + b"null",
    "deep": struct.pack("<I", 19_000) + b"[" * 19_000,
    "a length beyond": struct.pack("<I", 2**31) + b"{}",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_network_of_a_page_is_refused_and_nothing_is_written(lab, workspace, what):
    answer = lab.post("/page-runs", content=WRONG[what])
    assert answer.status_code == 403 and answer.json()["error"]
    assert not list(workspace.checkpoints.glob("*/*"))
    assert not lab.started


def test_visitors_of_a_shared_lab_keep_a_limited_number(workspace, monkeypatch):
    monkeypatch.setattr(page_runs, "calibrate_later", lambda workspace: None)
    with served(workspace, {"IMGCLS_HOST": "0.0.0.0"}) as url, httpx.Client(base_url=url, timeout=120) as client:
        kept = [client.post("/page-runs", content=body(weights())) for _ in range(21)]
        assert [answer.status_code for answer in kept] == [200] * 20 + [403]
        settings = {"settings": {"epochs": 1000}, "name": "long"}
        assert client.post("/page-runs", content=body(weights(), **settings)).status_code == 403
        assert client.get("/training-data", params={"dataset": str(workspace.root)}).status_code == 403


def test_a_page_learns_on_from_the_labs_own_networks(lab):
    found = lab.get("/page-checkpoints", params={"dataset": "mnist"}).json()
    assert {"lenet-digits/best", "lenet-mnist/best"} <= {one["title"] for one in found}
    assert lab.get(found[0]["url"].removeprefix("..")).status_code == 200
