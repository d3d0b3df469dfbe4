"""Training in the browser: the images that it is sent, its runs, and what the lab takes from it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import struct
from dataclasses import replace

import httpx
import numpy as np
import pytest
import torch
from drawings import LABELS, drawn
from engine import evaluated
from PIL import Image
from safetensors.torch import load_file, save
from served import served
from waiting import wait_until

from imgcls.checkpoints.format import Meta, load_checkpoint, read_extra, read_meta, save_checkpoint
from imgcls.cli.main import main
from imgcls.data.datasets import load_dataset
from imgcls.data.manifest import Manifest, manifest_file
from imgcls.inference.predictor import Predictor
from imgcls.models import build
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs import background_jobs, page_runs
from imgcls.settings import TrainSettings, choices
from imgcls.training.optim import lr_factor
from imgcls.training.provenance import manifest_of
from imgcls.training.trainer import train
from imgcls.web.engine.dataset_file import make_file, page_settings
from imgcls.web.engine.routes import engine_names
from imgcls.web.server import hosting
from imgcls.web.shared import scripts
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
    made = make_file("mnist", FEW, Workspace(), validation_images=200)
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
    again, other = make_file("mnist", FEW, Workspace(), validation_images=200), make_file("mnist", FEW + 1, Workspace())
    assert again.name == digits.name and again.content == digits.read_bytes()
    assert other.name != again.name


@pytest.mark.parametrize("schedule", choices("schedule") or ())
@pytest.mark.parametrize("warmup", [0.0, 0.5, 0.125])  # 0.125: of 20 steps 2.5, which are 2
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
    made = make_file("mnist", 2000, Workspace(), validation_images=1000)
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


# A page's run with a worker of the same code, whose messages travel as between threads; `workers`: all that there were.
HIRED = """
  const { serve } = await import(`${ENGINE}/serve.js`), { PageRun } = await import(`${TRAIN}/page_run.js`);
  const later = act => setTimeout(act, 1), kept = new Map(), told = [], workers = [];
  const written = [], refusals = [];
  const store = {
    keep: async (key, run, snapshots) => {
      kept.set(key, structuredClone(run));
      const taken = !refusals.shift();
      if (taken) written.push(...snapshots.map(([epoch]) => epoch));
      return taken;
    },
    kept: async key => kept.get(key) ?? null,
    forget: async key => kept.delete(key),
  };
  const hired = () => {
    const worker = { terminate() { worker.ended = true; } };
    const answer = data => later(() => worker.onmessage?.({ data }));
    const scope = { postMessage: data => answer(structuredClone(data)) };
    worker.postMessage = data => { if (!worker.ended) later(() => scope.onmessage({ data })); };
    serve(scope);
    workers.push(worker);
    return worker;
  };
  const bytes = name => Uint8Array.from(fs.readFileSync(name)).buffer;
  const source = {
    worker: async () => hired(), engine: async () => bytes(`${WASM}/lenet-simd.wasm`), data: async () => bytes(file),
  };
  const run = new PageRun(source, 'this-page', store, (what, said) => told.push(what === 'failed' ? said : what));
  const until = async act => { for (let i = 0; i < 2000 && !act(); i++) await new Promise(later); return act(); };
  const wanted = { dataset: 'mnist', images: 5000 };
  const failure = promise => promise.then(() => null, error => error.message);
"""


def test_a_run_that_was_forgotten_stays_forgotten(digits):
    """The worker's last words of it come later."""
    said = evaluated(
        HIRED
        + """
      await run.load(wanted);
      await run.open({ epochs: 50 });
      run.run('play');
      await until(() => told.includes('kept'));
      run.run('pause');
      run.forget();
      const heard = told.length;
      await new Promise(done => setTimeout(done, 100));
      const after = [run.now, kept.size, told.length - heard];
      await run.open({ epochs: 1 });   // another one is heard
      run.run('epoch');
      return [...after, await until(() => run.now.done && kept.size === 1)];
    """,
        file=str(digits),
    )
    assert said == [None, 0, 0, True]


