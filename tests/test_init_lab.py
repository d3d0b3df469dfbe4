"""The initialisation lab: what each layer starts with, a run for each initialisation, stopped and found again."""

import json
import threading

import pytest

from imgcls.cli.main import main
from imgcls.errors import ImgclsError, RunError
from imgcls.recipes import with_recipe
from imgcls.runs import init_lab
from imgcls.runs.store import find_run, rename_run
from imgcls.training import events
from imgcls.training.layer_statistics import BINS, layer_statistics

SMALL = {"train_images": 600, "val_split": 200, "epochs": 1, "batch_size": 64, "threads": 1, "device": "cpu"}
FLAGS = [f"--{k.replace('_', '-')}={v}" for k, v in SMALL.items()]


def test_layers_show_why_one_fails(workspace):
    made = {
        init: layer_statistics(with_recipe({**SMALL, "init": init}), workspace)
        for init in ("kaiming-uniform", "too-small", "too-large")
    }
    assert [row.layer for row in made["too-small"]] == ["conv1", "conv2", "fc1", "fc2", "fc3"]
    assert all(0.1 < row.std < 10 for row in made["kaiming-uniform"])
    assert made["too-small"][-1].std < 1e-12 and made["too-large"][-1].std > 1e3
    assert made["too-small"][0].gradient < 1e-9 < made["kaiming-uniform"][0].gradient
    again = layer_statistics(with_recipe({**SMALL, "init": "too-small"}), workspace)
    assert again == made["too-small"]


def test_layers_say_what_they_hand_on_who_is_dead_and_how_far_a_step_goes(workspace):
    made = {
        init: layer_statistics(with_recipe({**SMALL, "init": init, "lr": 0.02}), workspace, steps=3)
        for init in ("kaiming-uniform", "all-zeros", "too-large")
    }
    sound = made["kaiming-uniform"]
    assert all(0.2 < row.std / row.given < 5 for row in sound)
    assert all(len(row.histogram) == BINS and sum(row.histogram) > 0 for row in sound)
    assert all(row.dead < 0.5 for row in sound[:-1]) and sound[-1].dead is None
    assert all(len(row.updates) == 3 and all(-6 < u < 0 for u in row.updates) for row in sound)
    # All zeros: nothing comes through, no weight but the last layer's bias has a gradient, nothing is ever told apart.
    assert [row.std for row in made["all-zeros"]] == [0.0] * 5
    assert [row.gradient for row in made["all-zeros"]] == [0.0] * 5
    assert all(row.dead == 1.0 for row in made["all-zeros"][:-1])
    assert made["too-large"][-1].std > 1000 * sound[-1].std


def test_a_lab_is_a_run_for_each_initialisation_on_the_same_batches(workspace, capsys):
    assert main(["init-lab", "--inits", "default,too-small", "--name", "lab", "--json", *FLAGS]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["runs"]["default"]["run"] == "lab-default" and said["state"] == "finished"
    assert said["runs"]["default"]["val_loss"] < said["runs"]["too-small"]["val_loss"]
    lab = init_lab.find_lab("lab", workspace)
    assert {find_run(f"lab-{init}", workspace).read_state().part_of for init in lab.inits} == {"lab"}
    with pytest.raises(RunError, match="belongs to a comparison of initialisations"):
        rename_run(find_run("lab-default", workspace), "mine")
    assert lab.state() == "finished" and list(lab.statistics()) == ["default", "too-small"]
    a, b = (find_run(f"lab-{i}", workspace).settings().model_dump() for i in lab.inits)
    assert {k for k in a if a[k] != b[k]} == {"init", "name"}
    init_lab.delete_lab(lab)
    assert [path.name for path in workspace.train_logs.iterdir()] == [".lock"] and not list(
        workspace.checkpoints.iterdir()
    )


@pytest.mark.parametrize(
    ("inits", "more"),
    [
        ([], {}),
        (["nothing"], {}),
        (["default"], {"transfer": "head", "weights": "imagenet", "model": "resnet18"}),
        (["default"], {"name": "n" * 70}),
        (["default"], {"dataset": "nowhere"}),
        (["default"], {"image_size": 8}),
    ],
)
def test_what_cannot_work_makes_nothing(workspace, inits, more):
    with pytest.raises(ImgclsError):
        init_lab.create_lab(with_recipe({**SMALL, **more}), inits, workspace)
    assert not workspace.train_logs.exists() or not list(workspace.train_logs.iterdir())


def test_the_command_names_what_is_wrong(workspace, capsys):
    assert main(["init-lab", "--inits", "default,nothing", *FLAGS]) == 2
    assert "inits is nothing, but must be some of default" in capsys.readouterr().err


def test_a_lab_can_be_stopped_and_its_name_is_taken(workspace):
    lab = init_lab.create_lab(
        with_recipe({**SMALL, "epochs": 500, "name": "long"}), ["default", "too-small"], workspace
    )
    with pytest.raises(ImgclsError, match="there already"):
        init_lab.create_lab(with_recipe({**SMALL, "name": "long"}), ["default"], workspace)
    seen = []

    def stop_soon(event):
        if isinstance(event, events.Progress) and not seen:
            seen.append(event)
            threading.Thread(target=lab.stop).start()

    ended = init_lab.work(lab, loggers=[stop_soon])
    assert list(ended) == ["default"] and isinstance(ended["default"], events.Stopped)
    assert lab.state() == "stopped" and find_run("long-default", workspace).can_resume


def test_a_lab_runs_in_a_process_of_its_own(workspace):
    import time

    lab = init_lab.start_lab(with_recipe({**SMALL, "name": "apart"}), ["default"], workspace)
    for _ in range(600):
        if lab.state() in ("finished", "failed", "interrupted"):
            break
        time.sleep(0.1)
    assert lab.state() == "finished" and lab.statistics()["default"]
    assert [made.name for made in init_lab.list_labs(workspace)] == ["apart"]
