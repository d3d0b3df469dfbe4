"""Presets: each longer than the one before, each says less than a person's own word, each with what to expect of it."""

from types import SimpleNamespace

import pytest

from imgcls.errors import SettingsError
from imgcls.models.torchvision_table import TABLE
from imgcls.recipes import needed, recipe, with_recipe
from imgcls.runs import state
from imgcls.runs.lifecycle import create_run
from imgcls.settings import TrainSettings
from imgcls.training import events
from imgcls.training.loggers.event_log import EventLog
from imgcls.web.i18n.translator import Translator
from imgcls.web.shared import settings_form
from imgcls.web.shared.limits import ALONE, SHARED
from imgcls.web.shared.run_cache import RunCache
from imgcls.web.train import plan_card
from imgcls.web.train.preset_choices import preset_choices

NETWORKS = (
    "lenet",
    "lenet-16-32",
    "alexnet",
    "resnet18",
    "efficientnet-lite0",
    "efficientnet-lite0-joined",
    "mobilenet_v3_small",
)
DATA = ("mnist", "fashion-mnist", "cifar10", "my-photos")


def looks(settings):
    """How often a run looks at each image."""
    views = settings.augment_views if settings.transfer == "head" and settings.augment != "none" else 1
    return views if settings.transfer == "head" else settings.epochs


@pytest.mark.parametrize("model", NETWORKS)
@pytest.mark.parametrize("dataset", DATA)
@pytest.mark.parametrize("transfer", ["scratch", "head", "finetune"])
def test_each_preset_takes_longer_than_the_one_before(model, dataset, transfer):
    said = {"model": model, "dataset": dataset, "transfer": transfer}
    made = [with_recipe({**said, "preset": preset}) for preset in ("sprint", "standard", "thorough")]
    if transfer == "head" and made[1].augment == "none":
        assert looks(made[0]) == looks(made[1]) == looks(made[2])
    else:
        assert looks(made[0]) < looks(made[1]) < looks(made[2])
    assert made[1].model_dump() == with_recipe(said).model_dump()
    for settings in made:
        assert with_recipe(needed(settings)).model_dump(exclude={"name"}) == settings.model_dump(exclude={"name"})


def test_what_is_given_by_hand_stays():
    assert with_recipe({"preset": "sprint", "epochs": 7}).epochs == 7
    assert with_recipe({"preset": "thorough", "augment": "none"}).augment == "none"
    with pytest.raises(SettingsError, match="preset is quick, but must be one of sprint, standard, thorough"):
        with_recipe({"preset": "quick"})


def test_what_was_measured_for_one_network_is_that_networks():
    def thorough(model):
        return recipe(model, "cifar10", preset="thorough")

    assert (thorough("resnet18")["image_size"], thorough("resnet18")["optimizer"]) == (128, "sgd")
    assert thorough("resnet50") == recipe("resnet50", "cifar10") | {
        "epochs": 4 * recipe("resnet50", "cifar10")["epochs"]
    }
    assert recipe("resnet18", "cifar10", "finetune", preset="thorough")["optimizer"] == "adamw"
    assert recipe("lenet-16-32", "mnist", preset="thorough") == recipe("lenet", "mnist", preset="thorough")


def test_the_command_under_the_form_names_the_preset_and_means_the_same():
    for preset in ("sprint", "standard", "thorough"):
        values = settings_form.defaults({"model": "lenet", "dataset": "mnist", "transfer": "scratch", "preset": preset})
        said = settings_form.differing({**values, "lr": 0.05})
        assert said.get("preset", "standard") == preset and said["lr"] == 0.05 and "epochs" not in said
        assert with_recipe(said).model_dump() == {**values, "lr": 0.05}
    assert recipe("lenet", "mnist", preset="sprint")["epochs"] == 1


