"""The networks, their initialisations, transfer, and pre-trained weights both ways."""

import copy
import io
import os
import pickle
import zipfile

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from imgcls.errors import WeightsError
from imgcls.models import NAMES, build, transfer
from imgcls.models.init import INITS, apply_init
from imgcls.models.lenet import LeNet
from imgcls.models.pretrained import (
    load_pretrained,
    load_state,
    load_then_replace_head,
    read_state,
    replace_head_then_load,
    resolve_weights,
)
from imgcls.workspace import PROJECT


def images(channels=3, size=64, count=4, seed=0):
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(seed))


def test_lenet_is_the_paper_s():
    net = build("lenet", channels=1, classes=10, image_size=28)
    assert transfer.count_parameters(net) == (61_706, 61_706)
    assert net.conv1.padding == (2, 2) and build("lenet", channels=3, classes=10, image_size=32).conv1.padding == (0, 0)
    x = images(1, 28)
    plain = nn.Sequential(
        net.conv1, nn.ReLU(), nn.MaxPool2d(2), net.conv2, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
        net.fc1, nn.ReLU(), net.fc2, nn.ReLU(), net.fc3,
    )  # fmt: skip
    torch.testing.assert_close(net(x), plain(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["alexnet", "resnet18"])
def test_tensor_names_are_torchvision_s_and_weights_travel_both_ways(name):
    theirs = getattr(torchvision.models, name)(num_classes=7).eval()
    ours = build(name, channels=3, classes=7, image_size=224).eval()
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    x = images(size=224, count=1)
    torch.testing.assert_close(ours(x), theirs(x), rtol=0, atol=0)


@pytest.mark.parametrize("size", [32, 64, 96])
@pytest.mark.parametrize(("name", "channels"), [("lenet", 3), ("alexnet", 1), ("alexnet", 3), ("resnet18", 1)])
def test_every_network_takes_every_size_and_kind(name, channels, size):
    net = build(name, channels=channels, classes=5, image_size=size).eval()
    assert net(images(channels, size, 2)).shape == (2, 5)


@pytest.mark.parametrize("name", INITS)
def test_an_initialisation_is_the_same_from_outside_and_in_the_constructor(name):
    torch.manual_seed(3)
    inside = LeNet(init=name)
    torch.manual_seed(3)
    outside = LeNet()
    if name != "default":
        outside.apply(INITS[name])
    for a, b in zip(inside.parameters(), outside.parameters(), strict=True):
        assert torch.equal(a, b)


def test_initialisations_have_the_spread_they_name():
    layer = nn.Sequential(nn.Conv2d(64, 128, 3), nn.Linear(1000, 500), nn.BatchNorm2d(8))
    fan_in, fan_out = 64 * 9, 128 * 9
    wanted = {
        "kaiming-uniform": ((2 / fan_in) ** 0.5, (2 / 1000) ** 0.5),
        "kaiming-normal": ((2 / fan_out) ** 0.5, 0.01),
        "xavier-uniform": ((2 / (fan_in + fan_out)) ** 0.5, (2 / 1500) ** 0.5),
        "xavier-normal": ((2 / (fan_in + fan_out)) ** 0.5, (2 / 1500) ** 0.5),
        "too-small": (1e-4, 1e-4),
        "too-large": (1.0, 1.0),
    }
    for name, (conv, linear) in wanted.items():
        apply_init(layer, name)
        assert layer[0].weight.std().item() == pytest.approx(conv, rel=0.03), name
        assert layer[1].weight.std().item() == pytest.approx(linear, rel=0.03), name
        assert not layer[0].bias.any() and bool((layer[2].weight == 1).all())


@pytest.mark.parametrize("name", NAMES)
def test_head_only_moves_nothing_but_the_head(name):
    net = build(name, channels=3, classes=4, image_size=64)
    transfer.prepare(net, "head")
    before = copy.deepcopy(net.state_dict())
    optimizer = torch.optim.SGD(transfer.param_groups(net, mode="head", lr=0.1), lr=0.1, weight_decay=0.1)
    for seed in range(3):
        transfer.train_mode(net, "head")
        loss = nn.functional.cross_entropy(net(images(seed=seed)), torch.tensor([0, 1, 2, 3]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    head = transfer.head_name(net) + "."
    for key, tensor in net.state_dict().items():  # BatchNorm's running statistics are among them
        assert torch.equal(tensor, before[key]) != key.startswith(head), key


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_its_backbone_and_its_head(name):
    net = build(name, channels=3, classes=4, image_size=64).eval()
    backbone, head = transfer.split_backbone(net)
    x = images()
    assert torch.equal(head(backbone(x)), net(x))


def test_unfreezing_opens_a_stage_at_a_time():
    net = build("resnet18", channels=3, classes=4, image_size=64)
    opened = []
    for epoch in range(6):
        transfer.unfreeze_at(net, epoch, 1)
        opened.append(transfer.trainable_layers(net))
    assert opened[0] == ["fc"] and opened[1] == ["layer4", "fc"] and opened[2] == ["layer3", "layer4", "fc"]
    assert len(opened[4]) == len(opened[5]) and transfer.count_parameters(net)[0] == transfer.count_parameters(net)[1]


def test_stages_that_are_still_frozen_keep_their_running_statistics():
    net = build("resnet18", channels=3, classes=4, image_size=64)
    before = copy.deepcopy(dict(net.named_buffers()))
    for epoch, moved in ((0, ()), (1, ("layer4.",))):
        transfer.unfreeze_at(net, epoch, 1)
        transfer.train_mode(net, "finetune")
        net(images())
        for name, buffer in net.named_buffers():
            assert torch.equal(buffer, before[name]) != name.startswith(moved or "-"), (epoch, name)
    transfer.unfreeze_at(net, 9, 1)
    transfer.train_mode(net, "finetune")
    assert all(module.training for module in net.modules())


def test_finetuning_is_gentle_with_the_backbone():
    net = build("resnet18", channels=3, classes=4, image_size=64)
    head, rest = transfer.param_groups(net, mode="finetune", lr=0.01, backbone_factor=0.1)
    assert rest["lr"] == pytest.approx(head["lr"] * 0.1)
    assert sum(p.numel() for p in head["params"]) == 512 * 4 + 4
    assert sum(p.numel() for g in (head, rest) for p in g["params"]) == transfer.count_parameters(net)[1]


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "resnet18-own.pth"
    torch.save(torchvision.models.resnet18(num_classes=10).state_dict(), path)
    return path


@pytest.mark.parametrize("init", ["default", "xavier-uniform"])
def test_both_ways_of_loading_give_identical_networks(resnet_file, init):
    made = []
    for way in (load_then_replace_head, replace_head_then_load):
        torch.manual_seed(11)
        made.append(way("resnet18", resnet_file, classes=5, image_size=64, init=init).state_dict())
    assert made[0].keys() == made[1].keys() and all(torch.equal(made[0][k], made[1][k]) for k in made[0])
    file = read_state(resnet_file)
    assert torch.equal(made[0]["layer4.1.conv2.weight"], file["layer4.1.conv2.weight"])
    assert made[0]["fc.weight"].shape == (5, 512)


def test_the_wrong_order_explains_itself(resnet_file):
    net = build("resnet18", channels=3, classes=5, image_size=64)
    with pytest.raises(WeightsError, match="head was replaced before loading; load first"):
        load_state(net, read_state(resnet_file), resnet_file, "resnet18")


def test_one_channel_sees_a_grey_picture_as_three_did(resnet_file):
    grey = images(1, 64, 2)
    one = load_pretrained("resnet18", resnet_file, channels=1, classes=5, image_size=64).eval()
    three = load_pretrained("resnet18", resnet_file, channels=3, classes=5, image_size=64).eval()
    a, b = transfer.split_backbone(one)[0](grey), transfer.split_backbone(three)[0](grey.expand(-1, 3, -1, -1))
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_safetensors_and_wrapped_states_are_read_too(resnet_file, tmp_path):
    state = read_state(resnet_file)
    save_file(state, tmp_path / "a.safetensors")
    torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}, "epoch": 3}, tmp_path / "b.pth")
    for name in ("a.safetensors", "b.pth"):
        assert torch.equal(read_state(tmp_path / name)["fc.bias"], state["fc.bias"])


