"""The augmentation "photo", by what it does to pictures that tell where each of their pixels came from."""

import numpy as np
import pytest
import torch
from torchvision.transforms import v2

from imgcls.data.augmentation import compose
from imgcls.imaging.preprocess import Preprocess

HALF = (0.5,) * 3
FORM = Preprocess(channels=3, resize_mode="crop", storage_size=32, size=32, mean=HALF, std=HALF)
COUNT, STORED, ASPECT = 2000, 64, 1.5
RAMP, BARS = 40.0, 56.0  # grey levels: from the middle to an edge; between dark and light bars
TENTHS = np.arange(0.1, 1, 0.1)


@pytest.fixture(scope="module")
def made():
    """(width, height, turn in degrees, mirrored, contrast) of each of COUNT photos of 3:2: red says how far right a
    pixel was, green how far down, and blue bars how strong the contrast is."""
    place = (torch.arange(STORED) * 2 + 1) / STORED - 1
    ramp = 128 + RAMP * place
    bars = 128 + BARS / 2 * torch.where(torch.arange(STORED) // 8 % 2 == 0, 1.0, -1.0)
    picture = torch.stack([ramp.expand(STORED, -1), ramp[:, None].expand(-1, STORED), bars.expand(STORED, -1)])
    generator = torch.Generator().manual_seed(0)
    changed = compose("photo")(picture.expand(COUNT, -1, -1, -1), torch.full((COUNT,), ASPECT), generator, FORM)
    assert changed.shape == (COUNT, 3, 32, 32) and 0 < changed.min() and changed.max() < 255
    strength = (changed[:, 2].amax(dim=(1, 2)) - changed[:, 2].amin(dim=(1, 2))) / BARS
    across = (changed[..., 1:] - changed[..., :-1])[:, :2].flatten(2).median(dim=2).values
    down = (changed[..., 1:, :] - changed[..., :-1, :])[:, :2].flatten(2).median(dim=2).values
    step = RAMP * 2 / FORM.size * strength[:, None]
    share = torch.hypot(across, down) / step  # of the picture's width (red) and height (green)
    turn = torch.rad2deg(torch.atan2(across[:, 1] / share[:, 1], down[:, 1] / share[:, 1]))
    mirrored = across[:, 0] < 0
    return share[:, 0].numpy(), share[:, 1].numpy(), turn.numpy(), mirrored.numpy(), strength.numpy()


def same(one, other, tolerance):
    return np.abs(np.quantile(one, TENTHS) - np.quantile(other, TENTHS)).max() < tolerance


def test_its_boxes_are_those_of_torchvision_with_a_third_of_the_area(made):
    width, height, *_ = made
    torch.manual_seed(0)
    crop = v2.RandomResizedCrop(32, scale=(0.35, 1.0))
    theirs = [crop.make_params([torch.zeros(3, 400, 600)]) for _ in range(COUNT)]
    high, wide = (np.array([box[side] for box in theirs]) for side in ("height", "width"))
    assert same(width * height, wide * high / 240_000, 0.03)
    assert same(width * ASPECT / height, wide / high, 0.03)
    assert (width * height).min() > 0.34


def test_it_turns_by_up_to_fifteen_degrees_and_mirrors_every_second_one(made):
    _, _, turn, mirrored, _ = made
    torch.manual_seed(0)
    theirs = [v2.RandomRotation(15).make_params([])["angle"] for _ in range(COUNT)]
    assert same(turn, theirs, 1.2) and 14.5 < np.abs(turn).max() < 15.1
    assert abs(mirrored.mean() - 0.5) < 0.05


def test_it_is_brighter_or_darker_by_up_to_a_quarter_and_so_is_the_contrast(made):
    torch.manual_seed(0)
    jitter = v2.ColorJitter(brightness=0.25, contrast=0.25)
    theirs = [jitter.make_params([]) for _ in range(COUNT)]
    assert same(made[-1], [float(drawn["brightness_factor"] * drawn["contrast_factor"]) for drawn in theirs], 0.03)
