"""What a folder of photos is taken for, by its names alone."""

from pathlib import Path

import pytest

from imgcls.data.image_folders import scan
from imgcls.errors import DatasetError


def made(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root


@pytest.fixture
def pets(tmp_path) -> Path:
    return tmp_path / "data" / "pets"


def codes(found) -> list[str]:
    return [problem.code for problem in found.problems]


def test_class_folders(pets):
    found = scan(made(pets, "10/a.jpg", "2/b.png", "2/deep/er/c.jpg", "狗/一.webp"))
    assert found.classes == ("2", "10", "狗") and list(found.splits) == ["train"]
    assert [(p.relative_to(pets).as_posix(), c) for p, c in found.splits["train"]] == [
        ("2/b.png", 0),
        ("2/deep/er/c.jpg", 0),
        ("10/a.jpg", 1),
        ("狗/一.webp", 2),
    ]
    assert found.name == "data/pets" and found.notes == ()


@pytest.mark.parametrize(("val", "test"), [("val", "test"), ("valid", "Testing"), ("Validation", "TEST")])
def test_parts(pets, val, test):
    names = [f"{part}/{kind}/1.jpg" for part in ("train", val, test) for kind in ("cat", "dog")]
    found = scan(made(pets, *names))
    assert found.classes == ("cat", "dog")
    assert {part: [c for _, c in photos] for part, photos in found.splits.items()} == {
        "train": [0, 1],
        "val": [0, 1],
        "test": [0, 1],
    }


def test_one_folder_around_is_seen_through(pets):
    assert scan(made(pets, "my photos/cat/1.jpg", "my photos/dog/1.jpg", "__MACOSX/x")).classes == ("cat", "dog")
    assert scan(made(pets / "b", "x/y/train/cat/1.jpg", "x/y/train/dog/1.jpg")).root == pets / "b/x/y"


def test_litter_is_no_class_and_no_image(pets):
    litter = (".ipynb_checkpoints/a.jpg", "cat/.DS_Store", "cat/._1.jpg", "__MACOSX/cat/1.jpg", "dog/Thumbs.db")
    found = scan(made(pets, "cat/1.jpg", "dog/1.jpg", ".imgcls-cache/x.photos", *litter))
    assert found.classes == ("cat", "dog") and len(found.splits["train"]) == 2 and found.notes == ()


def test_accents_spelt_apart_are_joined(pets):
    assert scan(made(pets, "cafe\u0301/1.jpg", "the/1.jpg")).classes == ("caf\u00e9", "the")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["cat/1.jpg"], "data/pets has 1 class; classification needs at least 2: make a folder for each class."),
        (["cat/1.jpg", "dog/"], "data/pets has 1 class"),
        (["1.jpg", "2.jpg"], "data/pets has 2 images but no class folders"),
        (["cat/", "dog/"], "data/pets has no images"),
        (["cat/a.txt"], "data/pets has no images"),
        (["train/1.jpg", "test/2.jpg"], "the images lie directly in test, train: make a folder for each class"),
        (["train/1.jpg"], "the images lie directly in train"),
        (["val/cat/1.jpg", "test/cat/1.jpg"], "has test, val but no train folder"),
        (["train/cat/1.jpg", "train/dog/1.jpg", "val/catz/1.jpg", "val/dog/1.jpg"], "val has the class catz"),
        (["train/cat/1.jpg", "train/dog/1.jpg", "training/x/1.jpg"], "two folders for train"),
        (["train/1.jpg", "val/cat/1.jpg"], "data/pets/train has no class folders with images"),
        (["train/cat/1.jpg", "val/cat/1.jpg"], "data/pets has 1 class"),
    ],
)
def test_what_cannot_be_trained_on_says_why(pets, names, said):
    with pytest.raises(DatasetError, match=said) as error:
        scan(made(pets, *names))
    assert str(error.value).endswith(".") and "\n" not in str(error.value)


def test_no_folder(pets):
    with pytest.raises(DatasetError, match="There is no folder"):
        scan(pets)


@pytest.mark.parametrize(
    ("names", "code", "said"),
    [
        (["lost.jpg"], "loose-images", "1 image outside"),
        (["bird/"], "empty-class", "no images of bird"),
        (["train/1.jpg"], "class-named-like-part", "class called train"),
        (["cat/notes.txt", "labels.csv"], "other-files", "2 files"),
    ],
)
def test_what_is_odd_is_noted(pets, names, code, said):
    found = scan(made(pets, "cat/1.jpg", "dog/1.jpg", *names))
    assert codes(found) == [code] and said in str(found.notes[0])
    assert {"cat", "dog"} <= set(found.classes) <= {"cat", "dog", "train"}


@pytest.mark.parametrize(
    ("names", "code", "parts"),
    [
        (["notes/a.jpg", "val/cat/1.jpg", "val/dog/1.jpg"], "folder-beside-parts", ["train", "val"]),
        (["test/1.jpg"], "part-without-classes", ["train"]),
        (["test/unknown/1.jpg"], "part-without-classes", ["train"]),
        (["val/cat/1.jpg"], "class-missing-in-part", ["train", "val"]),
    ],
)
def test_what_is_odd_about_parts_is_noted(pets, names, code, parts):
    found = scan(made(pets, "train/cat/1.jpg", "train/dog/1.jpg", *names))
    assert codes(found) == [code] and list(found.splits) == parts
    assert found.classes == ("cat", "dog")
