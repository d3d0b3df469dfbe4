"""Classes of unequal size: how unequal, and what a run does about it, in the loss or in what it is shown.

Knows labels only. What is shown depends on a generator alone, so that an epoch can be taken up in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from imgcls.messages import Message, Setting

UNEQUAL = 3.0  # times as many images in the largest class as in the smallest, from which on "auto" does something


def way(balance: str, labels: Tensor) -> str:
    """What `balance` means for these labels: "none", "weights" or "sampling"."""
    if balance != "auto":
        return balance
    counts = labels.bincount()
    there = counts[counts > 0]
    return "weights" if len(there) and int(there.max()) > UNEQUAL * int(there.min()) else "none"


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """float (classes,): what an image of each counts in the loss, so that every class counts the same and an image 1 on
    average; 0 where there is none."""
    counts = labels.bincount(minlength=classes)
    present = max(1, int((counts > 0).sum()))
    return torch.where(counts > 0, len(labels) / (present * counts.clamp(min=1)), 0.0)


def equally_often(labels: Tensor, generator: Generator) -> Tensor:
    """As many places as there are labels, in random order, each class equally often: all images of a rare one several
    times, of a common one as many as are due, each time others."""
    classes = labels.unique().tolist()
    due, rest = divmod(len(labels), max(1, len(classes)))
    chosen = []
    for rank, label in enumerate(classes):
        own, wanted = (labels == label).nonzero()[:, 0], due + (rank < rest)
        rounds = [own[torch.randperm(len(own), generator=generator)] for _ in range(-(-wanted // len(own)))]
        chosen.append(torch.cat(rounds)[:wanted])
    return torch.cat(chosen)[torch.randperm(len(labels), generator=generator)]


def notes(balance: str, labels: Tensor, classes: Sequence[str]) -> tuple[Message, ...]:
    """What a person should know before such a run: nothing where it is told to do nothing, or has nothing to do."""
    chosen = way(balance, labels)
    if chosen == "none":
        return ()
    counts = labels.bincount(minlength=len(classes))
    fewest = int(torch.where(counts > 0, counts, len(labels) + 1).argmin())
    most = int(counts.argmax())
    unequal = Message(
        "{most:,} images of {common}, {fewest:,} of {rare}",
        most=int(counts[most]),
        common=classes[most],
        fewest=int(counts[fewest]),
        rare=classes[fewest],
    )
    said = {"unequal": unequal, "balance": Setting("balance"), "way": Setting("balance", chosen)}
    if chosen == "sampling":
        return (Message("The classes are unequal, {unequal}: each is shown equally often ({balance}: {way}).", **said),)
    return (
        Message("The classes are unequal, {unequal}: mistakes on rare ones count for more ({balance}: {way}).", **said),
    )
