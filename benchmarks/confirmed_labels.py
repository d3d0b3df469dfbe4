"""MNIST's test labels that people confirmed to be wrong: how many of them an audit names, and where it ranks the rest.

    python -m benchmarks.confirmed_labels

The list: test images whose label most of five people judged wrong (labelerrors.com, Northcutt et al. 2021, "Pervasive
Label Errors in Test Sets Destabilize Machine Learning Benchmarks").
"""

from __future__ import annotations

import argparse
import time

from imgcls.audit.confident_learning import label_errors, ranked
from imgcls.audit.features import known_images
from imgcls.audit.fold_networks import network_probabilities
from imgcls.workspace import Workspace

CONFIRMED = (947, 1621, 1901, 2130, 2462, 2597, 2654, 3520, 3558, 5937, 6651, 6783, 8527, 9679, 9729)
FIRST_PAGE = 50  # test images


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    images = known_images("mnist", Workspace.from_environment())
    assert images.pixels is not None
    began, processor = time.perf_counter(), time.process_time()
    probabilities = network_probabilities(images.pixels, images.labels, len(images.classes))
    seconds, processor = time.perf_counter() - began, time.process_time() - processor
    labels = images.labels.numpy()
    right = (probabilities.argmax(dim=1) == images.labels).float().mean()
    confirmed = {f"test/{number}" for number in CONFIRMED}

    def of_test(issues: list[tuple[int, int, float]]) -> list[str]:
        return [images.paths[i] for i, _, _ in issues if images.parts[i] == "test"]

    named = label_errors(probabilities.numpy(), labels)
    in_test = of_test(named)
    by_rank = of_test(ranked(probabilities.numpy(), labels))
    found = len(confirmed & set(in_test))
    print(f"networks: {seconds:.0f} s, {processor:.0f} s of processor time; {right:.2%} of unlearnt images read right")
    print(f"named: {len(named)}, {len(in_test)} of them test images, {found} of those confirmed")
    print(f"precision among named test images: {found / max(1, len(in_test)):.0%}")
    print(f"confirmed among the first {FIRST_PAGE} test images: {len(confirmed & set(by_rank[:FIRST_PAGE]))} of 15")
    print(f"their ranks: {', '.join(str(i + 1) for i, path in enumerate(by_rank) if path in confirmed)}")


if __name__ == "__main__":
    main()
