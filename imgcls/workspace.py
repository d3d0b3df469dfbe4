"""Where the lab keeps its things: data/, weight/, checkpoints/ and train_logs/ under one folder.

That folder is IMGCLS_HOME where this environment variable is set. Otherwise it is the checkout that the package lies
in, or, for an installed package, the current directory. What ships (MNIST, pen-digits, weights, three checkpoints) is
found wherever the workspace is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

WEIGHTS = (".pth", ".pt", ".safetensors")
PACKAGE = Path(__file__).resolve().parent
IN_CHECKOUT = (PACKAGE.parent / "app.py").is_file() and (PACKAGE.parent / "pyproject.toml").is_file()
# The folder over the data/, weight/ and checkpoints/ that ship; the wheel has them inside the package (pyproject.toml).
PROJECT = PACKAGE.parent if IN_CHECKOUT else PACKAGE / "shipped"


def typed_path(typed: str | os.PathLike[str]) -> Path:
    """What a person typed as a path, whole; the home of nobody, and a link to itself, stay as they were typed."""
    return Path(os.path.realpath(os.path.expanduser(typed)))


def default_root() -> Path:
    """The checkout; for an installed package, whose own folder nobody should write into, the current directory."""
    return PROJECT if IN_CHECKOUT else Path.cwd()


@dataclass(frozen=True)
class Workspace:
    root: Path = field(default_factory=default_root)

    @classmethod
    def from_environment(cls) -> Workspace:
        """IMGCLS_HOME when set, otherwise the default."""
        named = os.environ.get("IMGCLS_HOME")
        return cls(typed_path(named)) if named else cls()

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def weight(self) -> Path:
        return self.root / "weight"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def train_logs(self) -> Path:
        return self.root / "train_logs"

    @property
    def cache(self) -> Path:
        """What can be made anew at any time, e.g. graphs of frozen networks."""
        return self.root / ".imgcls-cache"

    def shipped(self, *relative: str) -> Path:
        """`relative` under workspace if it is there, otherwise the copy that ships."""
        own = self.root.joinpath(*relative)
        return own if os.path.exists(own) else PROJECT.joinpath(*relative)


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment for `python -m imgcls`, which finds the very same package from any directory."""
    environment = os.environ | more
    if IN_CHECKOUT:  # an installed package is on the path anyway, and site-packages before the standard library is not
        paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def weight_files(folder: Path) -> list[Path]:
    """Files in `folder` that may be weights, by name."""
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.suffix in WEIGHTS and not path.name.startswith("."))
    return sorted(path for path in files if path.is_file())
