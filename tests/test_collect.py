"""Collecting: photos into classes, kept through a restart, saved whole or not at all."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgcls.data import collect
from imgcls.data.collect import CollectLimits, Draft
from imgcls.data.image_folders import scan
from imgcls.errors import DatasetError
from imgcls.workspace import Workspace


def photo(colour="red", size=(40, 30)):
    return Image.new("RGB", size, colour)


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


@pytest.fixture
def draft(workspace):
    made = Draft.new(workspace)
    for name in ("猫", "dog"):
        made.add_class(name)
        for colour in ("red", "blue", "green"):
            made.add(name, photo(colour))
    return made


def test_what_was_collected_is_there_after_a_restart_and_becomes_a_data_set(draft, workspace):
    again = Draft(workspace, draft.token)
    assert again.classes() == {"猫": ["0001.jpg", "0002.jpg", "0003.jpg"], "dog": ["0001.jpg", "0002.jpg", "0003.jpg"]}
    again.remove("dog", "0002.jpg")
    assert again.add("dog", photo()) == "0004.jpg"
    saved = again.save("pets")
    assert saved == workspace.data / "pets" and not again.folder.exists()
    found = scan(saved)
    assert found.classes == ("dog", "猫") and len(found.splits["train"]) == 6 and not found.problems


def test_a_large_photo_is_made_smaller(draft):
    name = draft.add("dog", photo(size=(3000, 1500)))
    with Image.open(draft.photo("dog", name)) as kept:
        assert kept.size == (1024, 512)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (lambda d: d.add_class("dog"), "already"),
        (lambda d: d.add_class("DOG"), "already"),
        (lambda d: d.add_class("train"), "means a part"),
        (lambda d: d.add_class("a/../up"), "forbid"),
        (lambda d: d.add("bird", photo()), "no class bird"),
        (lambda d: d.remove("dog", "../../x"), "not there any more"),
        (lambda d: d.photo("dog", ".made"), "not there any more"),
        (lambda d: d.save("a/../pets"), "forbid"),
        (lambda d: d.save("mnist"), "already"),
        (lambda d: d.save("MNIST"), "already"),
        (lambda d: (d.add_class("bird"), d.save("pets")), "bird has 0 of the 2"),
        (lambda d: (d.remove_class("dog"), d.save("pets")), "two classes"),
        (lambda d: Draft(d.workspace, "../" + "0" * 29), "not there any more"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_is_saved(draft, act, said):
    with pytest.raises(DatasetError, match=said):
        act(draft)
    assert [p.name for p in draft.workspace.data.iterdir()] == [".collect"]


def test_limits(workspace):
    draft = Draft.new(workspace, CollectLimits(classes=2, photos=3))
    draft.add_class("a"), draft.add_class("b")
    with pytest.raises(DatasetError, match="at most 2 classes"):
        draft.add_class("c")
    for _ in range(3):
        draft.add("a", photo())
    with pytest.raises(DatasetError, match="at most 3 photos"):
        draft.add("b", photo())


def test_only_ones_own_set_can_be_deleted(draft, workspace):
    draft.save("pets")
    (workspace.data / "MNIST").mkdir()
    for name in ("MNIST", "..", ".collect", "nothing", ""):
        with pytest.raises(DatasetError):
            collect.delete(name, workspace)
    collect.delete("pets", workspace)
    assert not (workspace.data / "pets").exists() and (workspace.data / "MNIST").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=100))
def test_any_name_either_stays_inside_or_is_refused(workspace, name):
    draft = Draft.new(workspace)
    try:
        draft.add_class(name)
    except DatasetError:
        return
    assert (made := list(draft.folder.iterdir())) and made[0].name == name.strip() and made[0].is_dir()
    draft.clear()


def test_drafts_are_no_data_set(draft, workspace):
    from imgcls.data.catalog import folder_of

    for name in (".collect", f".collect/{draft.token}", ".", "./.collect", ".collect/."):
        with pytest.raises(DatasetError):
            folder_of(name, workspace)


def test_a_name_that_begins_with_an_underscore_stays_to_be_seen(draft, workspace):
    from imgcls.data.catalog import own_folders

    draft.save("_pets")
    assert own_folders(workspace) == ["_pets"]
