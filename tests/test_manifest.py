"""Which images a run is about, written down before its first step and read by whoever asks later."""

import gzip
import io
import json
import os

import pytest
import torch
import torchvision
from photos import flowers, photo

from imgcls.checkpoints.format import read_meta
from imgcls.data.content_digests import content_digests
from imgcls.data.manifest import Manifest, manifest_file
from imgcls.errors import RunError
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.loading import load_run_data
from imgcls.training.trainer import train


@pytest.fixture
def own(workspace):
    return flowers(workspace.data / "flowers")


def said(**values):
    plain = {"dataset": "flowers", "model": "lenet", "epochs": 1, "device": "cpu", "threads": 1}
    return with_recipe({**plain, **values})


def run(settings, workspace, name="r", *, after=None, resume=False):
    """`after`: steps, after which it is stopped."""
    made, steps = [], 0

    def should_stop():
        return after is not None and steps >= after

    for event in train(settings, workspace=workspace, run=name, should_stop=should_stop, resume=resume):
        made.append(event)
        steps += isinstance(event, events.Started | events.Progress)
    return made


def written(workspace, name="r"):
    return Manifest.read(manifest_file(name, workspace))


def test_a_run_writes_it_before_its_first_step_and_its_checkpoint_names_it(own, workspace):
    (own / "rose" / "broken.jpg").write_bytes(b"no image")
    (own / "rose" / "06.jpg").write_bytes((own / "rose" / "05.jpg").read_bytes())  # a copy
    seen = []
    for event in train(said(), workspace=workspace, run="r"):
        seen.append(manifest_file("r", workspace).is_file())
        assert not isinstance(event, events.Failed)
    assert all(seen)
    made, data = written(workspace), load_run_data(said(), workspace)
    assert made.classes == ("daisy", "rose", "tulip") and made == data.manifest
    for kind in ("best", "last"):
        assert read_meta(workspace.checkpoints / "r" / f"{kind}.safetensors").manifest == made.digest
    for part in ("train", "val"):
        assert [os.path.join(own, path) for path in made.splits[part].paths] == list(getattr(data, part).paths)
        assert list(made.splits[part].labels) == getattr(data, part).labels.tolist()
        for path, digest in zip(made.splits[part].paths, made.splits[part].digests, strict=True):
            assert (digest,) == content_digests([own / path], own)
    assert len(made.learnt | made.validated) == 35 and not made.learnt & made.validated
    assert [one.path for one in made.left_out] == ["rose/broken.jpg"]
    assert "broken.jpg" in str(made.left_out[0].reason)


def test_its_file_is_one_line_an_image_for_any_program(own, workspace):
    load_run_data(said(), workspace).manifest.write(manifest_file("r", workspace))
    header, *lines = [json.loads(line) for line in gzip.open(manifest_file("r", workspace), "rt")]
    assert header["dataset"] == "flowers" and header["images"] == {"train": 29, "val": 7} and len(lines) == 36
    assert set(lines[0]) == {"split", "path", "class", "digest"}
    assert header["classes"][lines[0]["class"]] == lines[0]["path"].partition("/")[0]


def test_a_damaged_one_and_one_of_a_newer_version_are_none(own, workspace):
    path, made = manifest_file("r", workspace), load_run_data(said(), workspace).manifest
    assert Manifest.read(path) is None
    made.write(path)
    whole = path.read_bytes()
    assert Manifest.read(path).digest == made.digest
    for content in (whole[:100], whole[:-20], b"", b"text", gzip.compress(b"text\n"), gzip.compress(b"{}\n")):
        path.write_bytes(content)
        assert Manifest.read(path) is None
    lines = gzip.decompress(whole).decode().splitlines()
    for wrong in ([lines[0].replace('"format": 1', '"format": 2'), *lines[1:]], lines[:-1]):
        path.write_bytes(gzip.compress("\n".join(wrong).encode()))
        assert Manifest.read(path) is None


