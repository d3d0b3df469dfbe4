"""Augmentations are rows that can be combined; erasing and TrivialAugment are torchvision's, an image each."""

import math

import pytest
import torch
from torchvision.transforms import InterpolationMode, RandomErasing
from torchvision.transforms.v2 import functional

from imgcls import augmentations
from imgcls.augmentations import AUGMENTATIONS, AugmentationSpec, register
from imgcls.cli.main import main
from imgcls.data.augmentation import compose
from imgcls.data.trivial_augment import BLEND, CHANGES, LEVELS, POSTERIZED_BITS, SHEAR, trivial_augment
from imgcls.errors import SettingsError
from imgcls.imaging.preprocess import Preprocess
from imgcls.recipes import with_recipe
from imgcls.web.i18n.translator import Translator

FORM = Preprocess(channels=3, resize_mode="square", storage_size=32, size=48, mean=(0.5, 0.4, 0.3), std=(0.5, 0.5, 0.5))


def images(count=64, side=32):
    """Smooth, with an edge: as photos are."""
    generator = torch.Generator().manual_seed(3)
    coarse = torch.rand(count, 3, 5, 5, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, (side, side), mode="bilinear", align_corners=True)
    fine[:, :, side // 2 :] *= 0.5
    return (fine * 255).to(torch.uint8)


def changed(text, given=None, seed=5):
    given = images() if given is None else given
    return compose(text)(given, None, torch.Generator().manual_seed(seed), FORM)


def test_a_combination_is_its_rows_one_after_the_other():
    generator = torch.Generator().manual_seed(5)
    flipped = AUGMENTATIONS["flip"].apply(images(), None, generator, FORM)
    enlarged = FORM.resize(flipped.float())
    wanted = AUGMENTATIONS["erase"].apply(enlarged, None, generator, FORM)
    assert torch.equal(changed("flip,erase"), wanted)
    assert not torch.equal(changed("flip"), wanted)


# Of what the version that knew single names only made of these images with this seed, bit for bit the same: sums with
# weights from 0 to 1, which no pixel can change its place or value without changing.
SUMS = {
    "none": 20679119.934995465,
    "pen": 18196316.71988427,
    "flip": 20679132.841089085,
    "crop-flip": 20548525.669351757,
    "resized-crop": 20207023.875338636,
    "photo": 20194258.08298368,
}


@pytest.mark.parametrize("name", list(SUMS))
def test_single_names_mean_what_they_meant(name):
    aspects = torch.linspace(0.5, 2, 64) if name in ("resized-crop", "photo") else None
    made = compose(name)(images(), aspects, torch.Generator().manual_seed(5), FORM).double().flatten()
    assert float((made * torch.linspace(0, 1, len(made), dtype=torch.float64)).sum()) == pytest.approx(
        SUMS[name], rel=1e-8
    )


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("blur", "augment is blur, but must be one of none, pen"),
        ("flip,flip", "or several with commas between"),
        ("none,flip", "or several with commas between"),
        ("photo,resized-crop", "one of photo, resized-crop at most"),
        ("", "augment is empty"),
        ("flip,,erase", "must be one of"),
    ],
)
def test_what_cannot_be_combined_is_said(text, wrong):
    with pytest.raises(SettingsError, match=wrong):
        with_recipe({"augment": text})


def test_order_and_spaces_are_no_matter():
    assert with_recipe({"augment": " erase , crop-flip"}).augment == "crop-flip,erase"
    assert with_recipe({"augment": "none"}).augment == "none"
    assert Translator("en").value("crop-flip,erase") == "Shift and mirror + Random erasing"


def test_ten_lines_add_one(workspace, monkeypatch):
    monkeypatch.setattr(augmentations, "AUGMENTATIONS", AUGMENTATIONS)

    def dim(images, aspects, generator, preprocess):
        return images * torch.rand(len(images), 1, 1, 1, generator=generator)

    try:
        register(AugmentationSpec(name="dim", title="Dim", stage="input", apply=dim))
        said = [
            "--augment",
            "dim,shift",
            "--train-images",
            "200",
            "--epochs",
            "1",
            "--val-split",
            "50",
            "--device",
            "cpu",
        ]
        assert main(["train", *said, "--threads", "1", "--name", "dimmed"]) == 0
        with pytest.raises(SettingsError, match="flip cannot be used"):
            register(AugmentationSpec(name="flip", title="Dim", stage="input", apply=dim))
    finally:
        AUGMENTATIONS.pop("dim", None)
    assert not torch.equal(changed("shift"), changed("none"))


