"""Zips of photos: whole or not at all, nothing outside the folder, names as their author saw them."""

import gzip
import io
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from imgcls.data.archives import ZippedImages, unpack
from imgcls.data.image_folders import scan
from imgcls.data.zip_entries import ZipLimits
from imgcls.errors import DatasetError
from imgcls.filenames import sanitize, validate
from imgcls.workspace import Workspace


def picture(colour: str = "red") -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


RED = picture()
PETS = {"cat/1.png": RED, "dog/1.png": picture("blue")}


def zipped(path: Path, entries: dict, *, pack: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", pack) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def in_code_page(path: Path, names: list[bytes]) -> Path:
    """A zip as old programs write it: raw bytes for names and no word of what they mean."""
    stand_ins = {"qwxz"[i] * len(name): name for i, name in enumerate(names)}
    zipped(path, dict.fromkeys(stand_ins, RED))
    data = path.read_bytes()
    for stand_in, name in stand_ins.items():
        assert len(stand_in) == len(name) and data.count(stand_in.encode()) == 2
        data = data.replace(stand_in.encode(), name)
    path.write_bytes(data)
    return path


def tree(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def refused(tmp_path: Path, archive: Path, **options) -> str:
    """The sentence; and nothing was left behind."""
    data = tmp_path / "data"
    with pytest.raises(DatasetError) as error:
        unpack(archive, "pets", Workspace(tmp_path), **options)
    assert not data.exists() or list(data.iterdir()) == []
    said = str(error.value)
    assert said.endswith(".") and "\n" not in said
    return said


def test_a_zip_becomes_a_folder(tmp_path):
    archive = zipped(tmp_path / "a.zip", {**PETS, "empty/": b"", "__MACOSX/cat/._1.png": b"x", "cat/.DS_Store": b"x"})
    seen: list[tuple[int, int]] = []
    into = unpack(archive, "pets", Workspace(tmp_path), progress=lambda *at: seen.append(at))
    assert into == tmp_path / "data" / "pets" and tree(into) == ["cat/1.png", "dog/1.png"]
    assert (into / "cat/1.png").read_bytes() == RED and seen == [(1, 2), (2, 2)]
    assert [p.name for p in into.parent.iterdir()] == ["pets"]


def test_a_zip_of_a_folder_and_with_parts(tmp_path):
    names = [f"my pets/{part}/{kind}/1.jpg" for part in ("train", "val") for kind in ("cat", "dog")]
    found = scan(unpack(zipped(tmp_path / "a.zip", dict.fromkeys(names, RED)), "pets", Workspace(tmp_path)))
    assert found.classes == ("cat", "dog") and list(found.splits) == ["train", "val"]


def test_what_is_no_image_is_left_out_and_listed(tmp_path):
    entries = {**PETS, "readme.txt": b"x", "cat/run.exe": b"x", "more.zip": b"PK", "cat/model.pth": b"x"}
    skipped: list[str] = []
    into = unpack(zipped(tmp_path / "a.zip", entries), "pets", Workspace(tmp_path), skipped=skipped)
    assert tree(into) == ["cat/1.png", "dog/1.png"]
    assert skipped == ["readme.txt", "cat/run.exe", "more.zip", "cat/model.pth"]


@pytest.mark.parametrize(
    "name",
    ["../x.png", "cat/../../x.png", "/etc/x.png", "C:\\x.png", "C:/x.png", "..\\x.png", "\\\\host\\share\\x.png"],
)
def test_no_path_leaves_the_folder(tmp_path, name):
    said = refused(tmp_path, zipped(tmp_path / "a.zip", {**PETS, name: RED}))
    assert "would leave its folder" in said


def test_links_are_left_out(tmp_path):
    link = zipfile.ZipInfo("cat/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "a.zip", PETS)
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr(link, "/etc/passwd")
    assert tree(unpack(archive, "pets", Workspace(tmp_path))) == ["cat/1.png", "dog/1.png"]


def test_backslashes_part_folders(tmp_path):
    archive = in_code_page(tmp_path / "a.zip", [b"cat\\1.png", b"dog\\1.png"])
    assert tree(unpack(archive, "pets", Workspace(tmp_path))) == ["cat/1.png", "dog/1.png"]


def test_a_bomb_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {**PETS, "cat/big.bmp": bytes(60_000_000)})
    assert "times its size and at most 100 times" in refused(tmp_path, archive)
    assert "has a file of 60 MB (cat/big.bmp) and at most 1 MB" in refused(
        tmp_path, archive, limits=ZipLimits(single=1_000_000)
    )
    assert "at most 0.0 GB are allowed" in refused(tmp_path, archive, limits=ZipLimits(total=1_000_000))
    assert "has 3 entries and at most 2 are allowed" in refused(tmp_path, archive, limits=ZipLimits(files=2))


def test_a_zip_that_understates_its_sizes_is_refused(tmp_path):
    archive = zipped(tmp_path / "a.zip", {**PETS, "cat/big.bmp": bytes(5_000_000)})
    data = archive.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 500))
    archive.write_bytes(data)
    refused(tmp_path, archive)


