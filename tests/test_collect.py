"""Collecting: photos into classes, kept through a restart, saved whole or not at all."""

import os
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from imgcls.data.catalog import delete_dataset
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
            delete_dataset(name, workspace)
    delete_dataset("pets", workspace)
    assert not (workspace.data / "pets").exists() and (workspace.data / "MNIST").exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=100))
def test_any_name_either_stays_inside_or_is_refused(workspace, name):
    draft = Draft.new(workspace)
    try:
        draft.add_class(name)
    except DatasetError:
        return
    assert [p.name for p in draft.folder.iterdir() if p.is_dir()] == [name.strip()]
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


def test_a_deleted_photo_and_a_deleted_class_can_be_had_back(draft, workspace):
    before = draft.classes()
    draft.remove("dog", "0003.jpg")
    assert draft.add("dog", photo("black")) == "0004.jpg"  # its number stays free for an undo
    draft.restore("dog", "0003.jpg")
    draft.remove("dog", "0004.jpg")
    draft.remove_class("猫")
    assert draft.classes() == {"dog": before["dog"]}
    for name in before["猫"]:
        draft.restore("猫", name)
    assert draft.classes() == {"dog": before["dog"], "猫": before["猫"]}
    for name, kept in (("dog", "0009.jpg"), ("dog", "../猫/0001.jpg"), ("..", "x"), ("bird", "0001.jpg")):
        with pytest.raises(DatasetError, match="not there any more"):
            draft.restore(name, kept)
    saved = draft.save("pets")
    assert sorted(p.name for p in saved.iterdir()) == ["dog", "猫"] and not list(saved.rglob(".*"))


def test_the_trash_has_an_end(workspace):
    draft = Draft.new(workspace, CollectLimits(photos=3))
    draft.add_class("a")
    for _ in range(8):
        draft.remove("a", draft.add("a", photo()))
    assert len(list((draft.folder / ".trash").rglob("*.jpg"))) == 3


def test_photos_of_one_burst_stay_on_one_side(draft, workspace):
    from imgcls.data.grouping import group_ids

    first = draft.add("dog", photo("black"))
    names = [first, draft.add("dog", photo("white"), burst=first), draft.add("dog", photo("grey"), burst=first)]
    assert names == ["0004.jpg", "0005-b0004.jpg", "0006-b0004.jpg"]
    assert draft.add("dog", photo("pink"), burst="0099.jpg") == "0007.jpg"  # a burst that nobody knows
    assert draft.classes()["dog"] == ["0001.jpg", "0002.jpg", "0003.jpg", *names, "0007.jpg"]
    groups = group_ids([draft.photo("dog", name) for name in draft.classes()["dog"]])
    assert groups == [0, 1, 2, 3, 3, 3, 6]


def test_a_visitor_and_a_lab_have_so_many_drafts(workspace):
    limits = CollectLimits(drafts=2, all_drafts=3)

    def begin(visitor):
        made = Draft.new(workspace, limits, visitor=visitor)
        made.add_class("a")
        return made

    mine = [begin("me"), begin("me")]
    with pytest.raises(DatasetError, match="2 unsaved data sets of yours"):
        begin("me")
    mine[0].add_class("b")  # what is there goes on
    begin("you")  # another one is not kept from collecting
    with pytest.raises(DatasetError, match="no room for another"):
        begin("them")
    mine[1].clear()
    begin("them")
    assert "you" not in "".join(p.read_text() for p in (workspace.data / ".collect").glob("*/.visitor"))


def test_a_lab_has_room_for_so_many_bytes_of_drafts(draft, workspace):
    with pytest.raises(DatasetError, match="no room for another"):
        Draft.new(workspace, CollectLimits(total=1000)).add_class("a")


def test_what_is_forgotten_goes(draft, workspace):
    empty = Draft.new(workspace)
    empty.add_class("a")
    for age, there in ((60, [True, True]), (2 * 3600, [True, False]), (15 * 24 * 3600, [False, False])):
        for path in (workspace.data / ".collect").rglob("*"):
            os.utime(path, (time.time() - age,) * 2)
        Draft.new(workspace)
        assert [made.folder.exists() for made in (draft, empty)] == there


def test_a_draft_that_cannot_be_moved_is_still_whole(draft, workspace):
    (workspace.data / "pets").symlink_to(workspace.data / "nowhere")
    before = draft.classes()
    with pytest.raises(DatasetError, match="already"):
        draft.save("pets")
    assert draft.classes() == before and list(draft.classes()) == ["猫", "dog"]
