"""Where a network looks, and its strongest maps: on networks whose weights say what must come out."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from imgcls.inference.explain import layer_cam, stage_layers, strongest_maps
from imgcls.models import build


def blobs_and_stripes():
    """Class 0 is what is evenly bright, class 1 what has stripes; its first convolution has a ReLU in place."""
    first, second = nn.Conv2d(1, 2, 3, padding=1), nn.Conv2d(2, 2, 1)
    with torch.no_grad():
        first.weight.copy_(torch.tensor([[[[1.0] * 3] * 3], [[[-1.0, 2.0, -1.0]] * 3]]))
        first.bias.copy_(torch.tensor([-7.0, -4.0]))
        second.weight.copy_(torch.eye(2)[..., None, None])
        second.bias.zero_()
    return nn.Sequential(first, nn.ReLU(inplace=True), second, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2, 2))


def planted(blob, stripes):
    """A picture with an even patch at `blob` and a striped one at `stripes`: (top, left) of 6 x 6 pixels."""
    picture = torch.zeros(1, 1, 32, 32)
    picture[..., blob[0] : blob[0] + 6, blob[1] : blob[1] + 6] = 1
    picture[..., stripes[0] : stripes[0] + 6, stripes[1] : stripes[1] + 6 : 2] = 1
    return picture


@pytest.mark.parametrize(("blob", "stripes"), [((3, 4), (20, 22)), ((18, 2), (2, 24)), ((24, 20), (4, 8))])
@pytest.mark.parametrize("layer", ["0", "2"])
def test_the_heat_map_finds_what_was_planted(blob, stripes, layer):
    model = blobs_and_stripes().eval()
    model[5].weight.data.copy_(torch.tensor([[1.0, -1.0], [-1.0, 1.0]]))
    for target, (top, left) in enumerate((blob, stripes)):
        (heat,) = layer_cam(model, planted(blob, stripes), target, [layer])
        inside = heat[top - 1 : top + 7, left - 1 : left + 7]
        assert heat.shape == (32, 32) and heat.max() == 1
        assert inside.sum() > 0.99 * heat.sum()


def test_the_strongest_maps_come_first():
    torch.manual_seed(0)
    model, inputs = build("resnet18", channels=3, classes=5, image_size=64).eval(), torch.randn(1, 3, 64, 64)
    (numbers, maps, count), (_, few, _) = strongest_maps(model, inputs, ["conv1", "layer1"], count=16)
    with torch.no_grad():
        expected = model.conv1(inputs)[0].relu()
    order = expected.mean(dim=(1, 2)).argsort(descending=True)[:16]
    assert numbers == order.tolist() and count == 64 and len(few) == 16
    assert torch.allclose(maps, expected[order] / expected.max())
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("name", "side", "expected"),
    [
        ("lenet", 28, ["conv2"]),
        ("alexnet-half", 64, ["features.5", "features.10"]),
        ("resnet18", 64, ["layer1", "layer2", "layer3", "layer4"]),
        ("efficientnet-lite0", 64, ["blocks.2", "blocks.4", "blocks.5", "bn2"]),
        ("squeezenet1_1", 64, ["features.3", "features.6", "features.10", "features.12"]),
    ],
)
def test_each_stage_ends_with_one_layer(name, side, expected):
    model = build(name, channels=3, classes=3, image_size=side).eval()
    assert stage_layers(model, torch.zeros(1, 3, side, side)) == expected


def test_many_may_look_at_once():
    """Each sees its own picture, and what others get of the same network is as ever."""
    torch.manual_seed(1)
    model = blobs_and_stripes().eval()
    pictures = [torch.randn(1, 1, 200, 200) for _ in range(4)]
    with torch.no_grad():
        logits = [model(picture) for picture in pictures]
    alone = [layer_cam(model, picture, 1, ["0", "2"]) for picture in pictures]

    def look(i):
        with torch.no_grad():
            same = torch.equal(model(pictures[i % 4]), logits[i % 4])
        heats = layer_cam(model, pictures[i % 4], 1, ["0", "2"])
        return same and all(torch.allclose(a, b) for a, b in zip(heats, alone[i % 4], strict=True))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(look, range(80)))
