"""A sweep on a real Ray of two nodes on this machine, one of which is killed in the middle.

pip install imgcls[ray]; python -m pytest -m slow tests/test_ray.py
"""

import threading
import time

import pytest
from safetensors.torch import load_file

from imgcls.runs import ray_engine, sweep, sweep_result
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.sweep_request import plan
from imgcls.runs.worker import work

pytestmark = pytest.mark.slow

SMALL = {"dataset": "mnist", "model": "lenet", "train_images": 600, "val_split": 200, "epochs": 12, "batch_size": 8,
         "threads": 1, "device": "cpu", "keep_epochs": False, "schedule": "constant"}  # fmt: skip


@pytest.fixture
def cluster():
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


def test_a_node_is_killed_and_the_results_are_those_of_one_machine(workspace, cluster):
    other = cluster.add_node(num_cpus=2)
    asked = plan(SMALL, {"lr": [0.003, 0.01]}, (1, 2))
    one = sweep.create(asked, workspace, name="r")
    killed = []

    def kill():
        """Once something of the runs that train there has come back."""
        end = time.monotonic() + 240
        while time.monotonic() < end and not killed:
            if sum(one.run(trial).can_resume for trial in one.trials()) >= 2:
                cluster.remove_node(other, allow_graceful=False)
                killed.append(time.monotonic())
            time.sleep(0.05)

    threading.Thread(target=kill, daemon=True).start()
    told = []
    status = ""
    for status in ray_engine.follow(one, cluster.address, told.append):
        assert killed or status != "finished", "it was over before the node was killed"
    assert status == "finished" and killed and len(told) == 4
    found = sweep_result.result(one)
    assert [row.n for row in found.rows] == [2, 2]
    went_on = 0
    for trial in one.trials():
        run = one.run(trial)
        assert {"settings.json", "events.jsonl", "manifest.jsonl.gz"} <= {path.name for path in run.logs.iterdir()}
        seen = view(run)
        assert seen.ending.checkpoint == str(run.best) and [e.epoch for e in seen.epochs] == list(range(1, 13))
        went_on += seen.started.first_step > 0
        plain = create_run(one.settings(trial).model_copy(update={"name": f"plain-{trial.name}"}), workspace)
        work(plain)
        same, theirs = load_file(plain.best), load_file(run.best)
        assert all((same[name] == theirs[name]).all() for name in same)
        assert view(plain).best.val_accuracy == seen.best.val_accuracy
    assert went_on >= 1, "no run went on from its last save"
