"""Sweeps: which runs, what they find, and that they are ordinary runs that survive whoever is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
from asking import by_name
from safetensors.torch import load_file

import imgcls
from imgcls.cli.main import main
from imgcls.errors import RunError, SettingsError
from imgcls.inference.significance import mean_and_spread, paired_mean_interval, student_quantile
from imgcls.runs import search, sweep, sweep_result
from imgcls.runs.lifecycle import create_run
from imgcls.runs.queue import waiting
from imgcls.runs.reader import view
from imgcls.runs.state import locked, write_state
from imgcls.runs.store import delete_run, find_run, list_runs, rename_run, running
from imgcls.runs.sweep_request import Request, again, plan
from imgcls.runs.worker import work

SMALL = {
    "dataset": "few-digits", "model": "lenet", "train_images": 600, "val_split": 200, "epochs": 1, "batch_size": 32,
    "threads": 1, "device": "cpu", "keep_epochs": False,
}  # fmt: skip
FLAGS = [f"--{name.replace('_', '-')}={str(value).lower()}" for name, value in SMALL.items()]


pytestmark = pytest.mark.usefixtures("few_digits")


def made(workspace, vary, seeds=(1,), name="s", base=SMALL, **more):
    return sweep.create(plan(base, vary, seeds, jobs=more.pop("jobs", 1), **more), workspace, name=name)


def worked_here(one):
    """All that is left, in this process, one after the other."""
    first = next((run for run in (one.run(t) for t in one.trials()) if not run.logs.exists()), None)
    following = sweep.advance(one, after=[first or one.run(one.trials()[0])])
    if following:
        sweep.work(following[0], resume=following[1])
    return sweep_result.result(one)


def accuracies(found):
    return {name: [one.accuracy for one in row.measured] for name, row in ((str(r.combination), r) for r in found.rows)}


# Which combinations, and how far each.


def test_a_grid_is_every_combination_in_the_order_said_and_more_trials_keep_those_that_were():
    factors = {"lr": (0.01, 0.1), "init": ("default", "too-small")}
    grid = search.combinations(factors, 0)
    assert [tuple(one.values()) for one in grid] == [
        (0.01, "default"), (0.01, "too-small"), (0.1, "default"), (0.1, "too-small")
    ]  # fmt: skip
    drawn = search.combinations({"lr": search.Range(0.001, 0.1), "epochs": search.Range(1, 3)}, 5)
    assert search.combinations({"lr": search.Range(0.001, 0.1), "epochs": search.Range(1, 3)}, 9, drawn)[:5] == drawn
    assert all(0.001 <= one["lr"] <= 0.1 and one["epochs"] in (1, 2, 3) for one in drawn)
    assert len({search.key(one) for one in drawn}) == 5
    ends = search.combinations({"ema": search.Range(0.99, 0.9999)}, 200)
    assert all(0.99 <= one["ema"] <= 0.9999 for one in ends)  # rounded to three digits, some are 1.0
    assert len(search.combinations(factors, 50)) == 4  # there are no more


def test_halving_keeps_the_better_third_and_trains_it_three_times_as_far():
    shares = search.shares("successive-halving", 9, 9)
    assert [search.until(share, 9) for share in shares] == [1, 3, 0]
    assert search.shares("successive-halving", 2, 9) == [1.0] == search.shares("grid", 9, 9)
    combinations = [{"lr": float(i)} for i in range(9)]
    at = {1 / 9: True, 1 / 3: False}
    score = lambda one, share: one["lr"] / 10 if at[share] else None  # noqa: E731
    assert search.survivors(combinations, shares, score) == ([6, 7, 8], shares[1])
    at[1 / 3] = True
    assert search.survivors(combinations, shares, score) == ([8], 1.0)


def test_spread_and_intervals_are_those_of_the_tables():
    assert mean_and_spread([0.9, 0.92, 0.94]) == (pytest.approx(0.92), pytest.approx(0.02))
    assert mean_and_spread([0.9]) == (0.9, None) and mean_and_spread([]) == (None, None)
    for degrees, level, t in ((1, 0.05, 12.7062), (2, 0.05, 4.30265), (9, 0.05, 2.26216), (4, 0.01, 4.60409)):
        assert student_quantile(degrees, level) == pytest.approx(t, rel=1e-4)
    assert paired_mean_interval([0.1]) is None
    low, high = paired_mean_interval([0.1, 0.2, 0.3])
    assert (low, high) == (pytest.approx(-0.048414, abs=1e-5), pytest.approx(0.448414, abs=1e-5))


def rows(figures):
    """{(lr, init): [accuracy of seed 1, of seed 2, ...]}"""
    return [
        sweep_result.Row(
            {"lr": lr, "init": init},
            tuple(
                sweep_result.Measured(sweep.Trial({}, seed, ""), accuracy, 1) for seed, accuracy in enumerate(found, 1)
            ),
        )
        for (lr, init), found in figures.items()
    ]


def test_whether_a_setting_matters_is_said_where_the_others_are_best_over_the_same_seeds():
    found = rows({
        (0.01, "a"): [0.80, 0.90, 0.85], (0.1, "a"): [0.85, 0.95, 0.91],
        (0.01, "b"): [0.81, 0.89, 0.86], (0.1, "b"): [0.85, 0.96, 0.90],
    })  # fmt: skip
    # Between seeds accuracies differ by ten points; within each, the learning rates by five or six.
    assert str(sweep_result.effect(found, "lr", [0.01, 0.1])).startswith("lr matters: with init a, 0.1 is 5.")
    assert "no difference shown" in str(sweep_result.effect(found, "init", ["a", "b"]))
    apart = rows({(0.01, "a"): [0.8, 0.5], (0.1, "a"): [0.9, 0.9]})  # differ by 10 and by 40 points
    assert "2 seeds are too few" in str(sweep_result.effect(apart, "lr", [0.01, 0.1]))
    alone = rows({(0.01, "a"): [0.8], (0.1, "a"): [0.9]})
    assert "more seeds would tell" in str(sweep_result.effect(alone, "lr", [0.01, 0.1]))
    # A run that failed takes its partner out, not the whole comparison.
    found[2].measured[0].__dict__["accuracy"] = None
    assert "3 seeds" in str(sweep_result.effect(found, "lr", [0.01, 0.1]))
    found[0].measured[0].__dict__["accuracy"] = None
    assert "2 seeds" in str(sweep_result.effect(found, "lr", [0.01, 0.1]))


def test_runs_that_a_halving_ended_early_are_not_compared_with_those_that_went_on():
    def row(lr, epochs, rests, *accuracies):
        trials = enumerate(accuracies, 1)
        return sweep_result.Row(
            {"lr": lr},
            tuple(sweep_result.Measured(sweep.Trial({}, seed, ""), a, epochs, None, rests) for seed, a in trials),
        )

    best, out, also_out = row(0.1, 9, False, 0.96, 0.97), row(0.01, 1, True, 0.88, 0.89), row(0.2, 1, True, 0.90, 0.91)
    assert "trained as long" in str(sweep_result.effect([best, out], "lr", [0.1, 0.01]))
    said = str(sweep_result.effect([best, out, also_out], "lr", [0.1, 0.01, 0.2]))
    assert "0.2" in said and "2.00 points" in said and "8." not in said
    # Patience ends one run sooner than another, and both are done.
    assert "8.00 points" in str(sweep_result.effect([best, row(0.01, 5, False, 0.88, 0.89)], "lr", [0.1, 0.01]))


RUINED = {  # two learning rates with which nothing learns, however it begins
    (lr, init): [guess + (gain if lr == 0.03 and init == "kaiming-uniform" else 0) for guess, gain in
                 ((0.111, 0.61), (0.098, 0.67), (0.113, 0.72))]
    for lr in (0.003, 0.03, 1) for init in ("kaiming-uniform", "too-small", "all-zeros")
}  # fmt: skip


def test_settings_that_ruin_everything_do_not_hide_what_matters_at_the_best_ones():
    found = rows(RUINED)
    said = str(sweep_result.effect(found, "init", ["kaiming-uniform", "too-small", "all-zeros"]))
    assert said.startswith("init matters: with lr 0.03, kaiming-uniform is 66.67 points better than too-small (95 %:")
    assert "depends on the other settings: with lr 0.003 the same difference is 0.00 points" in said
    assert "with init kaiming-uniform, 0.03 is 66.67" in str(sweep_result.effect(found, "lr", [0.003, 0.03, 1]))


def test_while_runs_are_missing_nothing_is_concluded():
    found = rows(RUINED)
    request = Request({"dataset": "mnist"}, {"lr": (0.003, 0.03, 1), "init": ("kaiming-uniform", "too-small")},
                      (1, 2, 3, 4), combinations=[row.combination for row in found])  # fmt: skip
    for status, concluded in (("running", False), ("stopped", False), ("finished", True)):
        said = [str(one) for one in sweep_result.Result("s", request, status, tuple(found)).effects()]
        assert all(("matters" in one) is concluded and ("so far" in one) is not concluded for one in said)
        assert all("with " in one for one in said)


# What cannot work is refused in one sentence, before anything is there.


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--vary", "lr=0.1,fast"], "--lr is fast, but must be a number"),
        (["--vary", "lr=0.1,200"], "--lr is 200, but must be"),
        (["--vary", "speed=1,2"], "There is no setting 'speed'"),
        (["--vary", "lr"], "is written like lr=0.01,0.1"),
        (["--vary", "seed=1,2"], "--seeds"),
        (["--vary", "optimizer=sgd,nothing"], "nothing"),
        (["--vary", "lr=0.1,0.2", "--lr=0.1"], "said twice"),
        (["--vary", "lr=0.1,0.2", "--seeds", "1,x"], "--seed is x"),
        (["--vary", "lr=0.1,0.2", "--search", "clever"], "must be one of grid, random"),
        (["--vary", "lr=0.1,0.2", "--search", "random"], "--trials"),
        (["--vary", "lr=0.1,0.2", "--trials", "3"], "tries every combination"),
        (["--vary", "lr=0.1..0.2"], "is a range"),
        (["--vary", "lr=0.1,0.2", "--name", "n" * 70], "longer than 60"),
        (["--vary", "step_epochs=" + ",".join(map(str, range(1, 600)))], "at the most"),
        (["--vary", "warmup_epochs=0,5"], "must be below"),
        (["--vary", "image_size=8,28"], "8"),
        ([], "Name a setting that varies"),
        (["--resume", "nothing"], "There is no sweep 'nothing'"),
        (["--vary", "lr=0.1,0.2", "--nonsense"], "there is no --nonsense"),
    ],
)
def test_a_wrong_word_is_refused_before_anything_starts(workspace, capsys, flags, said):
    try:
        code = main(["sweep", *FLAGS, *flags])
    except SystemExit as error:
        code = error.code
    assert code == 2
    told = capsys.readouterr().err
    assert said in told and len(told.strip().splitlines()) <= 2
    assert not workspace.train_logs.exists() or not [p for p in workspace.train_logs.iterdir() if p.is_dir()]


def test_without_ray_the_engine_says_how_to_get_it_and_nothing_is_made(workspace, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["sweep", *FLAGS, "--vary", "lr=0.1,0.2", "--engine", "ray"]) == 2
    assert "pip install imgcls[ray]" in capsys.readouterr().err and not sweep.list_sweeps(workspace)


# Its runs are ordinary ones.


def test_runs_are_those_that_train_would_have_made_and_name_their_parent(workspace):
    one = made(workspace, {"lr": [0.05, 0.1], "init": ["kaiming-uniform"]}, seeds=(1, 2))
    found = worked_here(one)
    assert found.status == "finished" and found.done == found.total == 4
    assert [row.as_dict()["runs"] for row in found.rows] == [
        ["s_0.05_kaiming-uniform_s1", "s_0.05_kaiming-uniform_s2"],
        ["s_0.1_kaiming-uniform_s1", "s_0.1_kaiming-uniform_s2"],
    ]
    run = find_run("s_0.1_kaiming-uniform_s2", workspace)
    plain = create_run(run.settings().model_copy(update={"name": "plain"}), workspace)
    work(plain)
    weights, others = load_file(run.best), load_file(plain.best)
    assert weights.keys() == others.keys() and all((weights[name] == others[name]).all() for name in weights)
    assert run.read_state().parent == "s" and not plain.read_state().parent
    with pytest.raises(RunError, match="belongs to the sweep s"):
        rename_run(run, "other")
    # Asked again it has nothing to do; with more seeds it does those alone.
    before = {r.name: r.read_state().id for r in list_runs(workspace)}
    assert sweep.create(plan(SMALL, {"lr": [0.05, 0.1], "init": ["kaiming-uniform"]}, (1, 2), jobs=1), workspace,
                        name="s").status() == "finished"  # fmt: skip
    sweep.create(again(one.request(), {}, {"lr": ["0.2"]}, ["2", "3"]), workspace, name="s")
    assert [t.name for t, _ in sweep.due(one, one.request())] == [
        f"s_{lr}_kaiming-uniform_s{seed}" for lr, seed in ((0.05, 3), (0.1, 3), (0.2, 1), (0.2, 2), (0.2, 3))
    ]
    assert before.items() <= {r.name: r.read_state().id for r in list_runs(workspace)}.items()
    # Another question is not the same sweep.
    for other in ({**SMALL, "epochs": 2}, SMALL):
        vary = {"lr": [0.1], "init": ["kaiming-uniform"]} if other is not SMALL else {"lr": [0.1]}
        with pytest.raises(SettingsError, match="another"):
            sweep.create(plan(other, vary, (1,)), workspace, name="s")
    with pytest.raises(RunError, match="there already"):
        made(workspace, {"lr": [0.1, 0.2]}, name="plain")
    # The library has the same figures, and a table for a notebook.
    offered = imgcls.Sweep("s")
    assert [row["n"] for row in offered.table] == [2, 2, 0] and offered.status == "interrupted"
    assert offered.best.model == "lenet" and len(offered.runs) == 4 and "lr" in offered.effects[0]
    assert "0.05" in offered._repr_html_() and "4 of 9 runs" in offered._repr_html_()
    assert main(["stop", "s"]) == 0 and offered.status == "stopped"
    offered.delete()
    assert [r.name for r in list_runs(workspace)] == ["plain"] and not one.folder.exists()


def test_halving_stops_the_worse_and_takes_the_better_to_the_end(workspace):
    base = {**SMALL, "epochs": 3, "schedule": "constant", "optimizer": "adam", "batch_size": 16}
    vary = {"lr": [1e-8, 3e-3, 1e-7]}
    one = made(workspace, vary, base=base, kind="successive-halving")
    found = worked_here(one)
    assert [row.epochs for row in found.rows] == [1, 3, 1] and found.status == "finished"
    assert found.best.combination == {"lr": 3e-3} and found.best_settings().lr == 3e-3
    states = [one.run(t).read_state().state for t in one.trials()]
    assert states == ["stopped", "finished", "stopped"]
    whole = create_run(one.settings(one.trials()[1]).model_copy(update={"name": "whole"}), workspace)
    work(whole)
    assert all((a == b).all() for a, b in zip(load_file(whole.best).values(),
               load_file(one.run(one.trials()[1]).best).values(), strict=True))  # fmt: skip


def test_a_run_that_diverges_is_a_result_and_one_that_is_stopped_alone_is_left_out(workspace):
    one = made(workspace, {"lr": [0.05, 0.1]}, base={**SMALL, "dataset": "mnist", "init": "too-large", "epochs": 2})
    first = sweep.advance(one, after=[one.run(one.trials()[0])])[0]
    sweep.work(
        first, loggers=[lambda event: first.ask_to_stop() if first.is_active() and not first.stop_requested() else 0]
    )
    assert first.read_state().state in ("stopped", "failed")
    if first.read_state().state == "stopped":
        assert one.request().left_out == (first.name,)
    second = one.run(one.trials()[1])
    assert second.read_state().state == "failed"
    found = sweep_result.result(one)
    assert found.rows[1].as_dict()["mean"] is None and found.rows[1].failed == 1 and found.best is None
    assert one.status() == "finished"
    sweep.create(again(one.request(), {}, {}, []), workspace, name="s")  # asked for again
    if first.read_state().state == "stopped":
        assert [t.name for t, _ in sweep.due(one, one.request())] == [first.name]


def test_in_a_lab_of_several_its_runs_wait_in_the_queue(workspace):
    other = create_run(plan(SMALL, {"lr": [0.1]}, (1,)) and sweep_result.with_recipe({**SMALL, "name": "other"}),
                       workspace)  # fmt: skip
    one = sweep.create(plan(SMALL, {"lr": [0.05, 0.1]}, (1,), jobs=1), workspace, name="s", at_once=1)
    sweep.advance(one)
    sweep.advance(one)
    assert [name for name, _ in waiting(workspace)] == ["s_0.05_s1"] and running(workspace) == ["other"]
    assert one.status() == "running"
    sweep.stop(one)
    assert not waiting(workspace) and one.status() == "stopped" and not one.run(one.trials()[0]).logs.exists()
    with locked(workspace):
        write_state(other.logs, other.read_state().to("finished", process=None))
    with pytest.raises(RunError, match="did you mean s_"):
        sweep.create(plan(SMALL, {"lr": [0.05, 0.1]}, (1,), jobs=1), workspace, name="s_0.1")
        sweep.find("s_0.2", workspace)


def test_a_process_that_is_always_killed_fails_its_run_in_the_end(workspace):
    one = made(workspace, {"lr": [0.1, 0.2]})
    run = one.run(one.trials()[0])
    for _ in range(sweep.MOST_KILLS + 1):
        sweep.advance(one, after=[run])
        if run.read_state().state != "failed":
            with locked(workspace):
                write_state(run.logs, run.read_state().to("running", process=None))
    assert run.read_state().state == "failed" and "ended from outside 3 times" in str(view(run).failure)
    assert [t.name for t, _ in sweep.due(one, one.request())] != [run.name]
    sweep.create(again(one.request(), {}, {}, []), workspace, name="s")
    assert run.name in [t.name for t, _ in sweep.due(one, one.request())]


# Real processes, killed.


def python(*arguments, **options):
    return subprocess.Popen([sys.executable, "-m", "imgcls", *arguments], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, **options)  # fmt: skip


def processes_of(workspace):
    found = []
    for state in (run.read_state() for run in list_runs(workspace)):
        if state and state.process and state.process.alive():
            found.append(state.process.pid)
    return found


def test_nothing_starts_the_runs_of_a_sweep_that_is_being_deleted(workspace, monkeypatch):
    one = made(workspace, {"lr": ["0.05"]})
    worked_here(one)
    asked_again = []

    def look_as_a_server_does(run):
        asked_again.extend(sweep.due(one, one.request()) if one.request().going else [])
        delete_run(run)

    monkeypatch.setattr(sweep, "delete_run", look_as_a_server_does)
    sweep.delete(one)
    assert asked_again == [] and not one.folder.exists() and list_runs(workspace) == []


def test_killed_anywhere_it_goes_on_to_the_same_results(workspace):
    command = ["sweep", *FLAGS, "--epochs=2", "--vary", "lr=0.05,0.1", "--seeds", "1,2", "--name", "k", "--json",
               "--jobs", "2"]  # fmt: skip
    chance = random.Random(0)
    said = ""
    for turn in range(4):
        waiter = python(*command)
        if turn < 3:
            end = time.monotonic() + 120
            while not processes_of(workspace) and waiter.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            time.sleep(chance.uniform(0.0, 6.0))
            # A run belongs to whoever starts it until its own process is there.
            victims = {*processes_of(workspace), waiter.pid} - ({waiter.pid} if turn == 1 else set())
            for pid in victims:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        if turn in (0, 2):
            waiter.communicate()
            continue
        said, told = waiter.communicate(timeout=300)  # killed under it, it starts them anew
        assert waiter.returncode == 0, told
    found = [json.loads(line) for line in said.splitlines()]
    assert [set(one) for one in found] == [{"settings", "n", "mean", "std", "runs"}] * 2
    assert [one["settings"] for one in found] == [{"lr": 0.05}, {"lr": 0.1}] and [one["n"] for one in found] == [2, 2]
    one = sweep.find("k", workspace)
    assert one.status() == "finished"
    for trial in one.trials():
        plain = create_run(one.settings(trial).model_copy(update={"name": f"plain-{trial.name}"}), workspace)
        work(plain)
        same, other = load_file(plain.best), load_file(one.run(trial).best)
        assert all((same[name] == other[name]).all() for name in same)
        assert view(plain).best.val_accuracy == view(one.run(trial)).best.val_accuracy
    assert not [run for run in list_runs(workspace) if run.is_active()]


def test_the_library_trains_a_sweep(workspace, capsys):
    said = {name: value for name, value in SMALL.items() if name != "dataset"}
    one = imgcls.sweep("few-digits", vary={"lr": [0.05]}, seeds=[1], name="lib", jobs=1, **said)
    assert [(row["settings"], row["n"]) for row in one.table] == [({"lr": 0.05}, 1)]
    assert "lr=0.05 seed 1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "typed", "values"),
    [
        ("init", "Kaiming uniform, Too small, N(0,\u00a01e\u20114)", "kaiming-uniform, too-small"),
        ("init", "too small, kaiming-normal", "too-small, kaiming-normal"),
        ("init", "全零、Kaiming 均匀", "all-zeros, kaiming-uniform"),
        ("optimizer", "SGD, AdamW", "sgd, adamw"),
        ("lr", "0.1, 0.2", "0.1, 0.2"),
        ("init", "nothing", "nothing"),
    ],
)
def test_the_page_takes_values_as_the_form_calls_them_in_both_languages(name, typed, values):
    from imgcls.web.sweeps.panel import internal_values

    assert internal_values(name, typed) == values


def test_the_page_asks_of_sweeps_beside_the_networks_answers(workspace):
    from imgcls.web.i18n.translator import Translator
    from imgcls.web.shared.limits import ALONE
    from imgcls.web.shared.work_gate import GATE
    from imgcls.web.sweeps.panel import server_functions

    lab = SimpleNamespace(workspace=workspace)
    context = SimpleNamespace(translate=Translator("en"), run_cache=lab, limits=ALONE, people=None)
    ask, before = by_name(server_functions(context), "sweep_"), dict(GATE.made)
    assert ask["list"]({}) == {"sweeps": []}
    assert all("error" in ask[name]({}) for name in ("start", "look", "stop", "go_on"))
    assert GATE.made["network"] == before["network"] and GATE.made["state"] == before["state"] + 3


def test_the_page_draws_a_plot_a_factor_and_a_line_a_combination():
    from imgcls.web.i18n.translator import Translator
    from imgcls.web.sweeps import result_view

    found = rows({(lr, init): [0.9 - lr, 0.91 - lr] for lr in (0.01, 0.1, 0.3) for init in ("a", "<b>")})
    request = Request({"dataset": "mnist"}, {"lr": (0.01, 0.1, 0.3), "init": ("a", "<b>")}, (1, 2),
                      combinations=[row.combination for row in found])  # fmt: skip
    seen = sweep_result.Result("s", request, "running", tuple(found))
    html = result_view.drawn(seen.__class__("s", request, "running", tuple(found[:0])), Translator("en"))
    assert "0 / 0" in html  # nothing yet
    plot = result_view.factor_plot(found, "lr", Translator("en"))
    assert [place["label"] for place in plot["places"]] == ["0.01", "0.1", "0.3"]
    assert plot["places"][0]["mean"] < plot["places"][2]["mean"]  # higher up is smaller
    lines = result_view.parallel(found, ["lr", "init"], Translator("zh"))["lines"]
    assert len(lines) == 6 and lines[-1]["share"] > lines[0]["share"]
    assert result_view.parallel(found, ["lr"], Translator("en")) is None
    # The figures along the axes are round ones, and what stands beside another has room.
    odd = rows({(lr, init): [0.0361 + lr, 0.05] for lr in (0.01, 0.5, 0.836) for init in ("too-small", "all-zeros")})
    plot = result_view.factor_plot(odd, "init", Translator("en"))
    assert [text for _, text in plot["ticks"]] == ["0%", "20%", "40%", "60%", "80%", "100%"]
    long = rows({(1, init): [0.5] for init in ("kaiming-uniform", "xavier-uniform", "kaiming-normal", "all-zeros")})
    labels = result_view.factor_plot(long, "init", Translator("en"))["places"]
    assert len({place["row"] for place in labels}) == 2 and labels[-1]["label"] == "All zeros"