def test_erased_boxes_are_spread_as_torchvisions_are():
    given = torch.full((4000, 3, 40, 40), 200, dtype=torch.uint8)
    form = FORM.model_copy(update={"storage_size": 40, "size": 40})
    ours = compose("erase")(given, None, torch.Generator().manual_seed(0), form)
    erased = ours[:, 0] != 200
    fill = torch.tensor(form.mean).view(3, 1, 1) * 255
    assert torch.equal(ours, torch.where(erased[:, None], fill, torch.tensor(200.0)))
    torch.manual_seed(0)
    theirs = torch.stack([RandomErasing(p=0.5, value=0)(torch.ones(1, 40, 40))[0] == 0 for _ in range(4000)])
    for boxes in (erased, theirs):
        rows, columns = boxes.any(2).sum(1), boxes.any(1).sum(1)
        assert torch.equal(rows * columns, boxes.sum((1, 2)))  # one box
    share = [(boxes.any(2).any(1).float().mean().item()) for boxes in (erased, theirs)]
    assert share == pytest.approx([0.5, 0.5], abs=0.03)
    mean = [boxes.sum().item() / boxes.any(2).any(1).sum().item() for boxes in (erased, theirs)]
    assert mean[0] == pytest.approx(mean[1], rel=0.05)
    places = [boxes.float().mean(0) for boxes in (erased, theirs)]
    assert (places[0] - places[1]).abs().max() < 0.04


def reference(name, image, share, sign):
    """One uint8 image as TrivialAugmentWide of torchvision changes it, at that strength."""
    size = share * sign
    plain = {"interpolation": InterpolationMode.NEAREST, "fill": None}
    corner = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "center": [0, 0], **plain}
    middle = {"angle": 0.0, "scale": 1.0, "shear": [0.0, 0.0], **plain}
    return {
        "Identity": lambda: image,
        "ShearX": lambda: functional.affine(image, shear=[math.degrees(math.atan(size * SHEAR)), 0.0], **corner),
        "ShearY": lambda: functional.affine(image, shear=[0.0, math.degrees(math.atan(size * SHEAR))], **corner),
        "TranslateX": lambda: functional.affine(image, translate=[int(size * 32), 0], **middle),
        "TranslateY": lambda: functional.affine(image, translate=[0, int(size * 32)], **middle),
        "Rotate": lambda: functional.rotate(image, angle=size * 135, **plain),
        "Brightness": lambda: functional.adjust_brightness(image, 1 + size * BLEND),
        "Color": lambda: functional.adjust_saturation(image, 1 + size * BLEND),
        "Contrast": lambda: functional.adjust_contrast(image, 1 + size * BLEND),
        "Sharpness": lambda: functional.adjust_sharpness(image, 1 + size * BLEND),
        "Posterize": lambda: functional.posterize(image, 8 - round(share * POSTERIZED_BITS)),
        "Solarize": lambda: functional.solarize(image, (1 - share) * 255),
        "AutoContrast": lambda: functional.autocontrast(image),
        "Equalize": lambda: functional.equalize(image),
    }[name]()


GEOMETRY = {"ShearX", "ShearY", "TranslateX", "TranslateY", "Rotate"}


@pytest.mark.parametrize("name", list(CHANGES))
def test_each_trivial_change_is_torchvisions(name):
    given = images(LEVELS)
    levels = torch.arange(LEVELS)
    for sign in (-1.0, 1.0):
        share = levels / (LEVELS - 1)
        made = CHANGES[name](given.float(), share, torch.full((LEVELS,), sign)).round().clamp(0, 255)
        theirs = torch.stack([reference(name, given[i], share[i].item(), sign) for i in range(LEVELS)]).float()
        off = (made - theirs).abs()
        if name in GEOMETRY:  # a pixel that lies between two may be either
            assert (off > 0).float().mean() < 0.02
        else:
            assert off.max() <= 1


def test_trivial_changes_come_equally_often_and_by_seed():
    given = images(1).float().expand(2800, -1, -1, -1)
    first = trivial_augment(given, generator=torch.Generator().manual_seed(1))
    again = trivial_augment(given, generator=torch.Generator().manual_seed(1))
    assert torch.equal(first, again) and first.min() >= 0 and first.max() <= 255
    untouched = (first == given).flatten(1).all(1).float().mean()
    assert 1 / 14 - 0.01 < untouched < 3 / 14  # Identity, and what a change of strength 0 leaves