def test_the_weights_of_an_epoch_are_kept_once(digits):
    """Those that the store did not take come again with the next."""
    written, refused, state, epochs = evaluated(
        HIRED
        + """
      await run.load(wanted);
      const learn = async () => {
        const had = told.length;
        run.run('epoch');
        await until(() => told.slice(had).includes('kept'));
      };
      await run.open({ epochs: 5 });
      await learn(); await learn();
      const first = [...written];
      refusals.push(true);
      await learn();
      const refused = written.length;
      await learn();
      const { state } = kept.get('this-page');
      return [[...first, ...written.slice(refused)], refused, Object.keys(state).includes('snapshots'), state.epochs];
    """,
        file=str(digits),
    )
    assert written == [0, 1, 2, 3, 4] and refused == 3 and not state and epochs == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("what", ["worker", "engine", "data", "message"])
def test_what_failed_once_is_tried_anew_by_the_next_start(digits, what):
    first, again, hired, done = evaluated(
        HIRED
        + """
      const { worker, engine, data } = source;
      const dead = one => { later(() => one.onerror({ message: 'dead' })); return one; };
      if (what === 'worker') source.worker = async () => dead(hired());
      if (what === 'engine') source.engine = async () => new ArrayBuffer(8);
      if (what === 'data') source.data = async () => { throw new Error('no lab'); };
      const first = await failure(run.load(wanted).then(() => run.open({ epochs: 1 })).then(() => {
        if (what !== 'message') return null;
        const left = failure(run.epoch(0));   // nobody answers it any more
        workers[0].onerror({ message: 'dead' });
        return left.then(message => { throw new Error(message); });
      }));
      Object.assign(source, { worker, engine, data });
      const again = await failure(run.load(wanted).then(() => run.open({ epochs: 1 })));
      run.run('play');
      return [first, again, workers.length, await until(() => run.now?.done)];
    """,
        file=str(digits),
        what=what,
    )
    assert first and again is None and done
    assert hired == (2 if what in ("worker", "message") else 1)


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


@pytest.fixture(scope="module")
def one_lab(tmp_path_factory):
    """The same, for questions after which nothing has changed."""
    workspace, started = Workspace(tmp_path_factory.mktemp("asked") / "lab"), []
    workspace.root.mkdir()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(page_runs, "calibrate_later", lambda workspace: started.append(workspace.root))
        with served(workspace) as url, httpx.Client(base_url=url, timeout=120) as client:
            client.started, client.workspace = started, workspace
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
    for name in scripts.modules():
        script = lab.get(f"/scripts/{scripts.digest()}/{name}")
        assert script.headers["cache-control"] == FOR_EVER and "javascript" in script.headers["content-type"]
        assert script.content == scripts.modules()[name] and script.headers["content-encoding"] == "gzip"
    some = "classify/js/classify.js"
    plain = lab.get(f"/scripts/{scripts.digest()}/{some}", headers={"Accept-Encoding": "identity"})
    assert plain.content == scripts.modules()[some] and "content-encoding" not in plain.headers
    for wrong in ("0/" + some, *(f"{scripts.digest()}/{one}" for one in ("classify/live.py", "..%2fapp.py", ""))):
        assert lab.get(f"/scripts/{wrong}").status_code == 404
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


def test_activation_and_pooling_of_a_page_are_the_checkpoints(lab, workspace):
    settings = {"epochs": 1, "activation": "tanh", "pool": "avg"}
    assert lab.post("/page-runs", content=body(weights(), name="paper", settings=settings)).status_code == 200
    model, meta = load_checkpoint(workspace.checkpoints / "paper" / "best.safetensors")
    assert meta.options == {"activation": "tanh", "pool": "avg"} == {"activation": model.activation, "pool": model.pool}
    found = {one["title"]: one for one in lab.get("/page-checkpoints").json()}
    assert found["paper/best"]["pool"] == "avg" and found["lenet-mnist/best"]["activation"] == "relu"
    assert lab.get(found["paper/best"]["url"].removeprefix("..")).status_code == 200