class Evil:
    """Unpickling it makes a folder: what code in a file would do, where it can be seen."""

    def __init__(self, mark):
        self.mark = str(mark)

    def __reduce__(self):
        return (os.mkdir, (self.mark,))


def test_a_file_that_could_run_code_is_not_opened(tmp_path):
    pickled = pickle.dumps({"fc.weight": Evil(tmp_path / "ran")})
    (tmp_path / "evil.pth").write_bytes(pickled)
    torch.save({"fc.weight": Evil(tmp_path / "ran")}, tmp_path / "evil2.pth")
    torch.save(torch.nn.Linear(2, 2), tmp_path / "whole.pth")
    for name in ("evil.pth", "evil2.pth", "whole.pth"):
        with pytest.raises(WeightsError, match=f"{name} holds more than tensors"):
            read_state(tmp_path / name)
    assert not (tmp_path / "ran").exists()
    pickle.loads(pickled)  # the file does what it is said to do, when it is let
    assert (tmp_path / "ran").exists()


def broken():
    listed = io.BytesIO()
    torch.save([1, 2], listed)
    two = io.BytesIO()
    torch.save({"a": {"b": torch.zeros(2)}, "c": {"d": torch.zeros(2)}}, two)  # which of the two?
    wide = io.BytesIO()
    torch.save({"a": torch.zeros(1).expand(10**9)}, wide)  # 4 bytes that say they are 4 GB
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("archive/data.pkl", b"0" * 10**6)
    return {
        "empty": (b"", "is empty"),
        "cut off": (b"PK\x03\x04 cut off", "cut off, damaged"),
        "list": (listed.getvalue(), "holds no tensors"),
        "two": (two.getvalue(), "holds several networks"),
        "wide": (wide.getvalue(), "holds no tensors"),
        "packed": (packed.getvalue(), "cut off, damaged"),
    }


