"""Where memory does not suffice a run takes fewer images at a time, and each step learns from as many as before."""

import json
import subprocess
import sys

import pytest
import torch
from torch import nn

from imgcls.data.datasets import DataSet
from imgcls.data.splitting import Split
from imgcls.models.lenet import LeNet
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.runs.lifecycle import create_run, prepare_resume
from imgcls.runs.reader import view
from imgcls.runs.worker import work
from imgcls.training import events
from imgcls.training.device import DeviceContext, choose_device
from imgcls.training.learner import make_learner
from imgcls.training.out_of_memory import fewest, is_out_of_memory
from imgcls.training.train_step import TrainStep

SMALL = {
    "dataset": "few-digits", "train_images": 600, "val_split": 200, "epochs": 2, "batch_size": 64, "threads": 1,
    "device": "cpu", "keep_epochs": False, "schedule": "constant", "lr": 0.01,
}  # fmt: skip
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried to ...")


pytestmark = pytest.mark.usefixtures("few_digits")


@pytest.mark.parametrize("error", [CPU, MemoryError(), torch.OutOfMemoryError("CUDA out of memory."),
                                   RuntimeError("std::bad_alloc")])  # fmt: skip
def test_what_allocators_say_is_understood(error):
    assert is_out_of_memory(error) and not is_out_of_memory(RuntimeError("shapes do not match"))


def test_parts_add_up_to_the_step_of_the_whole_batch():
    made = []
    for parts in (1, 3):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        step = TrainStep(model, torch.optim.SGD(model.parameters(), lr=0.5), DeviceContext(torch.device("cpu"), None),
                         parts=parts)  # fmt: skip
        for _ in range(3):
            step(torch.randn(10, 4), torch.randint(3, (10,)))
        made.append((step.seen.take(step.context), torch.cat([p.flatten() for p in model.parameters()])))
    (one, weights), (other, others) = made
    assert one == pytest.approx(other, rel=1e-5) and torch.allclose(weights, others, atol=1e-6)
    assert fewest(model) == 1 and fewest(nn.BatchNorm2d(3)) == 2


@pytest.mark.parametrize(("batch_size", "accumulate", "at_once"),
                         [(32, 1, 100), (32, 4, 64), (8192, 256, 32), (8192, 2, 100), (256, 1024, 1)])  # fmt: skip
def test_validation_takes_as_many_images_at_once_as_learning_does(
    batch_size, accumulate, at_once, workspace, monkeypatch
):
    """Of 100; a small batch in one part says nothing of memory."""
    settings = with_recipe({**SMALL, "batch_size": batch_size, "accumulate": accumulate})
    form = preprocess_for(settings)
    images = torch.zeros(100, form.channels, form.size, form.size, dtype=torch.uint8)
    split = Split(images, torch.zeros(100, dtype=torch.int64))
    data = DataSet("zeros", tuple("0123456789"), split, split, None, form)
    learner = make_learner(settings, data, workspace, choose_device(settings))
    sizes, forward = [], LeNet.forward
    monkeypatch.setattr(LeNet, "forward", lambda net, inputs: sizes.append(len(inputs)) or forward(net, inputs))
    learner.validate()
    assert max(sizes) == at_once


def short_of_memory(monkeypatch, most, *, from_step=0):
    """More than `most` images at a time do not fit, once so many steps were done."""
    whole, done = nn.Module.__call__, []

    def call(module, inputs, *rest, **named):
        if type(module).__name__ == "LeNet" and module.training and torch.is_grad_enabled():
            if len(done) >= from_step and len(inputs) > most:
                raise CPU
            done.append(len(inputs))
        return whole(module, inputs, *rest, **named)

    monkeypatch.setattr(nn.Module, "__call__", call)
    return done


def test_a_run_halves_its_batch_goes_on_and_says_so(workspace, monkeypatch):
    plain = create_run(with_recipe({**SMALL, "name": "plain"}), workspace)
    work(plain)
    done = short_of_memory(monkeypatch, 20)
    run = create_run(with_recipe({**SMALL, "name": "r"}), workspace)
    assert isinstance(work(run), events.Finished)
    seen = view(run)
    notes = [str(event.message) for event in seen.log if getattr(event, "code", "") == "out_of_memory"]
    assert (
        notes[-1].startswith("not enough memory for 32 images at a time: from step 0") and "takes 16 at a" in notes[-1]
    )
    assert max(done) == 16 and seen.exact_until == 0
    assert [e.epoch for e in seen.epochs] == [1, 2] and seen.started.total_steps == view(plain).started.total_steps
    assert seen.epochs[-1].train_loss == pytest.approx(view(plain).epochs[-1].train_loss, rel=1e-2)


def test_what_it_had_to_do_it_does_after_a_stop_as_well(workspace, monkeypatch):
    run = create_run(with_recipe({**SMALL, "epochs": 50, "name": "r"}), workspace)
    done = short_of_memory(monkeypatch, 40, from_step=15)
    asked = []

    def stop(event):
        if isinstance(event, events.EpochEnded) and event.epoch == 3 and not asked:
            asked.append(event)
            run.ask_to_stop()

    assert isinstance(work(run, loggers=[stop]), events.Stopped)
    assert max(done[-5:]) == 32  # it was saved after the first epoch, and went on from there
    done.clear()
    asked.clear()
    prepare_resume(run)

    def stop_soon(event):
        if isinstance(event, events.Progress) and not asked:
            asked.append(event)
            run.ask_to_stop()

    work(run, loggers=[stop_soon], resume=True)
    assert done and max(done) == 32


def test_where_nothing_is_left_to_halve_it_gives_advice(workspace, monkeypatch):
    short_of_memory(monkeypatch, 0)
    run = create_run(with_recipe({**SMALL, "batch_size": 4, "name": "r"}), workspace)
    last = work(run)
    assert isinstance(last, events.Failed) and "even for 1 images at a time" in str(last.message)


CHILD = """
import json, resource, sys
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run
from imgcls.runs.worker import work
from imgcls.training import events
from imgcls.training.warmup import warm_up
from imgcls.workspace import Workspace

warm_up()
run = create_run(with_recipe(json.loads(sys.argv[1])), Workspace.from_environment())

limits = []

def limit(event):
    if isinstance(event, events.Started) and not limits:
        limits.append(event)
        pages = int(open("/proc/self/statm").read().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 160_000_000,) * 2)

last = work(run, loggers=[limit])
print(type(last).__name__, getattr(last, "message", ""))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_AS and /proc are Linux's")
def test_under_a_real_limit_on_memory_a_real_run_ends_well(workspace):
    asked = {**SMALL, "dataset": "mnist", "train_images": 4096, "batch_size": 4096, "epochs": 1, "name": "r"}
    made = subprocess.run([sys.executable, "-c", CHILD, json.dumps(asked)], capture_output=True, text=True, timeout=300)
    assert made.stdout.splitlines()[-1].startswith("Finished"), made.stdout + made.stderr
    from imgcls.runs.store import find_run

    log = view(find_run("r", workspace)).log
    assert any(getattr(event, "code", "") == "out_of_memory" for event in log)
