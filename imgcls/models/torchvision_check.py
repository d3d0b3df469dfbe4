"""Do the installed libraries belong together? The one mistake that is made often: torch and torchvision of two builds.

torchvision's wheels are compiled against one build of torch; beside another (a CPU-only torch, say) its import fails
with "operator torchvision::nms does not exist", which tells nobody what to do.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from imgcls.errors import InstallError


def torchvision() -> ModuleType:
    """The module; InstallError with the way out when it cannot be imported."""
    try:
        import torchvision
    except (RuntimeError, ImportError, OSError) as error:
        raise InstallError(
            "torch {torch} and torchvision {torchvision} do not work together ({reason}): run `python -m pip install "
            "--upgrade --force-reinstall torch torchvision`, which installs a pair that does.",
            torch=_version("torch"),
            torchvision=_version("torchvision"),
            reason=error,
        ) from None
    return torchvision


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "(not installed)"
