"""Photos are decoded once; the cache gives what decoding gives, and survives whatever happens to its files."""

import multiprocessing
import os
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from imgcls.data.cache_room import TooLarge
from imgcls.data.decode_cache import FOLDER, decoded
from imgcls.data.photos import StorageFormat, StreamingPhotos
from imgcls.imaging.image_io import open_image
from imgcls.imaging.preprocess import Preprocess


@pytest.fixture
def photos(tmp_path) -> Path:
    """Twenty photos of different shapes; number 5 is cut off, number 7 no image."""
    root = tmp_path / "pets"
    noise = np.random.default_rng(0)
    for i in range(20):
        path = root / ("cat", "dog")[i % 2] / f"{i:02}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise.integers(0, 256, (40 + i, 60, 3), dtype=np.uint8)).save(path)
    cut = paths_of(root)[5]
    cut.write_bytes(cut.read_bytes()[:300])
    paths_of(root)[7].write_text("no image")
    return root


def paths_of(root: Path) -> list[Path]:
    return sorted(root.glob("*/*.jpg"), key=lambda p: p.name)


def made(root: Path, paths: list[Path] | None = None, **options):
    options = {"side": 16, "channels": 3, "resize_mode": "crop"} | options
    return decoded(paths_of(root) if paths is None else paths, root=root, **options)


def kept(root: Path) -> list[Path]:
    return sorted((root / FOLDER).glob("*.photos"))


@pytest.mark.parametrize("how", ["crop", "square", "stretch"])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_what_preprocess_makes_of_the_files(photos, how, channels):
    half = (0.5,) * channels
    preprocess = Preprocess(channels=channels, resize_mode=how, storage_size=16, size=16, mean=half, std=half)
    for _ in range(2):  # decoded, then kept
        cached = made(photos, resize_mode=how, channels=channels)
        assert cached.images.shape == (20, channels, 16, 16) and cached.images.dtype == torch.uint8
        assert cached.aspects.dtype == torch.float32 and cached.ok.dtype == torch.bool
        for i, path in enumerate(paths_of(photos)):
            if i in (5, 7):
                assert not cached.ok[i] and not cached.images[i].any()
                continue
            with open_image(path) as image:
                near = preprocess.to_stored(image)
                assert cached.ok[i] and abs(float(cached.aspects[i]) - image.width / image.height) < 1e-5
            assert torch.equal(cached.images[i], near)


def test_broken_images_are_reported_in_order(photos):
    for _ in range(2):
        errors = made(photos).errors
        assert [path for path, _ in errors] == [paths_of(photos)[5], paths_of(photos)[7]]
        assert str(errors[0][1]).startswith("dog/05.jpg is cut off") and "is not an image" in str(errors[1][1])


