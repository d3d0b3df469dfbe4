"""Data sets that are not here: marked, fetched for the page in a process of their own, stopped, and who may ask."""

import gzip
import hashlib
import http.server
import io
import socket
import tarfile
import threading
import time
from contextlib import contextmanager
from dataclasses import replace
from http.client import IncompleteRead
from types import SimpleNamespace
from urllib.error import HTTPError, URLError

import pytest
from asking import by_name

from imgcls.data import download
from imgcls.data.registry import CIFAR_FILES, DATASETS, absent
from imgcls.errors import DatasetError, SettingsError, network_reason
from imgcls.runs import downloads
from imgcls.web.i18n.translator import Translator
from imgcls.web.server.hosting import hosting
from imgcls.web.shared import fetch_dataset, settings_form
from imgcls.web.shared.identity import People
from imgcls.web.shared.run_cache import RunCache


@contextmanager
def mirror(files, *, slow=False):
    """{name: its content} behind an address; `slow` sends a little, and then only what keeps the line open."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):  # noqa: N802
            content = files.get(self.path.lstrip("/"))
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            try:
                for start in range(0, len(content), 1 << 18):
                    self.wfile.write(content[start : start + (1 << 18)])
                    time.sleep(0.2 * slow)
            except OSError:
                pass  # whoever asked has stopped

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}"
    finally:
        httpd.shutdown()
        httpd.server_close()


CIFAR_ARCHIVE = DATASETS["cifar10"].downloads[0].name


def with_digests(name, contents, monkeypatch):
    """The row of a set, with the digests of these files: {name: content}."""
    spec = DATASETS[name]
    downloads = tuple(
        replace(one, md5=hashlib.md5(contents[one.name]).hexdigest()) for one in spec.downloads if one.name in contents
    )
    monkeypatch.setitem(DATASETS, name, replace(spec, downloads=downloads))


def cifar():
    """An archive as the real one, with files of a few bytes."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for file in (file for files in CIFAR_FILES.values() for file in files):
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{file}")
            member.size = 4
            tar.addfile(member, io.BytesIO(b"data"))
    return packed.getvalue()


def files_of(workspace):
    return sorted(
        path.name for path in workspace.data.rglob("*") if path.is_file() and ".imgcls-cache" not in str(path)
    )


def test_a_set_comes_whole_and_its_packed_file_goes(workspace, monkeypatch):
    content, told = cifar(), []
    with_digests("cifar10", {CIFAR_ARCHIVE: content}, monkeypatch)
    assert absent("cifar10", workspace) == "cifar10"
    with mirror({CIFAR_ARCHIVE: content}) as url:
        monkeypatch.setenv("IMGCLS_DATA_MIRROR", url)
        download.fetch("cifar10", workspace, progress=lambda *at: told.append(at))
    assert told[-1] == (len(content), len(content)) and absent("cifar10", workspace) is None
    assert files_of(workspace) == sorted(file for files in CIFAR_FILES.values() for file in files)


def test_bytes_of_several_files_are_counted_on(workspace, monkeypatch):
    files = DATASETS["fashion-mnist"].required
    contents = {file: gzip.compress(bytes([i]) * 1000 * (4 - i)) for i, file in enumerate(files)}
    with_digests("fashion-mnist", contents, monkeypatch)
    told = []
    with mirror(contents) as url:
        download.fetch("fashion-mnist", workspace, base=url, progress=lambda *at: told.append(at))
    assert told == sorted(told) and told[-1] == (sum(map(len, contents.values())),) * 2
    assert absent("fashion-mnist", workspace) is None


def test_what_is_not_what_its_name_says_is_not_kept(workspace):
    with mirror({CIFAR_ARCHIVE: cifar()}) as url, pytest.raises(DatasetError, match="came cut off or changed"):
        download.fetch("cifar10", workspace, base=url)
    assert files_of(workspace) == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (URLError(socket.gaierror(-2, "Name or service not known")), "its address was not found: is there a network?"),
        (URLError(ConnectionRefusedError(111, "Connection refused")), "the connection was refused"),
        (URLError(TimeoutError("timed out")), "no answer came in time"),
        (TimeoutError("The read operation timed out"), "no answer came in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "the connection broke off"),
        (IncompleteRead(b"half"), "the connection broke off"),
        (HTTPError("http://x", 404, "Not Found", {}, None), "it answered 404 Not Found"),
    ],
)
def test_each_failure_of_the_network_is_one_plain_sentence_and_leaves_no_folder(workspace, monkeypatch, error, said):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr("urllib.request.urlopen", fails)
    with pytest.raises(DatasetError) as caught:
        download.fetch("cifar10", workspace)
    sentence = str(caught.value)
    assert said in sentence and not any(raw in sentence for raw in "<>[]") and "Errno" not in sentence
    assert not workspace.data.exists() or list(workspace.data.iterdir()) == []
    assert "Errno" not in str(network_reason(error))


