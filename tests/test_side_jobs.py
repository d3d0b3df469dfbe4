"""Work beside runs, in a process of its own: who asks how far it is never disturbs it, or anybody else who asks."""

import json
import os
import subprocess
import sys
import threading
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace

import pytest

from imgcls.errors import RunError
from imgcls.processes import ProcessId
from imgcls.runs import background_jobs
from imgcls.runs.background_jobs import Terms, prepare, status


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


def test_of_a_visitor_one_goes_on_at_a_time_and_not_for_ever(workspace, monkeypatch):
    monkeypatch.setattr(background_jobs, "launch", lambda *_, **__: os.getpid())
    jobs, one, other = background_jobs.jobs_folder("evaluations", workspace), Terms("a", 120.0), Terms("b", 120.0)
    begin = partial(background_jobs.start, request={}, command="x", workspace=workspace)
    for _ in range(2):  # whoever asks for the same finds it going on
        begin(jobs / "first", terms=one)
    with pytest.raises(RunError, match="from your address"):
        begin(jobs / "second", terms=one)
    begin(jobs / "third", terms=other)
    with pytest.raises(RunError, match="busy with 2"):
        begin(jobs / "fourth", terms=Terms("c", 120.0))

    now = [0.0]
    monkeypatch.setattr(background_jobs, "time", SimpleNamespace(monotonic=lambda: now[0]))
    seen = []

    def make(_, progress):
        for done in range(10):
            now[0] = 40.0 * done
            progress(done, 10)
            seen.append(done)

    assert background_jobs.run(jobs / "first", make) == 1 and seen == [0, 1, 2, 3]
    failed = status(jobs / "first", lambda: False)
    assert failed.state == "failed" and "2 minutes" in str(failed.message)
    assert background_jobs.run(prepare(jobs / "anybodys", {}), make) == 0


@pytest.mark.parametrize("written", ["", "7", '{"pid": 1}', '{"pid": "x", "began": 1}', '{"pid": 1, "began": null}'])
def test_what_names_no_process_is_none(job, written):
    (job / "process.json").write_text(written)
    assert status(job, lambda: False).state == "failed"