def test_the_background_job_measures_and_calibrates_what_waits(workspace):
    run = page_runs.PageRun("mnist", "lenet", 300, {"epochs": 1})
    classes = tuple("0123456789")
    seen = make_file("mnist", 300, workspace).manifest
    paths = [page_runs.keep(save(weights()), run, classes, workspace, seen) for _ in range(2)]
    assert len({path.parent.name for path in paths}) == 2
    damaged = page_runs.keep(save(weights()), run, classes, workspace)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1000])  # as a full disk of another program leaves it
    folder = background_jobs.prepare(background_jobs.jobs_folder("page-runs", workspace) / "all", {})
    assert page_runs.run(folder, workspace) == 0
    assert page_runs.waiting(workspace) in ([], [damaged])  # its header may still be read
    for path in paths:
        assert 0 < (read_meta(path).metrics["val_accuracy"] or 0) < 0.5
        assert "temperature" in read_extra(path)
        assert Predictor.cached(path).meta.classes == classes


def test_one_that_is_kept_while_the_process_ends_is_measured_too(workspace, monkeypatch):
    """It finds the process alive, and starts none."""
    run, classes = page_runs.PageRun("mnist", "lenet", 300, {"epochs": 1}), tuple("0123456789")
    found, launched = page_runs.waiting, []
    monkeypatch.setattr(page_runs, "measure", lambda path, workspace: path.parent.joinpath("measured").touch())
    monkeypatch.setattr(background_jobs, "launch", lambda *_, **__: launched.append(1) or os.getpid())

    def kept_late(workspace):
        there = [path for path in found(workspace) if not path.parent.joinpath("measured").exists()]
        if not there and not late:
            late.append(page_runs.keep(save(weights()), run, classes, workspace))
            page_runs.calibrate_later(workspace)
        return there

    late: list = []
    page_runs.keep(save(weights()), run, classes, workspace)
    page_runs.calibrate_later(workspace)
    assert launched == [1]
    monkeypatch.setattr(page_runs, "waiting", kept_late)
    folder = background_jobs.jobs_folder("page-runs", workspace) / "all"
    assert page_runs.run(folder, workspace) == 0
    assert late and late[0].parent.joinpath("measured").exists() and launched == [1]
    page_runs.calibrate_later(workspace)  # nobody is at it any more
    assert launched == [1, 1]


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
def test_what_is_no_network_of_a_page_is_refused_and_nothing_is_written(one_lab, what):
    answer = one_lab.post("/page-runs", content=WRONG[what])
    assert answer.status_code == 403 and answer.json()["error"]
    assert not list(one_lab.workspace.checkpoints.glob("*/*"))
    assert not one_lab.started


def test_visitors_of_a_shared_lab_keep_a_limited_number(workspace, monkeypatch):
    monkeypatch.setattr(page_runs, "calibrate_later", lambda workspace: None)
    monkeypatch.setattr(hosting, "SHARED", replace(hosting.SHARED, adopted=3))
    with served(workspace, {"IMGCLS_HOST": "0.0.0.0"}) as url, httpx.Client(base_url=url, timeout=120) as client:
        kept = [client.post("/page-runs", content=body(weights())) for _ in range(4)]
        assert [answer.status_code for answer in kept] == [200] * 3 + [403]
        settings = {"settings": {"epochs": 1000}, "name": "long"}
        assert client.post("/page-runs", content=body(weights(), **settings)).status_code == 403
        assert client.get("/training-data", params={"dataset": str(workspace.root)}).status_code == 403


def test_a_page_learns_on_from_the_labs_own_networks(lab):
    found = lab.get("/page-checkpoints", params={"dataset": "mnist"}).json()
    assert {"lenet-digits/best", "lenet-mnist/best"} <= {one["title"] for one in found}
    assert lab.get(found[0]["url"].removeprefix("..")).status_code == 200


def test_only_networks_of_the_same_form_are_learnt_on_from(lab, workspace):
    """SVHN's digits are in colour and have 32 pixels a side."""
    settings = with_recipe({"dataset": "svhn", "model": "lenet"})
    state = build("lenet", channels=3, classes=10, image_size=32).state_dict()
    meta = Meta(model="lenet", classes=tuple("0123456789"), preprocess=preprocess_for(settings), run="street")
    (workspace.checkpoints / "street").mkdir(parents=True)
    save_checkpoint(workspace.checkpoints / "street" / "best.safetensors", state, meta)
    # A file that another program put there is seen once the last list, of the test before, is old enough.
    wait_until(lambda: titles(lab, "svhn") == ["street/best"])
    assert "street/best" not in titles(lab, "mnist")
    # Of the newest ones, too: the list is asked for whenever it has changed.
    lab.post("/page-runs", content=body(weights(), name="newest"))
    assert "newest/best" in titles(lab, "mnist")


