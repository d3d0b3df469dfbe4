"""A run survives its surroundings: a logger that fails, a full disk, an encoding that lacks a character."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imgcls.messages import Message
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.worker import Loggers, work
from imgcls.training import events
from imgcls.training.loggers.console import PlainConsole
from imgcls.training.loggers.event_log import EventLog

PROJECT = Path(__file__).resolve().parent.parent
SMALL = {"train_images": 300, "val_split": 100, "epochs": 1, "batch_size": 32, "threads": 1, "device": "cpu"}
FLAGS = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]


def note(number):
    return events.Note(code=str(number), message=Message(str(number)))


class Heard(list):
    """A logger that remembers, and fails at the events of these codes."""

    def __init__(self, *failing):
        super().__init__()
        self.failing = failing

    def __call__(self, event):
        if event.code in self.failing:
            raise OSError(28, "No space left on device")
        self.append(event.code)


def test_one_that_fails_is_named_once_and_told_again():
    good, bad = Heard(), Heard("1", "2")
    with Loggers() as tell:
        tell.add(good)
        tell.add(bad)
        for number in range(5):
            tell(note(number))
    assert good == ["0", "1", "logger_failed", "2", "3", "4"]
    assert bad == ["0", "3", "logger_failed", "4"]  # it hears that it had failed, when it hears again


def test_one_that_cannot_be_made_is_named():
    good = Heard()
    with Loggers() as tell:
        tell.add(good)
        tell.open(EventLog, Path(os.devnull) / "folder")
        tell(note(1))
    assert good == ["logger_failed", "1"]


def test_what_a_full_disk_did_not_take_is_written_later(tmp_path):
    import resource

    with EventLog(tmp_path) as log:
        log(note(1))
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "events.jsonl").stat().st_size + 10, limits[1]))
        try:
            for number in (2, 3):
                with pytest.raises(OSError):
                    log(note(number))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        assert (tmp_path / "events.jsonl").read_bytes().count(b"\n") == 1  # no half line
        log(note(4))
    lines = (tmp_path / "events.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["1", "2", "3", "4"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full is Linux's")
def test_a_run_goes_on_where_its_log_cannot_be_written(workspace):
    run = create_run(with_recipe({**SMALL, "name": "r"}), workspace)
    run.events.unlink()
    run.events.symlink_to("/dev/full")  # never to be read: it does not end
    heard = []
    last = work(run, loggers=[heard.append])
    assert isinstance(last, events.Finished) and run.best.is_file() and run.read_state().state == "finished"
    assert failed(heard) == ["EventLog"]


def test_a_run_goes_on_where_the_terminal_is_gone(workspace):
    run = create_run(with_recipe({**SMALL, "name": "r"}), workspace)
    closed = io.StringIO()
    closed.close()
    assert isinstance(work(run, loggers=[PlainConsole(closed)]), events.Finished)
    assert view(run).state == "finished" and failed(view(run).log) == ["PlainConsole"]


def failed(told):
    """The loggers of which it was told that they had failed."""
    return [e.message.values["logger"] for e in told if isinstance(e, events.Note) and e.code == "logger_failed"]


def photos(folder, *classes):
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for photo in range(12):
            Image.new("RGB", (40, 40), (number * 200, photo * 9, 90)).save(folder / name / f"{photo}.png")


def test_a_terminal_that_lacks_a_character_ends_nothing(workspace):
    photos(workspace.data / "花", "红", "é")
    windows, plain = (os.environ | {"PYTHONIOENCODING": name, "PYTHONUTF8": "0"} for name in ("cp1252", "ascii"))
    train = ["train", "--dataset", "花", "--name", "r", *FLAGS, "--val-split", "4", "--train-images", "0"]
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", *train], cwd=PROJECT, env=windows, capture_output=True, timeout=600
    )
    assert said.returncode == 0, said.stderr.decode("cp1252")
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", "runs", "--json"], cwd=PROJECT, env=plain, capture_output=True
    )
    (row,) = json.loads(said.stdout.decode("ascii"))
    assert row["state"] == "finished" and row["settings"]["dataset"] == "花"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a file's name is always text")
def test_a_photo_whose_name_is_no_text_is_a_row_like_the_others(workspace, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in (b"a.png", b"ros\xe9.png", b"z.png"):
        with open(os.path.join(os.fsencode(folder), name), "wb") as file:
            Image.new("L", (28, 28), 0).save(file, "PNG")
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    said = subprocess.run(
        [sys.executable, "-m", "imgcls", "predict", "--checkpoint", "lenet-mnist", "--json", str(folder)],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
    )
    rows = said.stdout.decode().splitlines()
    assert len(rows) == 3 and b"Traceback" not in said.stderr
    assert [os.fsencode(json.loads(row)["path"]) for row in rows] == [
        os.fsencode(folder) + b"/" + name for name in (b"a.png", b"ros\xe9.png", b"z.png")
    ]


def test_an_event_with_half_a_character_is_a_line_that_everybody_can_read():
    line = events.to_line(events.Note(code="x", message=Message("{name}", name="ros\udce9")))
    assert events.from_line(line.encode("utf-8").decode("utf-8")).message.values["name"] == "ros\ufffd"
