"""Where the lab keeps its things: data/, weight/, checkpoints/ and train_logs/ under one folder.

The folder is the project's own unless the environment variable IMGCLS_HOME names another one; what ships with
the project (MNIST, pen-digits, two checkpoints) is found in the project wherever the workspace is.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = (".pth", ".pt", ".safetensors")
PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Workspace:
    root: Path = PROJECT

    @classmethod
    def from_environment(cls) -> Workspace:
        """IMGCLS_HOME when set, otherwise the project's folder."""
        named = os.environ.get("IMGCLS_HOME")
        return cls(Path(named).expanduser().resolve()) if named else cls()

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

    def shipped(self, *parts: str) -> Path:
        """`parts` under workspace if it is there, otherwise the copy that ships with the project."""
        own = self.root.joinpath(*parts)
        return own if own.exists() else PROJECT.joinpath(*parts)


def weight_files(folder: Path) -> list[Path]:
    """Files in `folder` that may be weights, by name."""
    if not folder.is_dir():
        return []
    files = (path for path in folder.iterdir() if path.suffix in WEIGHTS and not path.name.startswith("."))
    return sorted(path for path in files if path.is_file())