@pytest.mark.parametrize("name", ["mnist", "mnist+pen-digits"])
def test_an_image_of_a_built_in_set_is_its_place_in_the_file(workspace, monkeypatch, name):
    from imgcls.data import pen_digits
    from imgcls.data.download import load_arrays

    drawn = torch.zeros(120, 1, 28, 28, dtype=torch.uint8), torch.zeros(120, dtype=torch.int64)
    monkeypatch.setattr(pen_digits, "load_pen_digits", lambda *place, **said: drawn)  # drawing them takes a minute
    chosen = with_recipe({"dataset": name, "train_images": 500, "flip_labels": 0.1, "seed": 4})
    data = load_run_data(chosen, workspace)
    files = load_arrays("mnist", workspace)
    assert {part: len(split) for part, split in data.manifest.splits.items()} == data.sizes
    for part, split in data.manifest.splits.items():
        images, labels = getattr(data, part).images, getattr(data, part).labels
        assert list(split.labels) == labels.tolist() and len(set(split.paths)) == len(split)
        for i in range(0, len(split), 97):
            source, file, place = split.paths[i].split("/")
            if source == "mnist":
                assert torch.equal(images[i], files[file][0][int(place)])
    path = manifest_file("r", workspace)
    data.manifest.write(path)
    assert Manifest.read(path) == data.manifest and path.stat().st_size < 200_000
    other = load_run_data(chosen.model_copy(update={"seed": 5}), workspace).manifest
    assert other.digest != data.manifest.digest and other.validated != data.manifest.validated


def test_contents_are_read_once_as_long_as_size_and_time_stay(own, monkeypatch):
    from imgcls.data import content_digests as module

    paths = sorted(own.rglob("*.jpg"))
    read, content = [], module._content
    monkeypatch.setattr(module, "_content", lambda path: read.append(path) or content(path))
    first = content_digests(paths, own)
    assert len(read) == len(set(first)) == 36 and content_digests(paths[::-1], own) == first[::-1] and len(read) == 36
    (own / "rose" / "05.jpg").write_bytes(b"another")
    assert content_digests(paths, own) != first and len(read) == 37
    assert content_digests([own / "gone.jpg"], own) == ("",)
    (own / ".imgcls-cache" / "digests").write_bytes(b"damaged" * 3)
    assert len(content_digests(paths, own)) == 36


def replaced(own):
    path = own / "rose" / "05.jpg"
    size, other = path.stat().st_size, io.BytesIO()
    photo("rose", 777).save(other, "JPEG", quality=20)
    path.write_bytes(other.getvalue().ljust(size, b"\0"))
    assert path.stat().st_size == size


def damaged(own):
    (own / "rose" / "05.jpg").write_bytes(b"no image")


def gone(own):
    (own / "rose" / "05.jpg").unlink()


def moved(own):
    (own / "rose" / "05.jpg").rename(own / "tulip" / "99.jpg")


def new(own):
    photo("rose", 999).save(own / "rose" / "new.jpg")


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (replaced, "1 image has been replaced by another .e.g. rose/05.jpg"),
        (damaged, "1 image cannot be read any more .e.g. rose/05.jpg"),
        (gone, "1 image is gone .e.g. rose/05.jpg"),
        (moved, "rose/05.jpg"),
        (new, "1 image is new .e.g. rose/new.jpg"),
    ],
)
def test_a_resume_notices_what_became_of_its_photos(own, workspace, change, sentence, linked):
    if linked:  # the class lies on another disk
        (workspace.root / "elsewhere").mkdir()
        (own / "rose").rename(workspace.root / "elsewhere" / "rose")
        (own / "rose").symlink_to(workspace.root / "elsewhere" / "rose")
    chosen = said(epochs=30, batch_size=8)
    assert isinstance(run(chosen, workspace, after=2)[-1], events.Stopped)
    change(own)
    with pytest.raises(RunError, match="images of flowers are not those that r began with") as caught:
        run(chosen, workspace, resume=True)
    caught.match(sentence)


def test_a_copy_of_the_lab_with_other_times_goes_on(own, workspace):
    chosen = said(epochs=2, batch_size=8)
    run(chosen, workspace, after=2)
    for path in own.rglob("*.jpg"):
        os.utime(path, (1, 1))
    assert isinstance(run(chosen, workspace, resume=True)[-1], events.Finished)


def test_a_run_whose_manifest_cannot_be_written_says_so_and_goes_on(own, workspace):
    manifest_file("r", workspace).mkdir(parents=True)
    made = run(said(), workspace)
    (note,) = [e for e in made if isinstance(e, events.Note) and e.code == "manifest_failed"]
    assert "could not be kept" in str(note.message) and isinstance(made[-1], events.Finished)


def test_a_resume_needs_no_pretrained_file(own, workspace):
    workspace.weight.mkdir()
    file = workspace.weight / "own.pth"
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), file)
    for transfer in ("finetune", "head"):
        chosen = said(
            model="resnet18", transfer=transfer, weights=str(file), image_size=32, epochs=3, batch_size=8, lr=1e-3
        )
        run(chosen, workspace, transfer, after=2)
        content = file.read_bytes()
        file.unlink()
        assert isinstance(run(chosen, workspace, transfer, resume=True)[-1], events.Finished)
        file.write_bytes(content)