@pytest.mark.parametrize(("content", "said"), broken().values(), ids=list(broken()))
def test_a_broken_file_is_named(tmp_path, content, said):
    path = tmp_path / "w.pth"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=said) as caught:
        read_state(path)
    assert "w.pth" in str(caught.value)


def test_weights_of_another_network_are_refused(resnet_file):
    with pytest.raises(WeightsError, match="does not fit alexnet"):
        load_pretrained("alexnet", resnet_file, channels=3, classes=5, image_size=64)


def test_missing_weights_say_what_to_put_where(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    with pytest.raises(WeightsError, match="resnet18-f37072fd.pth / resnet18-5c106cde.pth / resnet18.safetensors into"):
        resolve_weights("imagenet", model="resnet18", folder=tmp_path, download=False)
    with pytest.raises(WeightsError, match="no ImageNet weights for LeNet"):
        resolve_weights("imagenet", model="lenet", folder=tmp_path)
    cached = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-5c106cde.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert resolve_weights("imagenet", model="resnet18", folder=tmp_path) == cached
    for known in ("resnet18-5c106cde.pth", "resnet18-f37072fd.pth"):
        (tmp_path / known).touch()
        assert resolve_weights("imagenet", model="resnet18", folder=tmp_path) == tmp_path / known
    assert resolve_weights("imagenet", model="efficientnet-lite0", folder=tmp_path).parent.name == "weight"


def test_a_last_layer_that_sees_two_depths():
    """Its weights are EfficientNet-Lite0's, but for the head; each depth counts the same, however large its numbers."""
    path = resolve_weights("imagenet", model="efficientnet-lite0", folder=PROJECT / "weight")
    joined, plain = (
        load_pretrained(name, path, channels=3, classes=4, image_size=64).eval()
        for name in ("efficientnet-lite0-joined", "efficientnet-lite0")
    )
    own = plain.state_dict()
    same = {key for key, tensor in joined.state_dict().items() if key in own and torch.equal(tensor, own[key])}
    assert set(own) - same == {"classifier.weight", "classifier.bias"} and joined.classifier.weight.shape == (4, 1472)
    with torch.inference_mode():
        features = transfer.split_backbone(joined)[0](images())
        deepest = transfer.split_backbone(plain)[0](images())
    for depth in features.split([192, 1280], dim=1):
        assert torch.allclose(depth.norm(dim=1), torch.tensor(10.0))
    centred = deepest - deepest.mean(dim=1, keepdim=True)
    assert torch.allclose(torch.cosine_similarity(features[:, 192:], centred), torch.tensor(1.0), atol=1e-5)
    again = load_pretrained("efficientnet-lite0-joined", path, channels=3, classes=4, image_size=64)
    assert torch.equal(again.classifier.weight, joined.classifier.weight)
