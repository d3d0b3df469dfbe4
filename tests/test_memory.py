"""What reading a picture costs in memory, whatever the file: measured as the growth of a process of its own."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from photos import flowers
from PIL import Image
from torchvision.transforms.v2.functional import center_crop, resize

from imgcls.cli.main import main
from imgcls.data import decode_cache
from imgcls.errors import InputError
from imgcls.imaging import image_io
from imgcls.imaging.image_io import open_image
from imgcls.imaging.preprocess import Preprocess
from imgcls.recipes import with_recipe
from imgcls.training import events
from imgcls.training.trainer import train

MOST_BYTES = 600_000_000
FILE_BYTES = 10_000_000
# Every kind of file as large as it may be; what is over the limit is refused from its header.
LARGEST = """
import io, sys
from PIL import Image
from imgcls.errors import InputError
from imgcls.imaging.preprocess import Preprocess
from imgcls.imaging.image_io import opened_image
from imgcls.inference.classify import prepare

def form(mode, channels, side):
    half = (0.5,) * channels
    return Preprocess(channels=channels, resize_mode=mode, storage_size=side, size=side, mean=half, std=half)

FORMS = [form("crop", 3, 224), form("stretch", 3, 448), form("garment", 1, 28), form("digit", 1, 28)]

def peak(reset=False):
    if reset:
        open("/proc/self/clear_refs", "w").write("5")
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) * 1024

def look(path, forms):
    try:
        for one in forms:
            with opened_image(path, keep_alpha=True, near=one.decode_side) as image:
                prepare(one, image)
    except InputError as error:
        return "pixels" in str(error) or "nothing to read" in str(error)
    return True

look(sys.argv[1], FORMS)
for path in sys.argv[2:]:
    before = peak(reset=True)
    fine = look(path, FORMS if path.endswith(("clear.png", ".jpg")) else (FORMS[0], FORMS[-1]))
    print(path, peak() - before, fine, flush=True)