def test_a_password(tmp_path):
    archive = zipped(tmp_path / "a.zip", PETS)
    data = bytearray(archive.read_bytes())
    for place in range(len(data) - 4):
        if data[place : place + 4] == b"PK\x03\x04":
            data[place + 6] |= 1
        if data[place : place + 4] == b"PK\x01\x02":
            data[place + 8] |= 1
    archive.write_bytes(data)
    assert "protected by a password" in refused(tmp_path, archive)


def test_what_is_no_whole_zip(tmp_path):
    whole = zipped(tmp_path / "a.zip", PETS).read_bytes()
    damaged = bytearray(whole)
    damaged[60] ^= 255  # inside the first image
    for data in (b"", b"no zip", whole[:-30], bytes(damaged)):
        (tmp_path / "b.zip").write_bytes(data)
        assert refused(tmp_path, tmp_path / "b.zip").startswith("b.zip is not a whole archive")
    for data, kind in ((b"Rar!\x1a\x07\x00", "RAR"), (b"7z\xbc\xaf\x27\x1c", "7z")):
        (tmp_path / "b.zip").write_bytes(data + bytes(100))
        assert refused(tmp_path, tmp_path / "b.zip").startswith(f"b.zip is a {kind} archive")
    assert "cannot be unpacked" in refused(tmp_path, tmp_path / "none.zip")


def test_what_cannot_be_trained_on_leaves_nothing(tmp_path):
    assert refused(tmp_path, zipped(tmp_path / "a.zip", {"cat/1.png": RED})).startswith("data/pets has 1 class")
    assert "holds no images, only zips" in refused(tmp_path, zipped(tmp_path / "a.zip", {"b.zip": b"PK"}))


def test_a_name_that_is_taken_or_is_no_name(tmp_path):
    archive = zipped(tmp_path / "a.zip", PETS)
    unpack(archive, "pets", Workspace(tmp_path))
    with pytest.raises(DatasetError, match="There is a data set pets already"):
        unpack(archive, "pets", Workspace(tmp_path))
    for name in ("con", ".hidden", "a:b", "x" * 300):
        with pytest.raises(DatasetError, match="The name"):
            unpack(archive, name, Workspace(tmp_path))


@pytest.mark.parametrize(
    ("encoding", "kinds"),
    [
        ("gb2312", ("猫", "狗")),
        ("gb2312", ("猫", "cats")),  # 猫 alone could be UTF-8's è
        ("gb18030", ("猫", "镕喆")),  # the second is rarer than GB2312 knows
        ("utf-8", ("猫", "狗")),
        ("utf-8", ("猫咪", "caf\u00e9")),
        ("cp437", ("chaton é", "müll")),
    ],
)
def test_names_in_a_code_page(tmp_path, encoding, kinds):
    names = [f"{kind}/{i}.png".encode(encoding) for i, kind in enumerate(kinds)]
    archive = in_code_page(tmp_path / "a.zip", names)
    assert set(scan(unpack(archive, "pets", Workspace(tmp_path))).classes) == set(kinds)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_same_name_twice(tmp_path):
    archive = zipped(tmp_path / "a.zip", PETS)
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("cat/1.png", picture("green"))
        more.writestr("Cat/1.PNG", picture("white"))
    assert len(tree(unpack(archive, "pets", Workspace(tmp_path)))) == 4


