"""Figures against scipy and scikit-learn; intervals and p-values against known tables."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, chi2
from sklearn.calibration import calibration_curve
from sklearn.metrics import classification_report as sklearn_report
from sklearn.metrics import confusion_matrix, log_loss, top_k_accuracy_score

from imgcls.inference.metrics import Outputs, calibration_error, classification_report
from imgcls.inference.significance import compare, holm, mcnemar, paired_interval, wilson_interval

CLASSES = tuple("abcdefg")


def outputs_of(logits, labels, *, sure=None):
    probabilities = logits.softmax(1)
    likeliest, classes = probabilities.topk(min(10, logits.shape[1]), dim=1)
    losses = torch.nn.functional.cross_entropy(logits, labels, reduction="none")
    sure = torch.ones(len(labels), dtype=torch.bool) if sure is None else sure
    return Outputs(labels, classes, likeliest, losses, sure.float(), sure)


@pytest.fixture(scope="module")
def random_outputs():
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, 6, (400,), generator=generator)  # the last class is never there
    logits = torch.randn(400, 7, generator=generator)
    logits[torch.arange(400), labels] += 1.5
    logits[:, 5] -= 20  # never predicted
    sure = torch.rand(400, generator=generator) < 0.8
    return logits, labels, outputs_of(logits, labels, sure=sure), sure


def test_the_report_is_scikit_learns(random_outputs):
    logits, labels, outputs, _ = random_outputs
    made = classification_report(outputs, CLASSES)
    predicted = logits.argmax(1)
    wanted = sklearn_report(labels, predicted, labels=range(7), target_names=CLASSES, output_dict=True, zero_division=0)
    for row in made.classes[:-1]:
        known = wanted[row.name]
        assert (row.precision, row.recall, row.f1, row.images) == pytest.approx(
            (known["precision"], known["recall"], known["f1-score"], known["support"])
        )
    last = made.classes[-1]  # nothing is known of what was never there
    assert (last.precision, last.recall, last.f1, last.images) == (None, None, None, 0)
    there = sklearn_report(labels, predicted, labels=range(6), output_dict=True, zero_division=0)["macro avg"]
    assert (made.macro.precision, made.macro.recall, made.macro.f1) == pytest.approx(
        (there["precision"], there["recall"], there["f1-score"])
    )
    assert made.balanced_accuracy == made.macro.recall
    assert made.macro.classes == 6
    assert np.array_equal(made.confusion, confusion_matrix(labels, predicted, labels=range(7)))
    probabilities = logits.double().softmax(1).numpy()
    assert made.loss == pytest.approx(log_loss(labels, probabilities, labels=range(7)), rel=1e-5)
    assert set(made.top_k) == {3, 5}
    for k, share in made.top_k.items():
        assert share == pytest.approx(top_k_accuracy_score(labels, probabilities, k=k, labels=range(7)))


def test_what_is_sure_is_counted_apart(random_outputs):
    logits, labels, outputs, sure = random_outputs
    made = classification_report(outputs, CLASSES).not_sure
    right = logits.argmax(1) == labels
    assert made.images == int(sure.sum()) and made.share == pytest.approx(1 - sure.double().mean().item())
    assert made.accuracy == pytest.approx(right[sure].double().mean().item())
    assert made.interval == wilson_interval(int(right[sure].sum()), int(sure.sum()))


def test_calibration_error_is_the_distance_of_scikit_learns_curve(random_outputs):
    _, _, outputs, _ = random_outputs
    error, bins = calibration_error(outputs.confidence, outputs.right)
    accuracy, confidence = calibration_curve(outputs.right, outputs.confidence, n_bins=15)
    there = [b for b in bins if b.images]
    assert [b.accuracy for b in there] == pytest.approx(accuracy) and [b.confidence for b in there] == pytest.approx(
        confidence
    )
    assert sum(b.images for b in bins) == 400
    weights = np.array([b.images for b in there]) / 400
    assert error == pytest.approx((np.abs(accuracy - confidence) * weights).sum())


def test_perfectly_calibrated_answers_have_no_error():
    confidence = torch.full((1000,), 0.7)
    assert calibration_error(confidence, torch.arange(1000) < 700)[0] == pytest.approx(0, abs=1e-6)
    assert calibration_error(confidence, torch.arange(1000) < 200)[0] == pytest.approx(0.5, abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_scipys(counts):
    right, images = counts
    known = binomtest(right, images).proportion_ci(method="wilson")
    assert wilson_interval(right, images) == pytest.approx((known.low, known.high), abs=1e-12)


def test_wilson_of_nothing_is_everything():
    assert wilson_interval(0, 0) == (0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400))
def test_mcnemar_is_the_exact_binomial(first, second):
    wanted = binomtest(first, first + second).pvalue if first + second else 1.0
    assert mcnemar(first, second) == pytest.approx(wanted, rel=1e-9)


def test_mcnemar_of_very_many_is_chi_square():
    assert mcnemar(900, 1100) == pytest.approx(chi2.sf((200 - 1) ** 2 / 2000, 1))
    assert mcnemar(900, 1100) == pytest.approx(binomtest(900, 2000).pvalue, rel=0.02)


def test_the_paired_interval_covers_the_true_difference():
    """2,000 experiments of 300 images in which the second is truly 4 points better: 95 % of the intervals hold it."""
    random = np.random.default_rng(1)
    counts = random.multinomial(300, [0.80, 0.05, 0.09, 0.06], size=2000)
    held = [low <= 0.04 <= high for low, high in (paired_interval(int(c[1]), int(c[2]), 300) for c in counts)]
    assert 0.935 <= np.mean(held) <= 0.97


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []


def test_better_only_when_it_is():
    base = [True] * 900 + [False] * 100
    little = [True] * 903 + [False] * 97
    much = [True] * 950 + [False] * 50
    made = {(c.first, c.second): c for c in compare({"base": base, "little": little, "much": much})}
    assert made["base", "little"].better is None and made["base", "little"].difference == pytest.approx(0.003)
    assert made["base", "much"].better == made["little", "much"].better == "much"
    assert made["base", "much"].interval[0] > 0 and made["base", "much"].images == 1000
    assert compare({"base": base, "same": base})[0].better is None
