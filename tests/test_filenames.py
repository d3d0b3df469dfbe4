"""Nothing that is typed reaches a path: every function that takes a name from outside, asked with wild ones."""

import os
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from photos import photo

from imgcls.data.archives import unpack
from imgcls.data.catalog import delete_dataset, folder_of, new_folder, own_folders
from imgcls.data.collect import Draft
from imgcls.errors import ImgclsError, SettingsError
from imgcls.filenames import inside, sanitize, shown, validate
from imgcls.runs.store import find_run
from imgcls.settings import TrainSettings
from imgcls.web.shared.limits import SHARED
from imgcls.web.shared.run_cache import RunCache
from imgcls.workspace import Workspace

PIECES = ["..", ".", "", "a", "outside", "con", "NUL.txt", "C:", "~", "~root", "a b", "é", " ", "...", "\0", "\u202e"]
NAMES = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES), max_size=6).map("/".join),
    st.lists(st.sampled_from(PIECES), max_size=6).map("\\".join),
    st.sampled_from(["../outside", "../../outside", "/tmp/outside", "x" * 1_000_000, "\ud800", "../" * 300 + "etc"]),
)
WILD = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A lab two folders down, with a secret beside it and a draft and a data set in it."""
    top = tmp_path_factory.mktemp("top")
    (top / "outside").mkdir()
    (top / "outside" / "secret.txt").write_text("secret")
    made = Workspace(top / "deep" / "lab")
    made.data.mkdir(parents=True)
    for kind in ("cat", "dog"):
        (made.data / "pets" / kind).mkdir(parents=True)
        photo("rose", 1).save(made.data / "pets" / kind / "1.jpg")
    with zipfile.ZipFile(top / "pets.zip", "w") as archive:
        for kind in ("cat", "dog"):
            archive.write(made.data / "pets" / kind / "1.jpg", f"{kind}/1.jpg")
    made.checkpoints.mkdir(), made.train_logs.mkdir(), made.weight.mkdir()
    return made


def around(lab):
    """Everything that lies outside of the lab's data/."""
    top = lab.root.parent.parent
    return sorted(p.relative_to(top).as_posix() for p in top.rglob("*") if not p.is_relative_to(lab.data))


@WILD
@given(NAMES)
@example("../outside")
def test_a_name_is_a_place_directly_inside_or_an_error(lab, name):
    try:
        path = inside(lab.data, name)
    except ImgclsError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
        return
    assert path.parent == lab.data and path.name == name and Path(os.path.normpath(path)) == path
    assert validate(name) is None and sanitize(name) == name


@WILD
@given(NAMES)
@example("../../outside")
@example("/tmp/outside")
def test_a_new_data_set_lies_in_data(lab, name):
    """Uploaded or collected, it lies directly in data/, or nothing has been written anywhere."""
    before, sets = around(lab), own_folders(lab)

    def collected():
        draft = Draft.new(lab)
        for kind in ("a", "b"):
            draft.add_class(kind)
            for i in (1, 2):
                draft.add(kind, photo("rose", i))
        try:
            return draft.save(name)
        finally:
            draft.clear()

    for make in (
        lambda: unpack(lab.root.parent.parent / "pets.zip", name, lab),
        collected,
        lambda: new_folder(name, lab),
    ):
        try:
            into = make()
        except ImgclsError:
            assert own_folders(lab) == sets
        else:
            assert into.parent == lab.data and validate(into.name) is None
            if into.is_dir():
                delete_dataset(into.name, lab)
        assert around(lab) == before


@WILD
@given(NAMES, NAMES, NAMES)
@example("..", "../pets", "1.jpg")
def test_drafts_classes_and_photos_stay_inside(lab, token, kind, name):
    before = around(lab)
    for ask in (
        lambda: Draft(lab, token).classes(),
        lambda: Draft.new(lab).remove_class(kind),
        lambda: Draft.new(lab).add(kind, photo("rose", 1)),
        lambda: Draft.new(lab).remove(kind, name),
        lambda: Draft.new(lab).photo(kind, name),
        lambda: delete_dataset(name, lab) if name != "pets" else None,
    ):
        try:
            assert not ask()
        except ImgclsError:
            pass
    draft = Draft.new(lab)
    try:
        draft.add_class(kind)
        assert [p.name for p in draft.folder.iterdir() if p.is_dir()] == [kind.strip()]
    except ImgclsError:
        pass
    draft.clear()
    assert around(lab) == before and (lab.data / "pets" / "cat" / "1.jpg").is_file()


@WILD
@given(NAMES)
@example("../../outside")
@example(".collect")
@example("pets/../../../../outside")
def test_in_a_shared_lab_a_name_finds_what_is_listed_and_nothing_else(lab, name):
    with pytest.raises(ImgclsError):
        find_run(name, lab)
    with pytest.raises(ImgclsError):
        RunCache(lab).checkpoint(name)
    try:
        folder_of(name, lab)  # any string is a sentence at worst
    except ImgclsError as error:
        assert "\n" not in str(error) and len(str(error)) < 300
    try:
        SHARED.check_name(name)
    except SettingsError:
        return
    if name:  # allowed: then it is no path
        assert inside(lab.data, name).parent == lab.data
        with pytest.raises(ImgclsError):
            folder_of(name, lab)


@WILD
@given(NAMES)
def test_a_runs_name_is_a_name(name):
    try:
        made = TrainSettings.checked({"name": name}).name
    except SettingsError:
        return
    assert made == name and (not made or validate(made) is None)


@WILD
@given(NAMES)
def test_a_bad_name_is_shown_short_and_printable(name):
    assert len(shown(name)) <= 60 and all(c.isprintable() for c in shown(name))


def test_a_link_to_a_larger_disk_is_a_data_set(workspace, tmp_path):
    from photos import flowers

    from imgcls.recipes import with_recipe
    from imgcls.training.loading import load_run_data

    flowers(tmp_path / "large" / "flowers", each=4)
    workspace.data.mkdir()
    (workspace.data / "flowers").symlink_to(tmp_path / "large" / "flowers")
    assert own_folders(workspace) == ["flowers"]
    data = load_run_data(with_recipe({"dataset": "flowers", "model": "lenet"}), workspace)
    assert sum(data.sizes.values()) == 12
    delete_dataset("flowers", workspace)  # the link goes, what it leads to stays
    assert own_folders(workspace) == [] and list(workspace.data.iterdir()) == []
    assert len(list((tmp_path / "large" / "flowers").rglob("*.jpg"))) == 12