def test_a_run_of_the_preset_says_what_to_expect(workspace):
    def said(values):
        made, _ = preset_choices(values, RunCache(workspace), ALONE, Translator("en"), ask=False)
        return {preset: label for label, preset in made}

    chosen = {"model": "lenet", "dataset": "mnist", "transfer": "scratch", "weights": ""}
    assert "98.3%" not in said(chosen)["sprint"]
    run = create_run(with_recipe({"preset": "sprint", "seed": 4, "name": "quick"}), workspace)
    images = {"train": 55_000, "val": 5000, "test": 10_000}
    with EventLog(run.logs) as log:
        log(
            events.Started(
                time=1000.0, run="quick", classes=tuple("01"), images=images, parameters=1, trainable=1, device="cpu",
                precision="fp32", total_steps=430, steps_per_epoch=430,
            )
        )  # fmt: skip
        log(
            events.EpochEnded(
                time=1004.2, epoch=1, step=430, train_loss=0.2, train_accuracy=0.9, val_loss=0.1, val_accuracy=0.9832,
                lr=0.0, images_per_second=1.0, seconds=4.2, best=True,
            )
        )  # fmt: skip
    state.change(workspace, run.logs, "finished", process=None)
    labels = said(chosen)
    assert labels["sprint"] == "Sprint\n98.3% · about 0:04" and "98.3%" not in labels["standard"]
    assert "98.3%" not in said({**chosen, "dataset": "pen-digits"})["sprint"]
    assert said({**chosen, "model": "no-network"})["sprint"] == "Sprint"


def test_in_a_shared_lab_nothing_outside_it_is_looked_at_for_what_to_expect(workspace, tmp_path, monkeypatch):
    looked_at = []

    def estimates(_):
        return lambda settings, **_: looked_at.append(settings) or SimpleNamespace(seconds=1.0, pending=False)

    monkeypatch.setattr(plan_card, "_estimates", estimates)
    plain, run_cache, translate = {"dataset": "mnist", "model": "lenet"}, RunCache(workspace), Translator("en")
    foreign = ({"dataset": str(tmp_path)}, {"dataset": "../secret"}, {"weights": "/etc/x.pth", "transfer": "finetune"})
    for said in foreign:
        made, pending = preset_choices(plain | said, run_cache, SHARED, translate, ask=True)
        assert not looked_at and not pending and all("\n" not in label for label, _ in made)
        plan_card.modes(plain | {"preset": "standard"} | said, workspace, SHARED, translate)
        plan_card.card(plain | said, workspace, SHARED, translate)
        assert not looked_at
    preset_choices(plain, run_cache, SHARED, translate, ask=True)
    assert looked_at and all(settings.dataset == "mnist" for settings in looked_at)


FAMILY = {  # of torchvision's table: which networks are trained alike
    "vgg": "vgg squeezenet", "mobile": "mobilenet mnasnet shufflenet efficientnet", "convnext": "convnext",
    "swin": "swin maxvit", "vit": "vit", "resnet": "resnet resnext wide densenet googlenet inception regnet",
}  # fmt: skip


def test_torchvisions_families_have_recipes_of_their_own_kind():
    """Every network of the table is one of a family; transformers and nets without BatchNorm take a lower rate."""
    rates = {}
    for family, starts in FAMILY.items():
        names = [row.name for row in TABLE if row.name.startswith(tuple(starts.split()))]
        assert names, family
        rates[family] = {recipe(name, "flowers")["lr"] for name in names}
        assert len(rates[family]) == 1, family
        for name in names:
            for transfer in ("scratch", "head", "finetune"):
                for preset in ("sprint", "standard", "thorough"):
                    for dataset in ("mnist", "cifar10", "kmnist", "flowers"):
                        TrainSettings.checked(recipe(name, dataset, transfer, preset=preset) | {"transfer": transfer})
            assert recipe(name, "flowers", "head") == recipe("resnet18", "flowers", "head") | {
                "image_size": recipe(name, "flowers", "head")["image_size"],
                "init": recipe(name, "flowers", "head")["init"],
            }
    known = {row.name for row in TABLE if any(row.name.startswith(tuple(s.split())) for s in FAMILY.values())}
    assert known == {row.name for row in TABLE}
    slow = rates["vit"] | rates["vgg"] | rates["swin"] | rates["convnext"]
    assert max(slow) < min(rates["resnet"] | rates["mobile"])
    assert recipe("convnext_tiny", "flowers")["weight_decay"] == 0.05
    assert recipe("convnext_tiny", "flowers", "finetune")["lr"] * 0.1 == pytest.approx(5e-5)  # of its backbone
    assert recipe("resnet50", "flowers") == recipe("resnet18", "flowers")
