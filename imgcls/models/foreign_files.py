"""What a file is that holds no weights, told by its first bytes, and what to do instead. Nothing of it is executed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from imgcls.errors import WeightsError

HEAD_BYTES = 512


def check_kind(path: Path) -> None:
    """Raises WeightsError where a file is plainly something else than tensors by name."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(b"version https://git-lfs"):
        raise WeightsError(
            "{file} only points to the weights (Git LFS): run `git lfs pull` where it came from, and take the file "
            "itself.",
            file=path.name,
        )
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        raise WeightsError(
            "{file} is a web page: take the file itself, by the page's own Download or Raw button.", file=path.name
        )
    if head.startswith(b"\x89HDF") or path.suffix.lower() in (".keras", ".h5", ".hdf5"):
        raise WeightsError(
            "{file} is a Keras model, and this lab reads PyTorch's: build the network in PyTorch, and save it with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=path.name,
        )
    if path.suffix.lower() == ".onnx":
        raise WeightsError(
            "{file} is an ONNX file, which this lab writes and does not read: where it was made, save the weights with "
            "torch.save(model.state_dict(), 'weights.pth').",
            file=path.name,
        )
    if _is_torchscript(path):
        raise WeightsError(
            "{file} is TorchScript, which holds a program: save its weights with "
            "torch.save(torch.jit.load('{file}').state_dict(), 'weights.pth').",
            file=path.name,
        )


def _is_torchscript(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as file:
            names = file.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)
