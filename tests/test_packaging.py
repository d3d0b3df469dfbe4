"""The wheel: built, installed into an environment of its own, and used in an empty directory, as a stranger would."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.request
import zipfile
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

PROJECT = Path(__file__).resolve().parent.parent
MOST_BYTES = 30_000_000
PATIENCE = 180  # seconds until the server answers
SHORT = ("--epochs", "1", "--train-images", "500", "--device", "cpu", "--threads", "1")


def files(*folders):
    """Of the checkout, by name: what git ignores is left out."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *folders]
    said = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return [line for line in said.stdout.splitlines() if (PROJECT / line).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """By way of the source archive, as `python -m build` does."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, PROJECT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """The Python of an environment that has the wheel, and this one's packages for what the wheel needs."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    made = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    packages = next(folder.glob("[lL]ib/**/site-packages"))
    (packages / "needed.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})")
    pip = [sys.executable, "-m", "pip", "--python", made, "install", "--no-deps", "--no-index", wheel]
    subprocess.run(pip, check=True, capture_output=True)
    return made


@pytest.fixture(scope="module")
def package(python):
    """Where the package was installed, with every file's size and time."""
    folder = next(python.parent.parent.glob("[lL]ib/**/site-packages/imgcls"))
    return folder, contents(folder)


def contents(folder):
    found = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {p.relative_to(folder): (p.stat().st_size, p.stat().st_mtime_ns) for p in found}


@pytest.fixture
def imgcls(python, package, tmp_path):
    """(arguments) -> the finished process of the console script, in an empty directory."""
    script = shutil.which("imgcls", path=str(python.parent))
    environment = {k: v for k, v in os.environ.items() if k not in ("IMGCLS_HOME", "PYTHONPATH")}
    (tmp_path / "empty").mkdir()

    def run(*arguments, start=subprocess.run, **options):
        command = [script, *map(str, arguments)]
        return start(command, cwd=tmp_path / "empty", env=environment, text=True, **options)

    yield run
    folder, before = package
    assert contents(folder) == before, "something was written into the package"


def test_the_wheel_has_what_git_has_and_is_small(wheel):
    assert wheel.stat().st_size <= MOST_BYTES
    names = set(zipfile.ZipFile(wheel).namelist())
    shipped = {f"imgcls/shipped/{name}" for name in files("data", "weight", "checkpoints") if name[-3:] != ".py"}
    code = {name for name in files("imgcls") if name[-3:] != ".po"}
    assert shipped <= names and code <= names
    assert {name for name in names if ".dist-info" not in name} <= shipped | code


def test_the_metadata_say_what_it_needs(wheel):
    import imgcls

    archive = zipfile.ZipFile(wheel)
    said = archive.read(next(n for n in archive.namelist() if n.endswith("/METADATA"))).decode().splitlines()
    assert f"Version: {imgcls.__version__}" in said and "License-Expression: Apache-2.0" in said
    needs = {re.sub(r"\s", "", line[len("Requires-Dist: ") :]) for line in said if line.startswith("Requires-Dist")}
    assert ordered({n for n in needs if "extra" not in n}) == ordered(required("requirements.txt"))
    onnx = required("requirements-onnx.txt")
    for extra, wanted in (("onnx", onnx), ("dev", onnx | required("requirements-dev.txt"))):
        marked = {n.split(";")[0] for n in needs if f"extra=='{extra}'" in n.replace('"', "'")}
        assert ordered(marked) == ordered(wanted), extra


def required(file):
    lines = (re.sub(r"\s", "", line.split("#")[0]) for line in (PROJECT / file).read_text("utf-8").splitlines())
    return {line for line in lines if line and not line.startswith("-")}


def ordered(requirements):
    """The parts of a version's range have no order of their own, and quotes are of either kind."""
    names = (re.fullmatch(r"([\w.-]+)(\[.*\])?([^;]*)(;.*)?", one.replace("'", '"')) for one in requirements)
    return {(name[1], name[2], frozenset(name[3].split(",")), name[4]) for name in names}


def test_an_empty_directory_trains_and_predicts(imgcls, package, tmp_path):
    said = imgcls("train", *SHORT, "--name", "first", capture_output=True)
    assert said.returncode == 0, said.stderr
    here = tmp_path / "empty"
    assert said.stdout.splitlines()[-1] == str(here / "checkpoints" / "first" / "best.safetensors")
    assert (here / "train_logs" / "first" / "state.json").is_file()
    image = Image.new("L", (200, 200), "white")
    ImageDraw.Draw(image).line((100, 40, 100, 160), fill="black", width=16)
    image.save(here / "one.png")
    for checkpoint in ("first", "lenet-digits", "imagenet"):  # the last one's weights lie in weight/
        said = imgcls("predict", "--checkpoint", checkpoint, "--json", "one.png", capture_output=True)
        assert said.returncode == 0 and len(json.loads(said.stdout)["top"]) == 3, said.stderr
    said = imgcls("runs", "--json", capture_output=True)
    assert [run["name"] for run in json.loads(said.stdout)] == ["first"]


def test_an_empty_directory_serves_and_starts_a_run(imgcls, tmp_path):
    from gradio_client import Client

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with open(tmp_path / "server.txt", "w") as log:
        server = imgcls("serve", "--port", port, start=subprocess.Popen, stdout=log, stderr=log)
    try:
        answered(f"http://127.0.0.1:{port}/zh/", server)
        lab = Client(f"http://127.0.0.1:{port}", verbose=False)
        settings = {"epochs": 1, "train_images": 500, "threads": 1, "device": "cpu", "name": "served"}
        run = lab.predict(settings, api_name="/train")["run"]
        end = time.monotonic() + PATIENCE
        while (state := lab.predict(run, api_name="/run")["state"]) not in ("finished", "failed"):
            assert time.monotonic() < end, state
            time.sleep(0.5)
        assert state == "finished"
        assert (tmp_path / "empty" / "checkpoints" / "served" / "best.safetensors").is_file()
    finally:
        server.terminate()
        server.wait(30)


def answered(address, server):
    """Waits until the page is there, in Chinese, which needs the catalog, the templates and the scripts."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        assert server.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=5) as page:
                assert "识别" in page.read().decode()
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError("the server did not answer")