wild = st.one_of(
    st.text(max_size=40),
    st.lists(
        st.sampled_from(["..", ".", "", "a", "con", "C:", "~", "a b", "é", " ", "...", "\0", "x" * 300]), max_size=6
    ).map("/".join),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(wild, min_size=1, max_size=5))
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_wild_names_stay_inside_or_are_refused(tmp_path_factory, names):
    top = tmp_path_factory.mktemp("wild")
    try:
        archive = zipped(top / "a.zip", PETS)
        with zipfile.ZipFile(archive, "a") as more:
            for name in names:
                more.writestr(f"{name}.png", RED)
    except (UnicodeEncodeError, ValueError, IndexError):  # not even zipfile writes it
        return
    (top / "data").mkdir()
    try:
        unpack(archive, "pets", Workspace(top))
    except DatasetError:
        assert list((top / "data").iterdir()) == []
    assert sorted(p.name for p in top.iterdir()) == ["a.zip", "data"]
    assert {p.name for p in (top / "data").iterdir()} <= {"pets"}
    assert all(p.is_relative_to((top / "data").resolve()) for p in (q.resolve() for q in (top / "data").rglob("*")))


@settings(max_examples=300)
@given(st.text(max_size=200))
def test_a_safe_name_is_safe(name):
    made = sanitize(name)
    assert made == sanitize(made) and validate(made) in (None, validate("x" * 81))
    assert Path(made).name == made and made not in ("", ".", "..") and len(made.encode()) <= 210
    made.encode("utf-8")


def test_names_that_people_give():
    for name in ("cats", "五种花", "My photos 2024", "a.b", "chaton é", "🐱"):
        assert validate(name) is None
    for name in ("", " ", " a", "a ", ".a", "a/b", "a\\b", "..", "CON", "nul.txt", "a:b", "a?", "x" * 81, "a\0", "a."):
        assert validate(name)


@pytest.mark.parametrize("length", [1, 250])
def test_a_zip_of_countless_entries_is_refused_before_it_is_listed(tmp_path, length):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for i in range(5000):
            archive.writestr(f"{i:0{length}}", b"")
    tracemalloc.start()
    said = refused(tmp_path, tmp_path / "a.zip", limits=ZipLimits(files=100))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "entries and at most 100 are allowed" in said
    assert peak < 1_000_000  # 5,000 ZipInfo objects are 3 MB


def test_labels_in_a_table_come_along(tmp_path):
    archive = tmp_path / "pets.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for name, colour in zip("abcd", ("red", "blue", "green", "white"), strict=True):
            made.writestr(f"pets/images/{name}.png", picture(colour))
        made.writestr("pets/labels.csv", "file,label\na.png,cat\nb.png,dog\nc.png,cat\nd.png,dog\n")
        made.writestr("pets/notes.doc", "no label")
    skipped = []
    folder = unpack(archive, "pets", Workspace(tmp_path), skipped=skipped)
    assert scan(folder).classes == ("cat", "dog") and skipped == ["pets/notes.doc"]
    with ZippedImages(archive) as found:
        assert len(found.names) == 4


