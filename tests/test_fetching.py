"""ImageNet weights from a host: a local server plays torchvision's, a Hugging Face mirror, and how each goes wrong."""

import hashlib
import http.server
import threading
import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from photos import flowers

from imgcls.errors import StorageError, WeightsError
from imgcls.models import model_spec
from imgcls.models.download import Hosts, check_reachable, fetch_weights
from imgcls.models.pretrained import load_pretrained
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.worker import work
from imgcls.training import events
from imgcls.training.loggers.console import BarConsole
from imgcls.web.i18n.translator import Translator
from imgcls.web.train import run_card

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
# resnet18's row, with the hash of this content in the file's name as torchvision has it.
SPEC = replace(model_spec("resnet18"), weights=(f"resnet18-{SHA256[:8]}.pth",))
MIRRORED = "/timm/resnet18.tv_in1k/resolve/main/model.safetensors"


@contextmanager
def server(answers):
    """`answers`: {path: what a handler does}; yields the address and the requests that came, with their ranges."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            asked.append((self.path, self.headers.get("Range")))
            answers.get(self.path, missing)(self)

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}", asked
    finally:
        NOBODY_WAITS.set()
        httpd.shutdown()
        httpd.server_close()
        NOBODY_WAITS.clear()


def whole(handler, content=CONTENT, *, send=None, **headers):
    first = handler.headers.get("Range")
    start = int(first.removeprefix("bytes=").rstrip("-")) if first else 0
    handler.send_response(206 if first else 200)
    handler.send_header("Content-Length", str(len(content) - start))
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.end_headers()
    if handler.command == "GET":
        handler.wfile.write(content[start:][:send])


def missing(handler):
    handler.send_error(404)


def cut(handler):
    if handler.headers.get("Range"):
        whole(handler)
    else:
        whole(handler, send=len(CONTENT) // 3)


def wrong(handler):
    whole(handler, CONTENT[::-1])


NOBODY_WAITS = threading.Event()


def slow(handler):
    """Silent until the one who asked has given up."""
    NOBODY_WAITS.wait(60)


def linked(handler):
    """As a Hugging Face host: the hash, and where the file lies."""
    handler.send_response(302)
    handler.send_header("X-Linked-Etag", f'"{SHA256}"')
    handler.send_header("Location", "/elsewhere")
    handler.send_header("Content-Length", "0")
    handler.end_headers()


def hosts(address):
    return Hosts(torchvision=address + "/models", hugging_face=address)


def path_of(spec=SPEC):
    return f"/models/{spec.weights[0]}"


def test_whole(tmp_path):
    told = []
    with server({path_of(): whole}) as (address, asked):
        path = fetch_weights(SPEC, tmp_path, hosts=hosts(address), progress=lambda *at: told.append(at))
        assert fetch_weights(SPEC, tmp_path, hosts=hosts(address)) == path and len(asked) == 1
    assert path == tmp_path / SPEC.weights[0] and path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT)) and told == sorted(told)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "weight").write_text("a file")
    with pytest.raises(StorageError, match="weight could not be written"):
        fetch_weights(SPEC, tmp_path / "weight", hosts=hosts("http://127.0.0.1:1"))


def test_cut_off_goes_on_where_it_was(tmp_path):
    with server({path_of(): cut}) as (address, asked):
        with pytest.raises(WeightsError, match=r"it was cut off at .* put it into .* as resnet18-"):
            fetch_weights(SPEC, tmp_path, hosts=hosts(address))
        assert not (tmp_path / SPEC.weights[0]).exists()
        assert fetch_weights(SPEC, tmp_path, hosts=hosts(address)).read_bytes() == CONTENT
    assert (path_of(), f"bytes={len(CONTENT) // 3}-") in asked
    assert not list(tmp_path.glob(".*.part"))


@pytest.mark.parametrize("answer", [wrong, missing, slow, cut], ids=lambda a: a.__name__)
def test_the_mirror_helps_out(tmp_path, answer):
    with server({path_of(): answer, MIRRORED: linked, "/elsewhere": whole}) as (address, asked):
        path = fetch_weights(SPEC, tmp_path, hosts=hosts(address), timeout=1.0)
    assert path == tmp_path / "resnet18.safetensors" and path.read_bytes() == CONTENT
    assert [p for p, _ in asked][-2:] == [MIRRORED, "/elsewhere"]


@pytest.mark.parametrize("answer", [wrong, missing, slow], ids=lambda a: a.__name__)
def test_where_no_host_has_it_one_sentence_says_what_to_do(tmp_path, answer):
    with server({path_of(): answer, MIRRORED: answer}) as (address, _):
        with pytest.raises(WeightsError) as caught:
            fetch_weights(SPEC, tmp_path, hosts=hosts(address), timeout=0.5)
    said = str(caught.value)
    assert SPEC.weights[0] in said and str(tmp_path) in said and "\n" not in said and "<" not in said
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".")] == []


def test_a_mirror_that_sends_another_file_than_it_says(tmp_path):
    answers = {MIRRORED: linked, "/elsewhere": wrong}
    with server(answers) as (address, _), pytest.raises(WeightsError, match="another file"):
        fetch_weights(SPEC, tmp_path, hosts=hosts(address))


def test_a_mirror_that_names_no_hash_is_not_believed(tmp_path):
    with server({MIRRORED: whole}) as (address, _), pytest.raises(WeightsError, match="another file"):
        fetch_weights(SPEC, tmp_path, hosts=hosts(address))


def test_a_part_of_another_file_is_thrown_away(tmp_path):
    (tmp_path / f".{SPEC.weights[0]}.part").write_bytes(b"x" * 1000)
    with server({path_of(): whole}) as (address, _):
        with pytest.raises(WeightsError, match="another file"):
            fetch_weights(SPEC, tmp_path, hosts=hosts(address))
        assert fetch_weights(SPEC, tmp_path, hosts=hosts(address)).read_bytes() == CONTENT


def test_what_can_be_said_before_a_run(tmp_path):
    with server({MIRRORED: lambda h: whole(h, X_Linked_Etag=SHA256)}) as (address, _):
        check_reachable(SPEC, tmp_path, hosts=hosts(address))
    with server({}) as (address, _), pytest.raises(WeightsError, match="404"):
        check_reachable(SPEC, tmp_path, hosts=hosts(address))
    with pytest.raises(WeightsError, match=f"put it into {tmp_path}"):
        check_reachable(SPEC, tmp_path, hosts=Hosts("http://127.0.0.1:9", "http://127.0.0.1:9"))
    assert not list(tmp_path.iterdir())


def test_the_mirror_s_name_is_the_usual_variable(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://hf-mirror.com/")
    assert Hosts.from_environment().hugging_face == "https://hf-mirror.com"
    monkeypatch.setenv("HF_ENDPOINT", "")
    monkeypatch.setenv("IMGCLS_WEIGHTS_HOST", "http://school.example/files/")
    assert Hosts.from_environment() == Hosts(torchvision="http://school.example/files")
    monkeypatch.delenv("IMGCLS_WEIGHTS_HOST")
    assert Hosts.from_environment() == Hosts()


def test_what_a_mirror_sends_is_the_same_network(tmp_path):
    """torchvision's file and the mirror's safetensors hold the same names."""
    import torchvision
    from safetensors.torch import save_file

    state = torchvision.models.resnet18(num_classes=10).state_dict()
    save_file(state, tmp_path / "resnet18.safetensors")
    made = load_pretrained("resnet18", tmp_path / "resnet18.safetensors", channels=3, classes=2, image_size=32)
    assert torch.equal(made.layer1[0].conv1.weight, state["layer1.0.conv1.weight"])


@pytest.fixture
def weights(tmp_path):
    """A host's file of ResNet18's weights."""
    import torchvision
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = torchvision.models.resnet18().state_dict()
    save_file({k: v.half() if v.is_floating_point() else v for k, v in state.items()}, tmp_path / "file")
    return (tmp_path / "file").read_bytes()


def test_a_run_tells_how_far_its_weights_are_and_goes_on_where_they_were_cut_off(workspace, monkeypatch, weights):
    """The page's card, the terminal and the file of events; a second run takes up what the first one had."""
    parts, cut_at = 6, len(weights) // 2

    def slowly(handler):
        first = handler.headers.get("Range")
        start = int(first.removeprefix("bytes=").rstrip("-")) if first else 0
        handler.send_response(206 if first else 200)
        handler.send_header("Content-Length", str(len(weights) - start))
        handler.send_header("X-Linked-Etag", hashlib.sha256(weights).hexdigest())
        handler.end_headers()
        rest = weights[start:] if first else weights[:cut_at]
        step = len(rest) // parts + 1
        for at in range(0, len(rest) if handler.command == "GET" else 0, step):
            handler.wfile.write(rest[at : at + step])
            time.sleep(0.15)

    flowers(workspace.data / "flowers", each=4)
    monkeypatch.setenv("TORCH_HOME", str(workspace.root))  # nothing that was fetched here before
    said = {"dataset": "flowers", "model": "resnet18", "transfer": "head", "image_size": 32, "epochs": 1, "threads": 1}
    heard, cards = [], []
    with server({MIRRORED: slowly}) as (address, asked), BarConsole() as bar:
        monkeypatch.setenv("IMGCLS_WEIGHTS_HOST", address)
        monkeypatch.setenv("HF_ENDPOINT", address)
        for name in ("cut", "whole"):
            run = create_run(with_recipe({**said, "name": name}), workspace)
            cards.append([])

            def look(event, run=run):
                heard.append(event)
                seen = view(run)
                if seen.work and seen.work.code == "fetching_weights":
                    cards[-1].append((seen.share, str(run_card.card(seen, Translator("en")))))

            last = work(run, loggers=[bar, look])
    assert isinstance(last, events.Finished), last
    assert isinstance(heard[[type(e) for e in heard].index(events.Failed)], events.Failed)
    told = [e for e in heard if isinstance(e, events.Note) and e.code == "fetching_weights"]
    assert all(e.total == len(weights) for e in told) and any(0 < e.seconds_left < 60 for e in told)
    assert [start for path, start in asked if start] == [f"bytes={cut_at}-"]
    (before, _), (after, card) = cards[0][0], cards[1][-1]
    assert 0 < before <= 0.5 < after <= 1 and "fetching the weights of ResNet18" in card and "Time left" in card
    assert sum(e.code == "fetching_weights" for e in view(run).log if isinstance(e, events.Note)) == 1  # one line
    made = [e for e in heard if isinstance(e, events.Note) and e.code == "caching_features"]
    assert made[-1].total == 4 * 10 + 2 and made[-1].seconds_left is not None and view(run).work is None
