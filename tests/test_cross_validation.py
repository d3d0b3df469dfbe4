"""A figure from all photos of a small folder: each is asked about by a layer that has not learnt from it."""

import json
from dataclasses import replace

import pytest
import torch
from photos import flowers

from imgcls.audit.features import AuditImages
from imgcls.cli.main import main
from imgcls.errors import DatasetError
from imgcls.inference.significance import wilson_interval
from imgcls.recipes import usual_network
from imgcls.training.cross_validation import cross_validate


def images(labels, *, apart):
    """Features of a class lie around a place of its own, `apart` from the others'."""
    labels = torch.tensor(labels)
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(len(labels), 8, generator=generator)
    features[torch.arange(len(labels)), labels] += apart
    names = [str(i) for i in range(len(labels))]
    return AuditImages(("ash", "beech", "cedar"), features, labels, ["train"] * len(labels), names)


@pytest.fixture
def folder(workspace):
    flowers(workspace.data / "garden", each=9)
    return workspace


def test_every_photo_counts_once_and_nothing_is_learnt_by_heart(folder):
    labels = [0] * 30 + [1] * 30 + [2] * 30
    made = cross_validate("garden", folder, images=images(labels, apart=6.0))
    assert made.images == 90 and sum(map(sum, made.confusion)) == 90 and made.folds == 5
    assert made.accuracy > 0.95 and made.interval == wilson_interval(round(made.accuracy * 90), 90)
    noise = cross_validate("garden", folder, images=images(labels, apart=0.0))
    assert (
        len(noise.mistakes)
        == 90 - round(noise.accuracy * 90)
        == 90 - sum(noise.confusion[i][i] for i in range(len(noise.confusion)))
    )
    assert all(one.label != one.read_as and 0 < one.confidence <= 1 for one in noise.mistakes)
    assert noise.accuracy < 0.55  # features that say nothing: what had learnt from its own photos would know better


def test_a_rare_class_shows_in_the_balanced_accuracy(folder):
    labels = [0] * 60 + [1] * 20 + [2]
    made = cross_validate("garden", folder, images=images(labels, apart=6.0))
    assert made.not_judged == 1 and made.images == 80
    assert made.classes[2].recall is None and made.balanced_accuracy == made.macro.recall


def test_the_terminal_says_it_in_words_and_as_json(folder, capsys):
    assert main(["cross-validate", "garden", "--folds", "3", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 27 and said["folds"] == 3 and said["model"] == usual_network("garden")
    assert said["interval"][0] <= said["accuracy"] <= said["interval"][1] + 1e-9
    assert not list(folder.train_logs.glob("*"))
    assert len(said["mistakes"]) == 27 - round(said["accuracy"] * 27)


def test_what_was_misread_is_shown_with_its_file_and_both_classes(folder, capsys):
    from imgcls.cli.commands.cross_validate import show
    from imgcls.web.data.cross_validation import card
    from imgcls.web.i18n.translator import Translator

    files = sorted(path.relative_to(folder.data / "garden").as_posix() for path in folder.data.glob("garden/*/*"))
    measured = cross_validate("garden", folder, images=replace(images([0, 1, 2] * 9, apart=1.5), paths=files))
    first = measured.mistakes[0]
    show(measured)
    assert f"{first.file}: {first.label}, read as {first.read_as} (" in capsys.readouterr().out
    html = card(measured, Translator("en"), folder)
    assert html.count("data:image/") == len(measured.mistakes) and f"labelled {first.label}, read as" in html


@pytest.mark.parametrize(("name", "reason"), [("mnist", "mnist has a part to be measured on"), ("nowhere", "nowhere")])
def test_what_has_no_use_for_folds_is_told(folder, name, reason):
    with pytest.raises(DatasetError, match=reason):
        cross_validate(name, folder)


def test_too_few_photos_are_told(folder):
    with pytest.raises(DatasetError, match="too few photos for 5 folds"):
        cross_validate("garden", folder, images=images([0, 0, 1, 1], apart=1.0))


def test_the_page_offers_it_for_few_photos_and_says_what_came_out(folder, monkeypatch):
    from imgcls.web.data import cross_validation
    from imgcls.web.i18n.translator import Translator

    assert cross_validation.has_few_photos("garden", folder)
    assert not any(cross_validation.has_few_photos(name, folder) for name in ("mnist", "nowhere", "../garden", ""))
    monkeypatch.setattr(cross_validation, "FEW_PHOTOS", 27)
    assert not cross_validation.has_few_photos("garden", folder)
    measured = cross_validate("garden", folder, images=images([0] * 60 + [1] * 20 + [2], apart=6.0))
    said = {"en": ("1 photo was left out", "Precision", " to 100"), "zh": ("交叉验证", "精确率", " 到 100")}
    for language, words in said.items():
        html = cross_validation.card(measured, Translator(language), folder)
        assert all(word in html for word in words) and "cedar" in html and "–" in html


def bursts(*sizes):
    """What `group_ids` says of one burst a class."""
    return [number for number, size in enumerate(sizes) for _ in range(size)]


@pytest.mark.parametrize("sizes", [(20, 20), (20, 20, 20)])
def test_classes_of_one_burst_each_are_not_judged_by_a_network_that_never_met_them(folder, monkeypatch, sizes):
    labels = bursts(*sizes)
    made = replace(images(labels, apart=6.0), files=tuple(map(str, range(len(labels)))))
    monkeypatch.setattr("imgcls.training.cross_validation.group_ids", lambda files: bursts(*sizes))
    with pytest.raises(DatasetError, match="each class was taken in one go"):
        cross_validate("garden", folder, images=made)
