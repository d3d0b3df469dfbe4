"""Fine-tuning begins with a head that has learnt: from the frozen backbone's features, before anything else moves.

A head that is drawn at random would bend the backbone before it says anything. Nothing here is random, so that a run
that was stopped before its first step begins as any other.

Source: Kumar et al. 2022, "Fine-Tuning can Distort Pretrained Features", LP-FT.
"""

from __future__ import annotations

from collections.abc import Callable, Generator

import torch
from torch import Tensor, nn

from imgcls.data.datasets import as_answered
from imgcls.data.feature_cache import evaluation_features
from imgcls.messages import Message
from imgcls.models import transfer
from imgcls.models.linear_head import fit_linear_head
from imgcls.settings import TrainSettings
from imgcls.training.events import Event, Note, features_note
from imgcls.training.learner import Learner
from imgcls.training.meters import Stopwatch

MOST_IMAGES = 20_000  # that the head learns from: more say little of a linear layer, and their features take memory
ITERATIONS = 100  # of L-BFGS
LENGTH = 10.0  # of the features while it learns, so that one decay fits every network
DECAY = 0.01
EVERY_S = 1.0  # seconds between two words on how far it is


def comes_first(settings: TrainSettings) -> bool:
    """A checkpoint that is learnt on from has a head already."""
    return settings.transfer == "finetune" and not settings.start_from


def can_learn(learner: Learner) -> bool:
    """Several processes would have to share the features; a convolution over the whole picture has none."""
    spec = getattr(learner.model, "spec", None)
    one_vector = spec is None or spec.features
    return learner.context.world == 1 and one_vector and isinstance(transfer.head_of(learner.model), nn.Linear)


def learn_head(learner: Learner, should_stop: Callable[[], bool]) -> Generator[Event, None, bool]:
    """Whether it was asked to stop meanwhile: then nothing has changed."""
    watch, split, context = Stopwatch(), as_answered(learner.data, learner.data.train), learner.context
    if len(split) > MOST_IMAGES:
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(learner.settings.seed))
        split = split.take(order[:MOST_IMAGES])
    learner.model.eval()
    backbone, _ = transfer.split_backbone(transfer.folded(learner.model))
    features, labels, done = [], [], 0
    for some, theirs in evaluation_features(backbone, split, learner.data.preprocess, context.device, context.autocast):
        features.append(some)
        labels.append(theirs)
        done += len(theirs)
        if should_stop():
            return True
        if len(features) == 1 or watch.since_lap > EVERY_S:
            watch.lap()
            yield features_note(done, len(split), watch.seconds)
    head = transfer.head_of(learner.model)
    assert isinstance(head, nn.Linear)
    fit(head, torch.cat(features), torch.cat(labels), learner.step.loss)
    if learner.step.average is not None:
        learner.step.average.module.load_state_dict(learner.model.state_dict())
    accuracy, _ = learner.validate()
    message = Message(
        "the last layer has learnt alone for {seconds:.1f} s: {accuracy} of the validation images; from here on every "
        "layer learns",
        seconds=watch.seconds,
        accuracy=f"{accuracy:.2%}",
    )
    yield Note(code="head_first", message=message)
    return False


def fit(head: nn.Linear, features: Tensor, labels: Tensor, loss: Callable[[Tensor, Tensor], Tensor]) -> None:
    """The head's weights become those with the least `loss` (logits, labels) and the least of their squares."""
    scale = LENGTH / features.norm(dim=1).mean().clamp(min=1e-12)
    weight, bias = fit_linear_head(
        features * scale, head.out_features, lambda logits: loss(logits, labels), decay=DECAY, iterations=ITERATIONS
    )
    with torch.no_grad():
        head.weight.copy_(weight.T * scale)
        if head.bias is not None:
            head.bias.copy_(bias)