def titles(lab, dataset):
    return [checkpoint["title"] for checkpoint in lab.get("/page-checkpoints", params={"dataset": dataset}).json()]


def test_what_a_page_learns_on_from_stays_known(lab, workspace):
    """A page that goes on from a network is judged by none of its images; what it keeps says what both saw."""
    chosen = {"dataset": "mnist", "train_images": 500, "val_split": 400, "epochs": 1, "seed": 7, "augment": "none"}
    list(train(with_recipe(chosen), workspace=workspace, run="before"))
    before = Manifest.read(manifest_file("before", workspace))
    asked = {"dataset": "mnist", "images": 5000}
    plain, on = (header_of(lab, asked | more)["meta"]["manifest"] for more in ({}, {"start_from": "before/best"}))
    assert plain != on
    for name, said in (("a", {"manifest": plain}), ("b", {"manifest": on, "start_from": "before/best"})):
        assert lab.post("/page-runs", content=body(weights(), name=name, **said)).status_code == 200
    fresh, later = (manifest_of(workspace.checkpoints / name / "best.safetensors", workspace) for name in "ab")
    assert len(fresh.trained) == len(later.trained) == 5000 and not fresh.earlier
    assert before.learnt <= later.learnt and not later.validated & before.learnt
    assert read_meta(workspace.checkpoints / "b" / "best.safetensors").settings["start_from"] == "before/best"
    # Whose images are others by now than those that the page had learnt from: nobody knows.
    lab.post("/page-runs", content=body(weights(), name="c", manifest="0" * 32))
    assert manifest_of(workspace.checkpoints / "c" / "best.safetensors", workspace) is None
    page_runs.measure(workspace.checkpoints / "b" / "best.safetensors", workspace)
    assert read_meta(workspace.checkpoints / "b" / "best.safetensors").metrics["val_accuracy"] is not None
    page_runs.measure(workspace.checkpoints / "c" / "best.safetensors", workspace)
    assert "val_accuracy" not in read_meta(workspace.checkpoints / "c" / "best.safetensors").metrics
    wrong = lab.post("/page-runs", content=body(weights(), start_from="nobody/best"))
    assert wrong.status_code == 403 and "nobody" in wrong.json()["error"]


def header_of(lab, asked):
    content = gzip.decompress(lab.get("/" + lab.get("/training-data", params=asked).json()["url"]).content)
    return json.loads(content[4 : 4 + int.from_bytes(content[:4], "little")])


def test_a_data_set_that_has_changed_is_sent_anew(lab, workspace):
    """Photos may lie two levels down: train/rose/1.png."""
    random = np.random.default_rng(1)
    own = workspace.data / "own"
    for part, label, count in (("train", "a", 4), ("train", "b", 4), ("val", "a", 2), ("val", "b", 2)):
        (own / part / label).mkdir(parents=True)
        for i in range(count):
            noise(random).save(own / part / label / f"{i}.png")
    asked = {"dataset": "own", "images": 0}
    first = header_of(lab, asked)
    assert header_of(lab, asked) == first and first["learnt"] == 8
    noise(random).save(own / "train" / "a" / "new.png")
    assert header_of(lab, asked)["learnt"] == 9
    noise(random).save(own / "train" / "a" / "new.png")  # another picture under the same name
    second = lab.get("/training-data", params=asked).json()["url"]
    noise(random).save(own / "train" / "a" / "new.png")
    assert lab.get("/training-data", params=asked).json()["url"] != second
    for gone in (own / "val", own):
        shutil.rmtree(gone)
    answer = lab.get("/training-data", params=asked)
    assert answer.status_code == 403 and "own" in answer.json()["error"]


def noise(random):
    return Image.fromarray(random.integers(0, 256, (28, 28, 3), dtype=np.uint8))
