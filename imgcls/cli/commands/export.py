"""`export`: a checkpoint as a page of its own, as ONNX, or as a plain state dict."""

from __future__ import annotations

import argparse
from pathlib import Path

from imgcls.checkpoints.store import checkpoint_path
from imgcls.errors import DatasetError, SettingsError
from imgcls.workspace import Workspace

ENDING = {"page": ".html", "onnx": ".onnx", "state-dict": ".pth"}


def run(arguments: argparse.Namespace) -> int:
    workspace = Workspace.from_environment()
    for flag, value in (("--space", arguments.space), ("--train", arguments.train)):
        if value and arguments.what != "page":
            raise SettingsError("{flag} belongs to a page: give `{command}`.", flag=flag, command="export page")
    if arguments.what == "site":
        return _site(arguments, workspace)
    if arguments.train:
        return _training_page(arguments, workspace)
    if arguments.checkpoint is None:
        raise SettingsError("Name a checkpoint, e.g. `{command}`.", command=f"export {arguments.what} lenet-digits")
    path = checkpoint_path(arguments.checkpoint, workspace)
    out = _out(arguments, path)
    {"page": _page, "onnx": _onnx, "state-dict": _state_dict}[arguments.what](path, out, workspace)
    if arguments.space:
        from imgcls.files import write_bytes
        from imgcls.web.classify.handout import space_readme

        write_bytes(out.with_name("README.md"), space_readme(path).encode())
        print(f"{out.parent} can be uploaded as a static Space.")
    return 0


def _site(arguments: argparse.Namespace, workspace: Workspace) -> int:
    from imgcls.web.standalone.site import write_site

    if arguments.checkpoint and arguments.out:
        raise SettingsError("`export site` takes one folder: give it as DIR or as --out, not both.")
    folder = Path(arguments.checkpoint or arguments.out or "site")
    size = write_site(folder, workspace)
    print(f"{folder}: {size / 1e6:.1f} MB; it can be uploaded as a static Space, or put on any web server.")
    return 0


def _training_page(arguments: argparse.Namespace, workspace: Workspace) -> int:
    from imgcls.files import write_bytes
    from imgcls.web.classify.handout import space_readme
    from imgcls.web.standalone.page import training_page

    path = checkpoint_path(arguments.checkpoint, workspace) if arguments.checkpoint else None
    out = _out(arguments, path or Path("learn") / "best.safetensors")
    content = training_page(path, workspace).encode()
    write_bytes(out, content)
    print(f"{out}: {len(content) / 1e6:.1f} MB; it opens in any browser, reads and learns, and asks for nothing.")
    if arguments.space:
        write_bytes(out.with_name("README.md"), space_readme(path).encode())
        print(f"{out.parent} can be uploaded as a static Space.")
    return 0


def _out(arguments: argparse.Namespace, path: Path) -> Path:
    """Where to: a file, or a folder; by default the run's name, here."""
    name = path.parent.name or path.stem
    if arguments.space:
        return Path(arguments.out or name) / "index.html"
    out = Path(arguments.out or name + ENDING[arguments.what])
    return out / (name + ENDING[arguments.what]) if out.is_dir() else out


def _page(path: Path, out: Path, workspace: Workspace) -> None:
    from imgcls.files import write_bytes
    from imgcls.web.classify.handout import handout

    content = handout(path, workspace).encode()
    write_bytes(out, content)
    print(f"{out}: {len(content) / 1000:.0f} kB; it opens in any browser and asks for nothing.")


def _onnx(path: Path, out: Path, workspace: Workspace) -> None:
    import torch

    from imgcls.checkpoints.exports import IMAGES_COMPARED, export_onnx
    from imgcls.checkpoints.format import read_meta
    from imgcls.data.evaluation_sets import load_for_evaluation
    from imgcls.runs.evaluations import settings_of

    trained, meta = settings_of(path), read_meta(path)
    form, compared = meta.preprocess, f"images of {trained.dataset}"
    try:
        split, part = load_for_evaluation(
            trained.dataset, workspace, trained=trained, preprocess=form, classes=meta.classes
        )
        stored, _, _ = next(split.read([torch.arange(min(IMAGES_COMPARED, len(split)))], leave_out_broken=True))
        compared += f" ({part})"
    except DatasetError:  # its images are not here: any will do to see whether both answer alike
        shape = (IMAGES_COMPARED, form.channels, form.storage_size, form.storage_size)
        stored = torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
        compared = "images of noise"
    onnx = export_onnx(path, out, stored)
    print(
        f"{out}: opset {onnx.opset}; on {onnx.images} {compared} its logits differ from PyTorch's by at most "
        f"{onnx.difference:.1e}."
    )


def _state_dict(path: Path, out: Path, workspace: Workspace) -> None:
    from imgcls.checkpoints.exports import export_state_dict
    from imgcls.checkpoints.format import read_meta

    export_state_dict(path, out)
    print(f"{out}: the weights of a {read_meta(path).model}, for load_state_dict.")
