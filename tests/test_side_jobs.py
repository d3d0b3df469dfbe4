"""Work beside runs, in a process of its own: who asks how far it is never disturbs it, or anybody else who asks."""

import json
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from imgcls.processes import ProcessId
from imgcls.runs import background_jobs
from imgcls.runs.background_jobs import prepare, status


@pytest.fixture
def job(workspace):
    return prepare(background_jobs.jobs_folder("evaluations", workspace) / "k", {"what": 1})


def its_process(job, process):
    (job / "process.json").write_text(json.dumps(asdict(ProcessId.of(process.pid))))


def test_who_ask_at_once_do_not_take_each_other_for_its_process(job):
    (job / "progress.json").write_text('{"done": 1, "total": 2}')
    said = []

    def ask():
        for _ in range(500):
            said.append(status(job, lambda: False).state)

    asking = [threading.Thread(target=ask) for _ in range(4)]
    for one in asking:
        one.start()
    for one in asking:
        one.join()
    assert set(said) == {"failed"}  # its process is gone: nobody works on it


def test_it_goes_on_as_long_as_its_process_and_no_longer(job):
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    its_process(job, process)
    (job / "progress.json").write_text('{"done": 3, "total": 7}')
    seen = status(job, lambda: False)
    assert (seen.state, seen.done, seen.total) == ("running", 3, 7)
    process.kill()
    process.wait()
    assert status(job, lambda: False).state == "failed"
    assert status(job, lambda: True).state == "finished"  # it had ended before


@pytest.mark.parametrize("written", ["", "7", '{"pid": 1}', '{"pid": "x", "began": 1}', '{"pid": 1, "began": null}'])
def test_what_names_no_process_is_none(job, written):
    (job / "process.json").write_text(written)
    assert status(job, lambda: False).state == "failed"