"""


def striped(mode, side, *colours):
    image = Image.new(mode, (side, side), colours[0])
    image.paste(colours[1], (side // 3, 0, side // 2, side))
    return image


def saved(path, image, **options):
    image.save(path, **({"compress_level": 1} | options if path.suffix == ".png" else options))
    return path


@pytest.fixture(scope="module")
def largest(tmp_path_factory):
    """A small picture, then files of at most 10 MB at the edge of what is read, and beyond it."""
    folder = tmp_path_factory.mktemp("largest")
    red, blue = (200, 10, 30), (0, 0, 200)
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = striped("RGB", 7060, red, blue)
    made = [
        saved(folder / "small.png", striped("RGB", 60, red, blue)),
        saved(folder / "turned.png", colour, exif=exif),
        saved(folder / "turned.jpg", colour, exif=exif, quality=50),
        saved(folder / "clear.png", striped("RGBA", 7060, (*red, 90), (*blue, 255))),
        saved(folder / "palette.gif", colour.quantize(8), transparency=0),
        saved(folder / "grey.png", striped("L", 8900, 200, 20)),
        saved(folder / "deep.png", Image.fromarray(np.full((8000, 8000), 3000, np.uint16))),
        saved(folder / "ink.tif", striped("CMYK", 7060, (90, 0, 0, 0), (0, 90, 0, 20)), compression="tiff_lzw"),
        saved(folder / "progressive.jpg", striped("RGB", 6300, red, blue), quality=50, progressive=True, subsampling=0),
        saved(folder / "lossy.webp", striped("RGB", 4990, red, blue), quality=50, method=0),
        saved(folder / "lossy.avif", striped("RGB", 4990, red, blue), quality=30, speed=10),
        saved(folder / "waves.jp2", striped("RGB", 4450, red, blue), quality_mode="rates", quality_layers=[200]),
        saved(folder / "beyond.webp", colour, quality=50, method=0),
        saved(folder / "wide.png", Image.new("RGB", (60_000, 1), red)),
        saved(folder / "wider.png", Image.new("RGB", (20_000_000, 2), red)),
        saved(folder / "strip.png", Image.new("RGB", (65_000, 700), red)),
        saved(folder / "tall.png", Image.new("RGB", (1, 3_000_000), red)),
    ]
    assert all(path.stat().st_size <= FILE_BYTES for path in made)
    return made


def test_no_file_takes_more_than_a_part_of_the_memory(largest):
    done = subprocess.run(
        [sys.executable, "-c", LARGEST, *map(str, largest)], capture_output=True, text=True, timeout=300, check=True
    )
    rows = [line.rsplit(" ", 2) for line in done.stdout.splitlines()]
    assert [row[0] for row in rows] == [str(path) for path in largest[1:]]
    assert [row for row in rows if int(row[1]) > MOST_BYTES or row[2] != "True"] == []


@pytest.fixture
def wide(tmp_path):
    path = tmp_path / "wide.png"
    Image.new("RGB", (60_000, 1), (200, 30, 60)).save(path)
    return path


@pytest.mark.parametrize("size", [(2000, 90), (90, 2000), (3001, 64)])
def test_the_centre_of_a_narrow_picture_is_torchvisions(size):
    """A grey level off at most: Pillow takes the box in single precision."""
    random = np.random.default_rng(1)
    smooth = Image.fromarray(random.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)).resize(size)
    form = Preprocess(channels=3, resize_mode="crop", storage_size=56, size=56, mean=(0.5,) * 3, std=(0.5,) * 3)
    theirs = np.asarray(center_crop(resize(smooth, [64]), [56])).transpose(2, 0, 1)
    assert np.abs(form.to_stored(smooth).numpy().astype(int) - theirs).max() <= 1


def test_turning_works_some_rows_at_a_time(monkeypatch):
    """All eight ways to lie, of a picture that is turned in many pieces."""
    upright = Image.fromarray(np.random.default_rng(2).integers(0, 256, (30, 50, 3), np.uint8))
    monkeypatch.setattr("imgcls.imaging.pixel_modes.STRIP_PIXELS", 150)
    inverse = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    for orientation in range(1, 9):
        exif, file = Image.Exif(), io.BytesIO()
        exif[0x0112] = orientation
        stored = upright.transpose(Image.Transpose(inverse[orientation])) if orientation > 1 else upright
        stored.save(file, "PNG", exif=exif)
        assert open_image(file.getvalue()).tobytes() == upright.tobytes(), orientation


def test_a_picture_that_is_still_in_use_keeps_its_memory_booked(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGB", (400, 300), "red"))
    with image_io.opened_image(path):
        assert image_io._room.used >= 400 * 300 * 4
    assert image_io._room.used == 0


def test_whoever_runs_out_of_memory_names_the_picture(tmp_path):
    path = saved(tmp_path / "a.png", Image.new("RGB", (40, 30), "red"))
    with pytest.raises(InputError, match="not enough memory for .*a.png"), image_io.opened_image(path):
        raise MemoryError


def test_predict_answers_for_every_other_file(wide, tmp_path, capsys):
    rose = saved(tmp_path / "rose.jpg", Image.new("RGB", (64, 48), (200, 30, 60)))
    far = saved(tmp_path / "far.png", Image.new("RGB", (70_000, 1), "red"))
    white = saved(tmp_path / "white.png", Image.new("L", (64, 48), 255))
    code = main(["predict", "--checkpoint", "lenet-digits", "--json", *map(str, (wide, rose, far, white))])
    rows = {row["path"]: row for row in map(json.loads, capsys.readouterr().out.splitlines())}
    assert code == 1 and list(rows) == list(map(str, (wide, rose, far, white)))
    for path in (far, white):
        assert path.name in rows[str(path)]["error"] and "draw" not in rows[str(path)]["error"]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_run_goes_on_beside_photos_that_need_too_much(workspace, monkeypatch, wide, streamed):
    root = flowers(workspace.data / "flowers", each=12)
    wide.rename(root / "rose" / "wide.png")
    saved(root / "rose" / "far.png", Image.new("RGB", (70_000, 1), "red"))
    if streamed:
        monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "epochs": 1, "batch_size": 8, "device": "cpu"})
    made = list(train(settings, workspace=workspace, run="r"))
    assert isinstance(made[-1], events.Finished)
    told = [str(note) for e in made if isinstance(e, events.Started) for note in e.notes]
    told += [str(e.message) for e in made if isinstance(e, events.Note)]
    assert any("far.png" in sentence for sentence in told)


@pytest.mark.parametrize("augment", ["none", "crop-flip"])
def test_batches_without_a_readable_photo_teach_nothing_wrong(workspace, monkeypatch, augment):
    root = flowers(workspace.data / "flowers", each=8)
    for path in list((root / "rose").glob("*.jpg"))[:7] + list((root / "tulip").glob("*.jpg"))[:7]:
        path.write_bytes(b"no image")
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    asked = {"dataset": "flowers", "model": "lenet", "epochs": 1, "batch_size": 2, "device": "cpu", "augment": augment}
    made = list(train(with_recipe(asked), workspace=workspace, run="r"))
    assert isinstance(made[-1], events.Finished)
    named = [str(e.message) for e in made if isinstance(e, events.Note) and e.code == "left_out"]
    assert named and all("not an image" in sentence or "more photo" in sentence for sentence in named)


def test_a_batch_of_broken_photos_is_another_photo_with_its_own_label(workspace, monkeypatch):
    from imgcls.data.photos import StreamingPhotos
    from imgcls.data.splitting import Split

    root = flowers(workspace.data / "flowers", each=4)
    paths = sorted(root.rglob("*.jpg"))
    for path in paths[:3]:
        path.write_bytes(b"no image")
    photos = StreamingPhotos(paths, side=32, channels=3, resize_mode="crop")
    split = Split(photos, torch.arange(len(paths)))
    ((images, _, labels),) = split.read([torch.tensor([0, 1, 2])])
    assert labels.tolist() == [3, 3, 3] and images.float().mean() > 20 and photos.broken == {0, 1, 2}


def test_a_validation_part_without_a_readable_photo_is_said(workspace, monkeypatch):
    root = flowers(workspace.data / "flowers" / "train", each=4).parent
    flowers(root / "val", each=1)
    for path in (root / "val").rglob("*.jpg"):
        path.write_bytes(b"no image")
    monkeypatch.setattr(decode_cache, "MAX_BYTES", 1000)
    settings = with_recipe({"dataset": "flowers", "model": "lenet", "epochs": 1, "batch_size": 4, "device": "cpu"})
    with pytest.raises(Exception, match="flowers has no readable image to use for") as error:
        list(train(settings, workspace=workspace, run="r"))
    assert type(error.value).__name__ == "DatasetError"