def test_a_zip_of_a_table_alone_holds_no_images(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as made:
        made.writestr("labels.csv", "a,b\n")
    with pytest.raises(DatasetError, match="holds no images"):
        unpack(tmp_path / "a.zip", "pets", Workspace(tmp_path))


@pytest.mark.parametrize(("suffix", "mode"), [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".zip", "w:gz")])
def test_tars_are_unpacked_as_zips_are(tmp_path, suffix, mode):
    archive = tmp_path / f"pets{suffix}"

    def add(made, name, content=b"", kind=tarfile.REGTYPE, link=""):
        info = tarfile.TarInfo(name)
        info.size, info.type, info.linkname = len(content), kind, link
        made.addfile(info, io.BytesIO(content))

    with tarfile.open(archive, mode) as made:
        add(made, "pets", kind=tarfile.DIRTYPE)
        for kind, colour in (("猫", "red"), ("狗", "blue")):
            add(made, f"pets/{kind}/1.png", picture(colour))
        add(made, "pets/猫/link.png", kind=tarfile.SYMTYPE, link="/etc/passwd")
        add(made, "pets/notes.doc", b"x")
    skipped = []
    folder = unpack(archive, "pets", Workspace(tmp_path), skipped=skipped)
    assert scan(folder).classes == ("狗", "猫") and sorted(skipped) == ["pets/notes.doc", "pets/猫/link.png"]
    with tarfile.open(tmp_path / "bad.tar", "w") as made:
        add(made, "../out/1.png", picture("red"))
    with pytest.raises(DatasetError, match="would leave its folder"):
        unpack(tmp_path / "bad.tar", "bad", Workspace(tmp_path))
    for limits in (ZipLimits(files=2), ZipLimits(total=20)):
        with pytest.raises(DatasetError, match="are allowed: split it"):
            unpack(archive, "large", Workspace(tmp_path), limits=limits)
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(archive.read_bytes()[: archive.stat().st_size // 3])
    with pytest.raises(DatasetError):
        unpack(cut, "cut", Workspace(tmp_path))
    assert not (tmp_path / "data" / "cut").exists() and not (tmp_path / "data" / "bad").exists()


def tarred(path: Path, names: list[bytes], mode: Any = "w") -> Path:
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as made:
        for name in names:
            info = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
            info.size = len(RED)
            made.addfile(info, io.BytesIO(RED))
    return path


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8"])
def test_names_of_a_tar_in_a_code_page(tmp_path, encoding):
    kinds = ("猫", "狗", "马", "镕喆", "cat")
    archive = tarred(tmp_path / "a.tar", [f"{kind}/1.png".encode(encoding) for kind in kinds])
    assert set(scan(unpack(archive, "pets", Workspace(tmp_path))).classes) == set(kinds)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE])
@pytest.mark.parametrize("times", [1, 40])
def test_headers_of_a_tar_are_bounded(tmp_path, kind, times):
    """Packed, any number of such bytes is small."""
    with gzip.GzipFile(tmp_path / "a.tar.gz", "wb", 1) as packed:
        for _ in range(times):
            header = tarfile.TarInfo("././@LongLink")
            header.type, header.size = kind, 40_000_000 // times // 512 * 512
            packed.write(header.tobuf(tarfile.GNU_FORMAT))
            packed.write(b"a" * header.size)
    tracemalloc.start()
    said = refused(tmp_path, tmp_path / "a.tar.gz")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "longer headers than any tar of photos" in said and peak < 5_000_000


def test_a_tar_is_known_by_its_bytes_and_called_an_archive(tmp_path):
    whole = tarred(tmp_path / "a", [b"cat/1.png", b"dog/1.png"])
    assert tree(unpack(whole, "pets", Workspace(tmp_path))) == ["cat/1.png", "dog/1.png"]
    for mode in ("w:", "w:gz", "w:bz2", "w:xz"):
        content = tarred(tmp_path / "b", [b"cat/1.png", b"dog/1.png"], mode).read_bytes()
        (tmp_path / "b").write_bytes(content[: min(1030, len(content) // 2)])
        with pytest.raises(DatasetError, match="b is not a whole archive"):
            unpack(tmp_path / "b", "cut", Workspace(tmp_path))
    (tmp_path / "c.tar.bz2").write_bytes(b"BZh9" + bytes(600))
    with pytest.raises(DatasetError, match="is not a whole archive"):
        unpack(tmp_path / "c.tar.bz2", "cut", Workspace(tmp_path))
