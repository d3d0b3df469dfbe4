"""A run gets another name: its checkpoints come along, nothing else changes, and a kill at any moment leaves a run."""

import os

import pytest

from imgcls.checkpoints.store import find_checkpoint
from imgcls.errors import ImgclsError, RunError
from imgcls.recipes import with_recipe
from imgcls.runs.lifecycle import create_run, remove_workspace_leftovers
from imgcls.runs.reader import view
from imgcls.runs.renaming import INTENT
from imgcls.runs.state import change
from imgcls.runs.store import find_run, list_runs, rename_run
from imgcls.workspace import PROJECT


@pytest.fixture
def run(workspace):
    """Stopped, with a best checkpoint."""
    made = create_run(with_recipe({"name": "before", "epochs": 3}), workspace)
    change(workspace, made.logs, "stopped", process=None)
    made.checkpoints.mkdir(parents=True)
    shipped = PROJECT / "checkpoints" / "lenet-digits" / "best.safetensors"
    (made.checkpoints / "best.safetensors").write_bytes(shipped.read_bytes())
    return made


def whole(name, workspace):
    """Exactly one run, of that name, with all that it had."""
    assert [one.name for one in list_runs(workspace)] == [name]
    found = find_run(name, workspace)
    assert found.settings().name == name and found.settings().epochs == 3 and view(found).state == "stopped"
    assert find_checkpoint(f"{name}/best", workspace).run == name
    assert sorted(p.name for p in workspace.checkpoints.iterdir()) == [name]
    assert not list(workspace.train_logs.glob(f"*/{INTENT}"))


def test_a_run_at_rest_is_renamed_with_all_it_has(workspace, run):
    made = (run.logs / "settings.json").stat().st_mtime_ns
    assert rename_run(run, "nach-dem-Üben.2").name == "nach-dem-Üben.2"
    whole("nach-dem-Üben.2", workspace)
    assert (workspace.train_logs / "nach-dem-Üben.2" / "settings.json").stat().st_mtime_ns == made
    with pytest.raises(RunError):
        find_run("before", workspace)


@pytest.mark.parametrize(
    "name", ["", "..", "../x", "/etc/x", "a/b", "a\\b", "a\0b", ".hidden", "-x", "con", "x" * 81, "a b", "r\n", "a."]
)
def test_what_is_no_name_moves_nothing(workspace, run, name):
    with pytest.raises(ImgclsError, match="name"):
        rename_run(run, name)
    whole("before", workspace)


def test_a_name_that_is_there_is_kept_from_it(workspace, run):
    (workspace.checkpoints / "other").mkdir()
    for name in ("other", "lenet-digits", "before"):
        with pytest.raises(RunError, match="there already"):
            rename_run(run, name)
    (workspace.checkpoints / "other").rmdir()
    whole("before", workspace)


@pytest.mark.parametrize("state", ["running", "queued"])
def test_a_run_that_goes_on_or_waits_keeps_its_name(workspace, state):
    run = create_run(with_recipe({"name": "busy"}), workspace)
    change(workspace, run.logs, state)
    with pytest.raises(RunError, match="at rest"):
        rename_run(run, "other")
    assert find_run("busy", workspace) and not (workspace.train_logs / "other").exists()


def killed(run, moved):
    """As a process leaves it that is killed while it renames to "after", `moved` folders on."""
    (run.logs / INTENT).write_text("after")
    for folder in (run.checkpoints, run.logs)[:moved]:
        os.rename(folder, folder.with_name("after"))


@pytest.mark.parametrize("moved", [0, 1, 2])
@pytest.mark.parametrize("look", ["old", "new", "server"])
def test_a_kill_in_between_is_made_good_by_whoever_looks(workspace, run, moved, look):
    killed(run, moved)
    if look == "server" or (look == "old") == (moved == 2):  # there is nothing of that name to look at
        remove_workspace_leftovers(workspace)
    else:
        try:
            find_run("before" if look == "old" else "after", workspace)
        except RunError:
            assert look == "old"
    whole("after", workspace)


def test_a_name_that_went_to_another_run_meanwhile_is_not_taken_from_it(workspace, run):
    killed(run, 0)
    other = create_run(with_recipe({"name": "after"}), workspace)
    remove_workspace_leftovers(workspace)
    assert {one.name for one in list_runs(workspace)} == {"before", "after"}
    assert find_run("before", workspace).best.is_file() and not other.best.is_file()
