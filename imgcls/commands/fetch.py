"""`fetch`: get a data set or pre-trained weights ahead of a lesson."""

from __future__ import annotations

import argparse

from imgcls.home import Home
from imgcls.models import MODELS


def run(arguments: argparse.Namespace) -> int:
    home = Home.from_environment()
    if arguments.name in MODELS:
        from imgcls.models import weights

        path = weights.resolve("imagenet", model=arguments.name, folder=home.weight)
        print(path)
        return 0
    from imgcls.data.fetch import fetch

    fetch(arguments.name, home)
    print(f"{arguments.name} is there.")
    return 0
