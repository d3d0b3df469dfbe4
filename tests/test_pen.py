"""Pen digits as images, and the pen augmentation."""

import gzip
import json

import pytest
import torch
import torch.nn.functional as F

from imgcls.data import pen_augmentation
from imgcls.data.download import load_arrays
from imgcls.data.pen_augmentation import pen
from imgcls.data.pen_digits import load_pen_digits
from imgcls.errors import DatasetError
from imgcls.workspace import PROJECT, Workspace

SHIPPED = PROJECT / "data" / "pen-digits" / "pen-digits-train.json.gz"


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pen")
    drawings = json.loads(gzip.decompress(SHIPPED.read_bytes()))
    assert len(drawings) == 7494
    (folder / "few.json.gz").write_bytes(gzip.compress(json.dumps(drawings[:40]).encode()))
    return folder


def test_each_rendering_differs_and_is_kept(few):
    images, labels = load_pen_digits(few / "few.json.gz", renderings=2, seed=0, cache=few / "kept")
    assert images.shape == (80, 1, 28, 28) and images.dtype == torch.uint8 and labels.shape == (80,)
    assert torch.equal(labels[:40], labels[40:]) and not torch.equal(images[:40], images[40:])
    kept = next((few / "kept").iterdir())
    made = kept.stat().st_mtime_ns
    again, _ = load_pen_digits(few / "few.json.gz", renderings=2, seed=0, cache=few / "kept")
    assert torch.equal(images, again) and kept.stat().st_mtime_ns == made
    kept.write_bytes(b"broken")
    assert torch.equal(load_pen_digits(few / "few.json.gz", renderings=2, seed=0, cache=few / "kept")[0], images)


def test_a_broken_file_is_a_sentence(tmp_path):
    (tmp_path / "x.json.gz").write_bytes(SHIPPED.read_bytes()[:5000])
    with pytest.raises(DatasetError, match="missing or broken"):
        load_pen_digits(tmp_path / "x.json.gz", renderings=1, seed=0)


def test_each_image_is_changed_its_own_way_and_repeatably():
    image = load_arrays("mnist", Workspace())["test"][0][:1].float() / 255
    batch = image.expand(32, -1, -1, -1)
    made = pen(batch, generator=torch.Generator().manual_seed(3))
    assert made.shape == batch.shape and made.min() >= 0 and made.max() <= 1
    assert torch.equal(made, pen(batch, generator=torch.Generator().manual_seed(3)))
    assert all(not torch.equal(made[0], other) for other in made[1:])
    ink = made.sum((1, 2, 3)) / image.sum()
    assert ink.min() < 0.9 and ink.max() > 1.3 and ink.min() > 0.3  # thinner, thicker, never gone


def test_the_grid_is_torchs_affine_grid_and_its_bicubic_enlargement():
    """What the one matrix product stands for, and the pools that the neighbours stand for."""
    images = torch.rand(9, 3, 20, 28, generator=torch.Generator().manual_seed(0))
    theta = torch.tensor([[[0.9, 0.2, 0.1], [-0.1, 1.1, -0.05]]]).expand(9, -1, -1)
    knots = torch.rand(9, 2, 5, 5, generator=torch.Generator().manual_seed(1)) - 0.5
    bend = F.interpolate(knots, (20, 28), mode="bicubic", align_corners=True)
    wanted = F.affine_grid(theta, [9, 3, 20, 28], align_corners=False) + bend.permute(0, 2, 3, 1)
    factors = torch.cat([theta, knots.view(9, 2, -1)], dim=2).view(18, -1)
    made = (factors @ pen_augmentation._fields(20, 28, torch.device("cpu"))).view(9, 2, 20, 28).permute(0, 2, 3, 1)
    assert torch.allclose(made, wanted, atol=1e-5)
    broad = pen_augmentation._among_neighbours(images, torch.maximum, 3)
    assert torch.equal(broad, F.max_pool2d(images, (1, 3), stride=1, padding=(0, 1)))
    fine = pen_augmentation._among_neighbours(images, torch.minimum, 2)
    assert torch.equal(fine, -F.max_pool2d(-images, (3, 1), stride=1, padding=(1, 0)))
