"""A data set is one row: read, trained on, evaluated, listed and fetched by what the row says, and by nothing else."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_fetches import mirror

from imgcls.cli.main import main
from imgcls.data import download, registry
from imgcls.data.catalog import own_folders
from imgcls.data.readers import read_mat
from imgcls.data.registry import DATASETS, DatasetSpec, Download, absent, dataset_spec, kind_of, register
from imgcls.data.report import available_datasets, report
from imgcls.errors import DatasetError
from imgcls.recipes import preprocess_for, with_recipe
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared.settings_form import dataset_choices


@pytest.fixture
def rows():
    """What a test registers is gone afterwards."""
    before = dict(DATASETS)
    yield DATASETS
    DATASETS.clear()
    DATASETS.update(before)


def stripes(source):
    """Horizontal and vertical stripes: what a row's reader gives, from no file at all."""
    generator, made = torch.Generator().manual_seed(0), {}
    for split, count in source.spec.counts.items():
        labels = torch.arange(count) % 2
        images = torch.randint(0, 60, (count, 3, 32, 32), generator=generator, dtype=torch.uint8)
        images[labels == 0, :, ::4] += 150
        images[labels == 1, :, :, ::4] += 150
        made[split] = images, labels
    return made


STRIPES = DatasetSpec(
    name="stripes",
    title="Stripes",
    kind="tiny",
    classes=("across", "down"),
    counts={"train": 240, "test": 40},
    read=stripes,
    mirrors=False,
)


def test_a_row_is_all_that_a_new_data_set_needs(rows, workspace, capsys):
    register(STRIPES)
    said = ["--dataset", "stripes", "--model", "lenet", "--epochs", "3", "--val-split", "40", "--name", "s"]
    assert main(["train", *said, "--batch-size", "20", "--augment", "none", "--device", "cpu", "--threads", "1"]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", "s", "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert measured["images"] == 40 and measured["accuracy"] > 0.9
    assert report("stripes", workspace).counts == {"train": (120, 120), "test": (20, 20)}
    assert ("stripes", True) in available_datasets(workspace)
    assert ("Stripes", "stripes") in dataset_choices(Translator("zh"), workspace)
    with pytest.raises(SystemExit):
        main(["fetch", "--help"])
    assert "fashion-mnist, cifar10" in capsys.readouterr().out


def test_what_comes_is_what_the_row_says(rows, workspace):
    wrong = {
        "few": replace(STRIPES, name="few", read=lambda source: {"train": stripes(source)["test"]}),
        "float": replace(STRIPES, name="float", read=lambda s: {k: (i.float(), n) for k, (i, n) in stripes(s).items()}),
        "labels": replace(STRIPES, name="labels", read=lambda s: {k: (i, n + 1) for k, (i, n) in stripes(s).items()}),
        "split": replace(STRIPES, name="split", read=lambda source: {"train": stripes(source)["train"]}),
    }
    for name, spec in wrong.items():
        register(spec)
        with pytest.raises(DatasetError, match=f"{name} hold something else"):
            download.load_arrays(name, workspace)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "mnist"}, "one of that name"),
        ({"name": "a+b"}, "its name must be"),
        ({"name": "../x"}, "its name must be"),
        ({"kind": "sounds"}, "digits, .*tiny"),
        ({"classes": ("one",)}, "two classes"),
        ({"classes": ("one", "one")}, "two classes"),
        ({"counts": {"test": 3}}, "its counts"),
        ({"downloads": (Download("x.gz", "0" * 32),)}, "no address"),
    ],
)
def test_a_row_that_cannot_be_is_refused(rows, change, why):
    with pytest.raises(DatasetError, match=why):
        register(replace(STRIPES, **change))
    assert "stripes" not in DATASETS


def packed(kind, members):
    """An archive of {path: content}."""
    made = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(made, "w") as archive:
            for path, content in members.items():
                archive.writestr(path, content)
    else:
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            for path, content in members.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize(("kind", "name"), [("zip", "set.zip"), ("tar", "set.tar.gz")])
def test_members_of_an_archive_come_out_of_it_and_nothing_else(rows, workspace, kind, name):
    content = packed(kind, {"deep/a.bin": b"one", "deep/er/b.bin": b"two", "../evil": b"x", "deep/other": b"y"})
    md5 = hashlib.md5(content).hexdigest()
    spec = replace(
        STRIPES, name="arch", folder=("Arch", "raw"), urls=("http://127.0.0.1:9/",),
        downloads=(Download(name, md5, ("deep/a.bin", "deep/er/b.bin")),),
    )  # fmt: skip
    register(spec)
    assert absent("arch", workspace) == "arch" and "by hand" in str(spec.how_to_get(workspace))
    with mirror({name: content}) as url:
        download.fetch("arch", workspace, base=url)
    folder = workspace.data / "Arch" / "raw"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"a.bin": b"one", "b.bin": b"two"}
    assert absent("arch", workspace) is None
    assert own_folders(workspace) == []  # its folder is no data set of one's own