def test_the_second_time_nothing_is_decoded(photos):
    first = made(photos)
    for path in paths_of(photos):  # same name, size and time, other content: only decoding would notice
        stat = path.stat()
        path.write_bytes(b"\0" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert torch.equal(made(photos).images, first.images) and len(kept(photos)) == 1


def test_a_changed_a_new_and_a_missing_photo_are_seen(photos):
    first = made(photos)
    paths = paths_of(photos)
    Image.new("RGB", (50, 50), "red").save(paths[0])
    os.utime(paths[0], ns=(0, 0))
    paths[1].unlink()
    again = made(photos, paths)
    assert again.images[0, 0].min() > 250 and not torch.equal(again.images[0], first.images[0])
    assert not again.ok[1] and str(again.errors[0][1]).startswith("There is no file dog/01.jpg")
    assert torch.equal(again.images[2:], first.images[2:])


def test_another_order_or_part_is_copied_not_decoded(photos):
    first = made(photos)
    for path in paths_of(photos):
        stat = path.stat()
        path.write_bytes(b"\0" * stat.st_size)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    part = made(photos, paths_of(photos)[:4:-1][:10])
    assert bool(part.ok.all()) and torch.equal(part.images, first.images.flip(0)[:10])
    assert torch.equal(part.aspects, first.aspects.flip(0)[:10])


@pytest.mark.parametrize("damage", ["cut", "foreign", "empty", "count"])
def test_a_damaged_file_is_made_again(photos, damage):
    first = made(photos).images.clone()
    (place,) = kept(photos)
    data = place.read_bytes()
    place.unlink()
    place.write_bytes(
        {"cut": data[:-9], "foreign": b"x" * len(data), "empty": b"", "count": data[:-40] + bytes(40)}[damage]
    )
    assert torch.equal(made(photos).images, first)


def test_writing_into_the_tensor_changes_no_file(photos):
    first = made(photos)
    before = first.images.clone()
    first.images.zero_()
    assert torch.equal(made(photos).images, before)


def test_too_large_for_the_cache(photos):
    with pytest.raises(TooLarge, match="choose a smaller image size"):
        made(photos, max_bytes=1000)
    assert kept(photos) == []


def test_the_longest_unused_go_first(photos):
    for age, side in ((300, 16), (200, 17), (100, 18)):
        made(photos, side=side)
        for place in kept(photos):
            if f"x{side}-" in place.name:
                os.utime(place, (time.time() - age,) * 2)
    made(photos, side=16)  # used again: now the youngest
    made(photos, side=19, max_bytes=sum(p.stat().st_size for p in kept(photos)))
    assert [p.name.split("-")[1] for p in kept(photos)] == ["3x16", "3x19"]


def test_old_half_written_files_go_and_young_ones_stay(photos):
    (photos / FOLDER).mkdir()
    old, young = photos / FOLDER / "a.tmp", photos / FOLDER / "b.tmp"
    old.touch(), young.touch()
    os.utime(old, (0, 0))
    made(photos)
    assert not old.exists() and young.exists()


def test_nothing_half_written_stays_when_a_build_is_stopped(photos):
    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(photos, progress=stop)
    assert list((photos / FOLDER).iterdir()) == []


def test_progress_ends_at_all(photos):
    seen: list[tuple[int, int]] = []
    made(photos, progress=lambda done, count: seen.append((done, count)))
    assert seen[-1] == (20, 20) and seen == sorted(seen)


def test_no_photos_at_all(photos):
    assert made(photos, []).images.shape == (0, 3, 16, 16)


def test_where_the_folder_cannot_be_written_a_temporary_one_is_used(photos, tmp_path):
    blocked = tmp_path / "a file"
    blocked.touch()
    assert bool(made(photos, cache=blocked / "cache").ok[0]) and not (photos / FOLDER).exists()


def _build(root: str, queue) -> None:
    queue.put(made(Path(root)).images.sum(dtype=torch.int64).item())


def test_two_processes_build_at_once(photos):
    context = multiprocessing.get_context("fork" if hasattr(os, "fork") else "spawn")
    queue = context.Queue()
    processes = [context.Process(target=_build, args=(str(photos), queue)) for _ in range(2)]
    for process in processes:
        process.start()
    sums = {queue.get(timeout=60) for _ in processes}
    for process in processes:
        process.join()
    assert sums == {made(photos).images.sum(dtype=torch.int64).item()} and len(kept(photos)) == 1


def test_streaming_gives_the_same_and_never_raises(photos):
    cached = made(photos, resize_mode="stretch")
    streamed = StreamingPhotos(paths_of(photos), side=16, channels=3, resize_mode="stretch")
    loader = torch.utils.data.DataLoader(streamed, batch_size=7)
    images, aspects, ok = (torch.cat(parts) for parts in zip(*loader, strict=True))
    assert torch.equal(images, cached.images) and torch.equal(ok, cached.ok)
    assert torch.equal(aspects[ok], cached.aspects[ok])


def test_a_large_jpeg_read_fast_looks_the_same(tmp_path):
    """Decoded at a quarter or in full: within the rounding of JPEG."""
    rows, columns = np.mgrid[0:900, 0:1200]
    picture = np.stack([rows / 900, columns / 1200, np.sin(rows / 40) * np.sin(columns / 60) / 2 + 0.5], -1)
    Image.fromarray((picture * 255).astype(np.uint8)).save(tmp_path / "a.jpg", quality=95)
    form = StorageFormat(64, 3, "stretch")
    fast, aspect = form.read(tmp_path / "a.jpg")
    with open_image(tmp_path / "a.jpg") as image:
        slow = np.asarray(image.resize((64, 64), Image.Resampling.BILINEAR)).transpose(2, 0, 1)
    assert abs(fast.numpy().astype(int) - slow).max() <= 6 and abs(aspect - 4 / 3) < 0.01