def context(workspace, env, language="en"):
    made = hosting(env=env)
    people = People(workspace, shared=made.limits.public, host_password=made.host_password)
    return SimpleNamespace(
        translate=Translator(language), run_cache=RunCache(workspace), limits=made.limits, people=people, host=made
    )


def asking(context):
    return by_name(fetch_dataset.server_functions(context))


def test_the_page_begins_watches_and_stops(workspace, monkeypatch):
    with mirror({CIFAR_ARCHIVE: bytes(30_000_000)}, slow=True) as url:
        monkeypatch.setenv("IMGCLS_DATA_MIRROR", url)
        ask = asking(context(workspace, {}))
        cifar10 = {"dataset": "cifar10"}
        assert "not here yet" in ask["fetch_look"](cifar10)["html"]
        ask["fetch_look"]({**cifar10, "start": True})
        end = time.monotonic() + 20
        while "of 30.0 MB" not in (seen := ask["fetch_look"](cifar10))["html"]:
            assert seen["state"] == "running" and time.monotonic() < end
            time.sleep(0.1)
        ask["fetch_stop"](cifar10)
        while downloads.status("cifar10", workspace).state == "running":
            assert time.monotonic() < end
            time.sleep(0.1)
        assert "nothing of it was kept" in ask["fetch_look"](cifar10)["html"]
    assert files_of(workspace) == []


SHARED = {"IMGCLS_HOST": "0.0.0.0"}


def test_visitors_of_a_shared_lab_fetch_where_its_host_lets_them(workspace, monkeypatch):
    monkeypatch.setattr(downloads, "start", lambda name, _: started.append(name))
    started, asked = [], {"dataset": "cifar10", "start": True}
    shared = context(workspace, SHARED | {"IMGCLS_HOST_PASSWORD": "p"})
    look = asking(shared)["fetch_look"]
    assert "python -m imgcls fetch cifar10" in look(asked)["error"] and not started
    assert "<button" not in look({"dataset": "cifar10"})["html"]
    shared.people.visitor = lambda _: SimpleNamespace(host=True)
    assert "<button" in look(asked)["html"] and started == ["cifar10"]
    assert "error" not in asking(context(workspace, SHARED | {"IMGCLS_FETCH": "yes"}))["fetch_look"](asked)
    assert started == ["cifar10"] * 2
    with pytest.raises(SettingsError, match="IMGCLS_FETCH is perhaps"):
        hosting(env={"IMGCLS_FETCH": "perhaps"})


@pytest.mark.parametrize("dataset", ["mnist", "../x", "", "http://127.0.0.1:1/x", "mnist+cifar10", None, ["cifar10"]])
def test_nothing_else_is_fetched(workspace, dataset):
    ask = asking(context(workspace, {}))
    assert ask["fetch_look"]({"dataset": dataset, "start": True}) == {"state": "here", "html": ""}
    assert "error" in ask["fetch_look"](None)


def test_lists_mark_what_is_not_here(workspace):
    listed = dict((name, title) for title, name in settings_form.dataset_choices(Translator("en"), workspace))
    assert listed["cifar10"] == "CIFAR-10 · not here yet" and listed["mnist"] == "MNIST"
    before = RunCache(workspace).version()
    for file in (file for files in CIFAR_FILES.values() for file in files):
        (workspace.data / "cifar-10-batches-bin").mkdir(parents=True, exist_ok=True)
        (workspace.data / "cifar-10-batches-bin" / file).touch()
    assert ("CIFAR-10", "cifar10") in settings_form.dataset_choices(Translator("en"), workspace)
    assert RunCache(workspace).version() != before  # every open page is told
