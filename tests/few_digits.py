"""A few of MNIST's digits as a built-in set, for runs whose figures do not matter: of a small run on MNIST itself four
fifths are the 10,000 test images and the drawings that it is calibrated on. The fixture `few_digits` makes it known
here, IMGCLS_PLUGINS=few_digits with this folder on PYTHONPATH in other processes.
"""

import os

from imgcls.data.registry import DATASETS, Arrays, DatasetSpec, Source, register
from imgcls.workspace import Workspace

NAME = "few-digits"
COUNTS = {"train": 3000, "test": 200}


def read(_: Source) -> Arrays:
    mnist = DATASETS["mnist"]
    arrays = mnist.read(mnist.source(Workspace()))
    return {split: (arrays[split][0][:count], arrays[split][1][:count]) for split, count in COUNTS.items()}


SPEC = DatasetSpec(name=NAME, title=NAME, kind="garments", classes=tuple("0123456789"), counts=COUNTS, read=read)
if os.environ.get("IMGCLS_PLUGINS") == "few_digits":
    register(SPEC)
