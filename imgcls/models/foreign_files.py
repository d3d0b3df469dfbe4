"""What a file is that holds no weights, told by its first bytes, and what to do instead. Nothing of it is executed."""

from __future__ import annotations

import zipfile
from pathlib import Path

from imgcls.errors import WeightsError

HEAD_BYTES = 512
PACKED = (".pth", ".pt", ".safetensors", ".ckpt")  # in a zip that only carries them
ARCHIVES = (b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b", b"\xfd7zXZ", b"BZh")


def check_kind(path: Path) -> None:
    """Raises WeightsError where a file is plainly something else than tensors by name."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    if not head:
        raise WeightsError("{file} is empty (0 bytes): copy or save it again.", file=path.name)
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
        raise _keras(path)
    if path.suffix.lower() == ".onnx":
        raise WeightsError(
            "{file} is an ONNX file: `{command}` makes a checkpoint of it, which `--start-from` learns on from.",
            file=path.name,
            command=f"python -m imgcls adopt {path.name}",
        )
    names = _names(path)
    if head.startswith(b"\x93NUMPY") or (names and all(name.endswith(".npy") for name in names)):
        raise WeightsError(
            "{file} holds arrays of numpy's without a network's names for them: where it was made, save the network "
            "with torch.save(model.state_dict(), 'weights.pth').",
            file=path.name,
        )
    if "config.json" in names or any(name.endswith(".weights.h5") for name in names):
        raise _keras(path)
    if any(name.lower().endswith(PACKED) for name in names) or head.startswith(ARCHIVES):
        raise WeightsError("{file} is an archive: unpack it, and take the file of weights in it.", file=path.name)
    if _is_torchscript(names):
        raise WeightsError(
            "{file} is TorchScript, which holds a program: save its weights with "
            "torch.save(torch.jit.load('{file}').state_dict(), 'weights.pth').",
            file=path.name,
        )


def _keras(path: Path) -> WeightsError:
    return WeightsError(
        "{file} is a Keras model, and this lab reads PyTorch's: build the network in PyTorch, and save it with "
        "torch.save(model.state_dict(), 'weights.pth').",
        file=path.name,
    )


def _names(path: Path) -> list[str]:
    """Of a zip's entries; nothing for any other file."""
    if not zipfile.is_zipfile(path):
        return []
    try:
        with zipfile.ZipFile(path) as file:
            return file.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return []


def _is_torchscript(names: list[str]) -> bool:
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)
