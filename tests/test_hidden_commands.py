"""The commands that are not for people, each the process behind something that the page started: they do it whole."""

import argparse
import shutil

import pytest
from lenets import lenet
from photos import flowers
from safetensors.torch import save

from imgcls.cli.main import main
from imgcls.cli.parser import make_parser
from imgcls.models.lenet import LeNet
from imgcls.recipes import with_recipe
from imgcls.runs import background_jobs, init_lab, page_runs
from imgcls.runs.lifecycle import create_run

SMALL = {"dataset": "flowers", "model": "lenet", "epochs": 1, "threads": 1, "device": "cpu"}


def a_run(workspace):
    return "work", create_run(with_recipe({**SMALL, "name": "run"}), workspace).name


def a_lab(workspace):
    return "work-lab", init_lab.create_lab(with_recipe({**SMALL, "name": "lab"}), ["default"], workspace).name


def a_job(command, **asked):
    def prepared(workspace):
        folder = background_jobs.jobs_folder("tests", workspace) / command
        return command, str(background_jobs.prepare(folder, asked))

    return prepared


def an_evaluation(workspace):
    path = lenet(workspace, "net", settings={"dataset": "mnist", "train_images": 300, "val_split": 100})
    return a_job("work-evaluate", checkpoint=str(path), dataset="", part="val")(workspace)


def a_download(workspace):
    for file in workspace.shipped("data", "MNIST", "raw").glob("*.gz"):
        (workspace.data / "MNIST" / "raw").mkdir(parents=True, exist_ok=True)
        shutil.copy(file, workspace.data / "MNIST" / "raw")
    return a_job("work-fetch", name="mnist")(workspace)


def a_rate_test(workspace):
    return a_job("work-lr-find", **with_recipe(SMALL).model_dump())(workspace)


def a_browsers_network(workspace):
    """What *Keep in the lab* leaves to be measured."""
    page_runs.keep(
        save(LeNet().state_dict()), page_runs.PageRun("mnist", "lenet", 300, {}), tuple("0123456789"), workspace
    )
    return a_job("work-calibrate")(workspace)


JOBS = [
    a_browsers_network,
    a_run,
    a_lab,
    an_evaluation,
    a_job("work-audit", dataset="flowers"),
    a_download,
    a_rate_test,
]
GONE = [
    a_run,
    a_lab,
    a_job("work-evaluate", checkpoint="none", dataset="", part=""),
    a_job("work-audit", dataset="flowers"),
    a_job("work-fetch", name="nothing"),
]


@pytest.fixture
def lab(workspace):
    flowers(workspace.data / "flowers")
    return workspace


def test_each_of_them_is_tried_here(lab):
    subparsers = next(a for a in make_parser()._actions if isinstance(a, argparse._SubParsersAction))
    shown = {action.dest for action in subparsers._choices_actions}
    assert {make(lab)[0] for make in JOBS} == set(subparsers.choices) - shown - {"standby"}  # test_standby.py's


@pytest.mark.parametrize("make", JOBS)
def test_what_the_page_started_is_done(lab, make):
    assert main(make(lab)) == 0


@pytest.mark.parametrize("make", GONE)
def test_what_cannot_be_done_is_an_exit_code_not_a_traceback(lab, make):
    command = make(lab)
    shutil.rmtree(lab.data / "flowers")
    assert main(command) == 1
