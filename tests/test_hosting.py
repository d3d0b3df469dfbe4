"""Limits, hosts and the password: what changes when others can reach the lab."""

import base64

import pytest

from imgcls.errors import RunError, SettingsError
from imgcls.recipes import with_recipe
from imgcls.runs import sweep
from imgcls.runs.lifecycle import create_run
from imgcls.runs.reader import view
from imgcls.runs.state import Owner, change
from imgcls.runs.sweep_request import again, plan
from imgcls.settings import TrainSettings
from imgcls.web.server.hosting import hosting


def test_this_computer_only_by_default():
    made = hosting(env={})
    assert (made.host, made.port, made.limits.public, made.password) == ("127.0.0.1", 7860, False, None)


@pytest.mark.parametrize("env", [{"IMGCLS_HOST": "0.0.0.0"}, {"SPACE_ID": "someone/lab"}])
def test_others_bring_limits(env, workspace):
    made = hosting(env=env)
    assert made.host == "0.0.0.0" and made.limits.public and "evil.example" not in made.allowed_hosts
    for asked in (
        {"epochs": 21},
        {"image_size": 256},
        {"dataset": "../secret"},
        {"dataset": "/etc"},
        {"augment_views": 64},
        {"model": "resnet18", "batch_size": 8192, "image_size": 96},
        {"model": "vgg19", "batch_size": 128, "image_size": 96},
        {"model": "resnet18", "dataset": "cifar10", "image_size": 256},
    ):
        with pytest.raises(SettingsError):
            made.limits.check(TrainSettings(**asked))
    assert made.limits.check(TrainSettings()).time_limit == 15
    made.limits.check(TrainSettings(model="resnet18", batch_size=128, image_size=96))
    assert made.limits.check(TrainSettings(time_limit=5)).time_limit == 5


@pytest.mark.parametrize(
    "env", [{"IMGCLS_TRUSTED_PROXY": "127.0.0.1"}, {"IMGCLS_ALLOWED_HOSTS": "lab.example.org"}, {"SPACE_ID": "x/y"}]
)
def test_a_lab_behind_a_proxy_is_shared_wherever_it_listens(env):
    assert hosting("127.0.0.1", env=env).limits.public


def test_no_way_to_a_sweep_passes_the_limits_of_a_shared_lab(workspace, monkeypatch):
    monkeypatch.setattr(sweep, "push", lambda _: None)
    shared, base = hosting(env={"SPACE_ID": "x/y"}).limits, {"dataset": "mnist", "model": "lenet"}

    def minutes(name, **said):
        one = shared.start_sweep(plan(base | said, {"lr": [0.05, 0.1]}, [1]), workspace, name=name)
        return {one.settings(trial).time_limit for trial in one.trials()}

    assert [minutes("none"), minutes("more", time_limit=600), minutes("less", time_limit=5)] == [{15.0}, {15.0}, {5.0}]
    for values in ([0, 5], [5, 600]):
        with pytest.raises(SettingsError, match="at most 15 minutes"):
            shared.start_sweep(plan(base, {"time_limit": values}, [1]), workspace, name="varied")
    # More seeds of one that is there count with those that it has.
    for seed in range(2, 13):
        one = shared.start_sweep(again(sweep.find("none", workspace).request(), {}, {}, [seed]), workspace, name="none")
    assert len(one.trials()) == 24
    with pytest.raises(SettingsError, match="26 runs"):
        shared.start_sweep(again(one.request(), {}, {}, [13]), workspace, name="none")
    assert len(one.trials()) == 24


def test_who_asks_what_somebody_else_asks_has_a_sweep_of_their_own(workspace, monkeypatch):
    monkeypatch.setattr(sweep, "push", lambda _: None)
    shared = hosting(env={"SPACE_ID": "x/y"}).limits
    asked = plan({"dataset": "mnist", "model": "lenet"}, {"lr": [0.05, 0.1]}, [1])
    ann, ben = (shared.start_sweep(asked, workspace, owner=Owner(who, who)) for who in ("ann", "ben"))
    assert ann.name != ben.name and shared.start_sweep(asked, workspace, owner=Owner("ann")).name == ann.name
    assert [one.request().owner.id for one in (ann, ben)] == ["ann", "ben"]


def test_a_bad_port_is_a_sentence():
    with pytest.raises(SettingsError, match="IMGCLS_PORT is x"):
        hosting(env={"IMGCLS_PORT": "x"})


def test_the_password_is_asked_for(workspace):
    from starlette.testclient import TestClient

    from imgcls.web.app import create_app

    made = hosting(env={"IMGCLS_PASSWORD": "tell nobody"})
    client = TestClient(create_app(made, workspace), base_url="http://127.0.0.1:7860")
    assert client.get("/en/").status_code == 401
    for word, status in (("tell nobody", 200), ("guess", 401)):
        head = {"Authorization": "Basic " + base64.b64encode(f"me:{word}".encode()).decode()}
        assert client.get("/en/", headers=head).status_code == status
    assert client.get("/en/", headers={"Host": "evil.example"}).status_code == 400


def test_in_a_shared_lab_nothing_is_deleted_and_one_run_goes_on_at_a_time(workspace):
    shared = hosting(env={"SPACE_ID": "x/y"}).limits
    with pytest.raises(RunError, match="nothing is deleted"):
        shared.may_delete()
    settings = with_recipe({"dataset": "mnist"})
    create_run(shared.check(settings), workspace)  # its process is this one
    run = shared.start(settings, workspace)
    stopped = create_run(with_recipe({"name": "stopped"}), workspace)
    change(workspace, stopped.logs, "stopped", process=None)
    stopped.checkpoints.mkdir(parents=True)
    (stopped.checkpoints / "resume.safetensors").write_bytes(b"")
    shared.resume(stopped)
    lab = shared.start_lab(settings, ["default", "too-small"], workspace)
    assert [view(run).state, view(stopped).state, lab.state()] == ["queued"] * 3
    assert run.settings().time_limit == stopped.settings().time_limit == 15 and lab.settings.time_limit == 7.5


def test_on_ones_own_computer_the_fifth_run_is_refused(workspace):
    alone = hosting(env={}).limits
    for _ in range(4):
        create_run(with_recipe({}), workspace)
    with pytest.raises(RunError, match="4 runs going on"):
        alone.start(with_recipe({}), workspace)


@pytest.mark.parametrize(
    ("env", "public"),
    [
        ({"IMGCLS_ALLOWED_HOSTS": "lab.example.org"}, True),
        ({"IMGCLS_ALLOWED_HOSTS": "localhost, lab.example.org"}, True),
        ({"IMGCLS_ALLOWED_HOSTS": "*"}, True),
        ({"IMGCLS_ALLOWED_HOSTS": "localhost,127.0.0.1,[::1]"}, False),
        ({"IMGCLS_HOST": "192.168.1.7"}, True),
    ],
)
def test_a_foreign_name_means_that_others_come(env, public):
    made = hosting(env=env)
    assert made.limits.public is public and made.limits.runs_at_once == (1 if public else 4)


def test_how_many_run_at_once_can_be_said():
    assert hosting(env={"SPACE_ID": "x/y", "IMGCLS_RUNS_AT_ONCE": "3"}).limits.runs_at_once == 3
    with pytest.raises(SettingsError, match="IMGCLS_RUNS_AT_ONCE is many"):
        hosting(env={"IMGCLS_RUNS_AT_ONCE": "many"})
    assert hosting(env={"IMGCLS_HOST_PASSWORD": "mine"}).host_password == "mine"
