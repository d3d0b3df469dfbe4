"""Many pictures: batches of uploads or of a zip, a row each, broken ones with their sentence."""

import base64
import zipfile

import pytest
from asking import by_name
from lenets import lenet
from PIL import Image

from imgcls.data.download import load_arrays
from imgcls.web.classify.batch import server_functions
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache
from imgcls.workspace import Workspace


@pytest.fixture
def uploads(tmp_path, monkeypatch):
    folder = tmp_path / "uploads"
    folder.mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(folder))
    return folder


def asking(workspace, limits=ALONE, language="en"):
    return by_name(server_functions(Translator(language), RunCache(workspace), limits))


def digits(folder, count):
    """(paths, labels) of MNIST's first test images, as files."""
    images, labels = load_arrays("mnist", Workspace())["test"]
    paths = []
    for i in range(count):
        paths.append(folder / f"{i:03d}.png")
        Image.fromarray(images[i, 0].numpy()).save(paths[-1])
    return paths, [str(label) for label in labels[:count].tolist()]


ASKED = {"checkpoint": "lenet-digits/best"}


def test_a_row_each_and_broken_ones_too(workspace, uploads):
    paths, labels = digits(uploads, 20)
    (uploads / "broken.png").write_bytes(paths[0].read_bytes()[:60])
    (uploads / "notes.txt").write_text("no image")
    Image.new("L", (60, 60), 255).save(uploads / "blank.png")
    wrong = [uploads / name for name in ("broken.png", "notes.txt", "blank.png", "gone.png")]
    files = [[str(p), f"folder/{p.name}"] for p in (*paths, *wrong, uploads / ".." / "secret.png")]
    rows = asking(workspace)["many_read"]({**ASKED, "files": files})["rows"]
    assert [row["name"] for row in rows] == [name for _, name in files]
    assert [row["label"] for row in rows[:20]] == labels
    assert all(row["sure"] and 0.5 < row["confidence"] <= 1 and row["familiarity"] > 0.5 for row in rows[:19:3])
    assert [row["blank"] for row in rows[20:]] == [False, False, True, False, False]
    assert all(set(row) == {"name", "thumb", "error", "blank"} and row["error"].endswith(".") for row in rows[20:])
    assert "broken.png" in rows[20]["error"] and "hour" in rows[23]["error"] == rows[24]["error"]


def test_a_small_file_comes_with_the_question(workspace, uploads):
    paths, labels = digits(uploads, 3)
    sent = ["data:image/png;base64," + base64.b64encode(path.read_bytes()).decode() for path in paths]
    files = [[content, str(i)] for i, content in enumerate([*sent, "data:image/png;base64,?", "data:", "data:,画"])]
    rows = asking(workspace)["many_read"]({**ASKED, "files": files})["rows"]
    assert [row.get("label") for row in rows] == [*labels, None, None, None] and all("error" in row for row in rows[3:])


def test_a_zip_is_read_in_batches(workspace, uploads):
    paths, labels = digits(uploads, 120)
    with zipfile.ZipFile(uploads / "digits.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for path in paths:
            made.write(path, f"all/{path.name}")
        made.writestr("all/x.png", b"\x89PNG no more")
        made.writestr("README.md", "left out")
        made.writestr("__MACOSX/._x.png", "left out")
    ask, zipped = asking(workspace), {**ASKED, "zip": str(uploads / "digits.zip")}
    begin = ask["many_begin"](zipped)
    assert begin["total"] == 121 and begin["batch"] == 100 and begin["most"] == ALONE.many
    rows = [r for start in (0, 100) for r in ask["many_read"]({**zipped, "start": start})["rows"]]
    assert len(rows) == 121 and [r.get("label") for r in rows[:120]] == labels
    assert rows[0]["thumb"].startswith("data:image/png") and "x.png" in rows[120]["error"]


def test_an_entry_that_is_damaged_is_a_row(workspace, uploads):
    paths, _ = digits(uploads, 2)
    with zipfile.ZipFile(uploads / "two.zip", "w") as made:
        for path in paths:
            made.write(path, path.name)
    whole = bytearray((uploads / "two.zip").read_bytes())
    whole[60] ^= 0xFF  # within the first image
    (uploads / "two.zip").write_bytes(whole)
    first, second = asking(workspace)["many_read"]({**ASKED, "zip": str(uploads / "two.zip"), "start": 0})["rows"]
    assert "damaged" in first["error"] and second["label"]


def test_what_does_not_look_like_its_data_is_not_sure(workspace, uploads):
    noise = Image.effect_noise((200, 200), 200).point(lambda v: 255 * (v > 128))
    noise.save(uploads / "noise.png")
    (row,) = asking(workspace)["many_read"]({**ASKED, "files": [[str(uploads / "noise.png"), "noise.png"]]})["rows"]
    assert not row["sure"] and row["note"].startswith("Not sure")


def test_a_shared_lab_reads_fewer(workspace, uploads):
    lenet(workspace, "own", always=2)
    ask = asking(workspace, SHARED)
    begin = ask["many_begin"]({"checkpoint": "own/best"})
    assert begin["most"] == SHARED.many < ALONE.many and begin["at_once"] == 1
    assert "error" in ask["many_read"]({**ASKED, "zip": str(uploads / "x.zip"), "start": SHARED.many})


@pytest.mark.parametrize(
    "asked",
    [
        {}, {**ASKED}, {**ASKED, "files": "x"}, {**ASKED, "files": [["a"]]}, {**ASKED, "files": [["a", "b"]] * 101},
        {"checkpoint": "no/best", "files": []}, {**ASKED, "zip": "/etc/passwd", "start": 0}, None,
        {**ASKED, "zip": "x", "start": -1}, {**ASKED, "zip": 7, "start": "x"},
    ],
)  # fmt: skip
def test_what_cannot_be_is_one_sentence(workspace, uploads, asked):
    answer = asking(workspace)["many_read"](asked)
    assert set(answer) == {"error"} and answer["error"].endswith(".")


def test_a_zip_that_hides_a_bomb_is_refused(workspace, uploads):
    with zipfile.ZipFile(uploads / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as made:
        for i in range(3):
            made.writestr(f"{i}.png", bytes(29_000_000))
    told = asking(workspace, SHARED)["many_begin"]({**ASKED, "zip": str(uploads / "bomb.zip")})
    assert "bomb" in told["error"]