def test_an_archive_without_a_member_leaves_nothing(rows, workspace):
    content = packed("zip", {"a.bin": b"one"})
    download_ = Download("set.zip", hashlib.md5(content).hexdigest(), ("a.bin", "b.bin"))
    register(replace(STRIPES, name="arch", folder=("Arch",), urls=("http://127.0.0.1:9/",), downloads=(download_,)))
    with mirror({"set.zip": content}) as url, pytest.raises(DatasetError, match="set.zip is cut off or not"):
        download.fetch("arch", workspace, base=url)
    assert absent("arch", workspace) == "arch" and not list((workspace.data / "Arch").glob("set.zip*"))


def test_the_second_address_is_asked_where_the_first_gives_nothing(rows, workspace):
    file = Download("a.bin", hashlib.md5(b"one").hexdigest())
    with mirror({"a.bin": b"one"}) as url:
        register(
            replace(STRIPES, name="two", folder=("Two",), urls=("http://127.0.0.1:9/", url + "/"), downloads=(file,))
        )
        download.fetch("two", workspace)
    assert absent("two", workspace) is None


def idx(array):
    """As torchvision's files of the MNIST family are written."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return gzip.compress(header + array.tobytes())


def mat(compressed, **arrays):
    """A MAT-file of level 5 as MATLAB writes it: {name: uint8 array}, each compressed or not."""

    def element(kind, content):
        return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)

    made = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"
    for name, array in arrays.items():
        parts = [
            element(6, struct.pack("<II", 9, 0)),
            element(5, np.array(array.shape, "<i4").tobytes()),
            struct.pack("<HH", 1, len(name)) + name.encode().ljust(4, b"\0"),  # a small element
            element(2, array.tobytes(order="F")),
        ]
        whole = element(14, b"".join(parts))
        packed = zlib.compress(whole)
        made += struct.pack("<II", 15, len(packed)) + packed if compressed else whole
    return made


def small_files(spec, generator):
    """({name of a download: content in its real format}, what the reader has to make of them)."""
    side, classes = spec.storage_side, len(spec.classes)
    expected = {}
    for split, count in spec.counts.items():
        shape = (count, side, side) if spec.kind != "tiny" else (count, 3, side, side)
        images = generator.integers(0, 256, shape, dtype=np.uint8)
        expected[split] = images, generator.permutation(np.arange(count) % classes).astype(np.uint8)
    if spec.name == "svhn":
        return {
            f"{split}_32x32.mat": mat(
                split == "train",
                X=images.transpose(2, 3, 1, 0),
                y=np.where(labels == 0, 10, labels)[:, None].astype("u1"),
            )
            for split, (images, labels) in expected.items()
        }, expected
    first = {"emnist-letters": 1}.get(spec.name, 0)
    names = {"train": "train", "test": "test" if first else "t10k"}
    start = "gzip/emnist-letters-" if first else ""
    files = {}
    for split, (images, labels) in expected.items():
        files[f"{start}{names[split]}-images-idx3-ubyte.gz"] = idx(
            np.ascontiguousarray(images.transpose(0, 2, 1)) if first else images
        )
        files[f"{start}{names[split]}-labels-idx1-ubyte.gz"] = idx(labels + np.uint8(first))
    if first:
        files = {"gzip.zip": packed("zip", {**files, "gzip/emnist-byclass-mapping.txt": b"x"})}
    return files, expected


@pytest.mark.parametrize("name", ["kmnist", "emnist-letters", "svhn", "fashion-mnist"])
def test_a_set_is_fetched_read_and_learnt_from(rows, workspace, monkeypatch, capsys, name):
    """Small files in the real formats behind a local address, under their row but for counts and digests."""
    spec = replace(rows[name], counts={"train": 130, "test": 52})
    files, expected = small_files(spec, np.random.default_rng(0))
    downloads = tuple(replace(one, md5=hashlib.md5(files[one.name]).hexdigest()) for one in spec.downloads)
    rows[name] = replace(spec, downloads=downloads)
    with mirror(files) as url:
        monkeypatch.setenv("IMGCLS_DATA_MIRROR", url)
        assert main(["fetch", name]) == 0
    for split, (images, labels) in download.load_arrays(name, workspace).items():
        assert torch.equal(images, torch.from_numpy(expected[split][0]).view(images.shape))
        assert torch.equal(labels, torch.from_numpy(expected[split][1]).long())
    said = ["--dataset", name, "--val-split", "26", "--epochs", "1", "--device", "cpu", "--threads", "1", "--name", "r"]
    assert main(["train", *said]) == 0
    capsys.readouterr()
    assert main(["evaluate", "--checkpoint", "r", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"] == 52


@pytest.mark.parametrize("name", ["kmnist", "emnist-letters", "svhn", "fashion-mnist", "cifar10"])
def test_addresses_and_digests_are_torchvisions(name):
    from torchvision import datasets

    spec = dataset_spec(name)
    known = {
        "kmnist": dict(datasets.KMNIST.resources),
        "fashion-mnist": dict(datasets.FashionMNIST.resources),
        "emnist-letters": {datasets.EMNIST.url.rsplit("/", 1)[-1]: datasets.EMNIST.md5},
        "svhn": {file: md5 for split, (_, file, md5) in datasets.SVHN.split_list.items() if split != "extra"},
        "cifar10": {"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},  # torchvision has the pickles
    }[name]
    assert {one.name: one.md5 for one in spec.downloads} == known
    addresses = {
        "kmnist": datasets.KMNIST.mirrors[0],
        "fashion-mnist": datasets.FashionMNIST.mirrors[0],
        "emnist-letters": datasets.EMNIST.url.rsplit("/", 1)[0] + "/",
        "svhn": datasets.SVHN.split_list["train"][0].rsplit("/", 1)[0] + "/",
        "cifar10": datasets.CIFAR10.url.rsplit("/", 1)[0] + "/",
    }
    assert spec.urls == (addresses[name],)


@pytest.mark.parametrize("cut", [0, 100, 130, 200, 1000, -40])
def test_a_broken_mat_file_is_a_sentence(workspace, cut):
    images = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    whole = mat(False, X=images, y=np.ones((4, 1), np.uint8))
    path = workspace.root / "x.mat"
    path.write_bytes(whole)
    assert np.array_equal(read_mat(path)["X"], images)
    path.write_bytes(whole[:cut])
    with pytest.raises(DatasetError, match="x.mat is cut off"):
        read_mat(path)
    path.write_bytes(whole[:128] + bytes(whole[129:])[::-1])
    with pytest.raises(DatasetError, match="x.mat is cut off"):
        read_mat(path)


@pytest.mark.parametrize("model", ["lenet", "resnet18", "mobilenet_v3_small"])
@pytest.mark.parametrize("preset", ["sprint", "standard", "thorough"])
def test_letters_and_numbers_are_not_mirrored_and_no_ink_is_looked_for(model, preset):
    for name, spec in DATASETS.items():
        settings = with_recipe({"dataset": name, "model": model, "preset": preset})
        if not spec.mirrors:
            assert not {"flip", "crop-flip", "resized-crop", "photo"} & {settings.augment}, name
        assert (preprocess_for(settings).resize_mode == "digit") == (spec.kind == "digits")


def test_every_row_is_whole(workspace):
    for name, spec in DATASETS.items():
        assert name == spec.name and spec.kind in registry.IMAGE_KINDS
        assert all(len(one.md5) == 32 for one in spec.downloads) and bool(spec.downloads) == bool(spec.urls)
        assert preprocess_for(with_recipe({"dataset": name})).storage_size == spec.storage_side
        assert all(dataset_spec(part).classes == spec.classes for part in spec.parts)
    assert kind_of("flowers") == "photos"
    with pytest.raises(DatasetError, match="choose one of mnist"):
        dataset_spec("flowers")


def test_no_other_file_knows_a_built_in_set_by_name():
    """Names of sets stand in their rows; elsewhere only as a default, or beside a figure that was measured on one."""
    from test_architecture import FILES

    allowed = {"imgcls.data.registry", "imgcls.settings", "imgcls.presets"}
    names = {f'"{name}"' for name in DATASETS} - {'"mnist"'}
    found = {module for module, path in FILES.items() if any(name in path.read_text("utf-8") for name in names)}
    assert found - allowed == set()
