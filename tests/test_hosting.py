"""Limits, hosts and the password: what changes when others can reach the lab."""

import base64

import pytest

from imgcls.errors import SettingsError
from imgcls.settings import TrainSettings
from imgcls.web.hosting import hosting


def test_this_computer_only_by_default():
    made = hosting(env={})
    assert (made.host, made.port, made.limits.public, made.password) == ("127.0.0.1", 7860, False, None)


@pytest.mark.parametrize("env", [{"IMGCLS_HOST": "0.0.0.0"}, {"SPACE_ID": "someone/lab"}])
def test_others_bring_limits(env, workspace):
    made = hosting(env=env)
    assert made.host == "0.0.0.0" and made.limits.public and "evil.example" not in made.allowed_hosts
    for asked in (
        {"epochs": 21},
        {"image_size": 224},
        {"dataset": "../secret"},
        {"dataset": "/etc"},
        {"model": "resnet18", "dataset": "cifar10"},
    ):
        with pytest.raises(SettingsError):
            made.limits.check(TrainSettings(**asked), workspace)
    assert made.limits.check(TrainSettings(), workspace).time_limit == 15
    assert made.limits.check(TrainSettings(time_limit=5), workspace).time_limit == 5


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


def test_in_a_shared_lab_nothing_is_deleted_and_one_run_starts_at_a_time(workspace):
    from imgcls.errors import RunError
    from imgcls.recipes import with_recipe
    from imgcls.runs.store import create_run

    shared = hosting(env={"SPACE_ID": "x/y"}).limits
    with pytest.raises(RunError, match="nothing is deleted"):
        shared.may_delete()
    settings = with_recipe({"dataset": "mnist"})
    create_run(shared.check(settings, workspace), workspace)  # made, its process still on its way
    with pytest.raises(RunError, match="1 runs going on"):
        shared.check(settings, workspace)
