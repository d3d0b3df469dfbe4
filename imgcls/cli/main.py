"""The terminal: `python -m imgcls COMMAND`. Flags of `train` are made from TrainSettings.

Exit codes: 0 done; 1 something could not be classified, or a run failed; 2 a bad argument; 130 stopped by Ctrl-C.
Heavy imports (torch, Gradio) stand inside the commands that need them: `--help` answers at once. Errors go to stderr
as one sentence. What a command does is in the module of its name in `commands/`.
"""

from __future__ import annotations

import argparse
import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from imgcls import __version__
from imgcls.errors import ImgclsError, RunError
from imgcls.messages import Terminal
from imgcls.models.registry import NAMES
from imgcls.settings import TrainSettings, choices, limits

PARTS = ("test", "val", "train", "all")  # of a data set


def main(argv: Sequence[str] | None = None) -> int:
    _say_anything()
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return 2
    try:
        return importlib.import_module(f"imgcls.cli.commands.{arguments.command}").run(arguments)
    except ImgclsError as error:
        print(f"{parser.prog}: {error.message.said(Terminal())}", file=sys.stderr)
        return 1 if isinstance(error, RunError) and arguments.command == "work" else 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone: nothing to say to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _say_anything() -> None:
    """What the terminal's or the pipe's encoding lacks is written as \\u82b1: a name must not end a training."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def to_json(value: Any) -> str:
    """JSON that stays JSON whatever stdout's encoding is."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not unicode)


def make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="imgcls", description="A lab for image classification: train, classify, compare."
    )
    parser.add_argument("--version", action="version", version=f"imgcls {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    train = _command(commands, "train", "train a network; Ctrl-C saves and says how to go on")
    add_settings(train)

    resume = _command(commands, "resume", "go on with a stopped run from exactly where it was")
    resume.add_argument("run", metavar="RUN", help="the run's name")

    predict = _command(commands, "predict", "classify images with a checkpoint")
    predict.add_argument("--checkpoint", required=True, metavar="PATH", help="a checkpoint file or a run's name")
    predict.add_argument("--json", action="store_true", help="one JSON object a line")
    predict.add_argument("--top", type=_positive, default=3, metavar="K", help="how many classes to name (3)")
    predict.add_argument("images", nargs="+", metavar="IMAGE_OR_FOLDER")

    evaluate = _command(commands, "evaluate", "accuracy, loss, per-class figures and confusion matrix")
    evaluate.add_argument(
        "--checkpoint",
        required=True,
        action="append",
        metavar="PATH",
        help="a checkpoint file or a run's name; several are compared on the same images",
    )
    evaluate.add_argument("--dataset", metavar="D", help="default: the one it was trained on")
    evaluate.add_argument("--part", choices=PARTS, help="default: test, or val; all of a new folder")
    evaluate.add_argument("--json", action="store_true", help="one JSON object")

    report = _command(commands, "report", "one HTML file of one or several runs: settings, curves, mistakes, commands")
    report.add_argument("runs", nargs="+", metavar="RUN", help="a run's name or a checkpoint file")
    report.add_argument("--dataset", metavar="D", help="what they are evaluated on (the first one's own)")
    report.add_argument("--part", choices=PARTS, help="default: test, or val; all of a new folder")
    report.add_argument(
        "--out",
        metavar="FILE",
        help="default: the first run's name, here, numbered if it is there",
    )

    calibrate = _command(commands, "calibrate", "let an older checkpoint know when it does not know")
    calibrate.add_argument("checkpoint", metavar="CHECKPOINT", help="a checkpoint file or a run's name")
    calibrate.add_argument("--json", action="store_true", help="one JSON object")

    runs = _command(commands, "runs", "what has been trained")
    runs.add_argument("--json", action="store_true", help="one JSON array")

    stop = _command(commands, "stop", "ask a run to save and end")
    stop.add_argument("run", metavar="RUN", help="the run's name")

    datasets = _command(commands, "datasets", "which data sets are there, with a report")
    datasets.add_argument("name", nargs="?", metavar="NAME", help="only this one, in full")
    datasets.add_argument("--json", action="store_true", help="one JSON array")

    audit = _command(commands, "audit", "which labels may be wrong, what is there twice or like nothing else")
    audit.add_argument("dataset", metavar="DATASET", help="a data set's name, or a path to a folder of photos")
    audit.add_argument("--json", action="store_true", help="one JSON object a line, the worst of each kind first")
    audit.add_argument(
        "--flip-labels", type=_share, default=0.0, metavar="SHARE",
        help="flip a share of the training labels first, and say how many of them are found again (0)",
    )  # fmt: skip
    audit.add_argument("--seed", type=int, default=1, metavar="N", help="which labels are flipped (1)")
    audit.add_argument(
        "--train-images", type=int, default=0, metavar="N",
        help="only those that a run with this setting learns from; 0: all images (0)",
    )  # fmt: skip

    fetch = _command(commands, "fetch", "get a data set or weights ahead of a lesson")
    fetch.add_argument("name", metavar="NAME", help="mnist, fashion-mnist, cifar10, or a network, e.g. resnet18")

    adopt = _command(commands, "adopt", "make a checkpoint of weights that were saved elsewhere")
    adopt.add_argument("file", metavar="FILE", help="a .pth of torch.save(net.state_dict(), ...), or .safetensors")
    names = adopt.add_mutually_exclusive_group()
    names.add_argument("--classes", metavar="A,B,...", help="what its classes are called, in their order")
    names.add_argument("--classes-from", metavar="D", help="a data set with these classes, on which it is then tried")
    adopt.add_argument("--name", metavar="NAME", help="the checkpoint's name (default: the file's)")
    adopt.add_argument(
        "--preprocess",
        metavar="KIND,...",
        help="how images reach it: digits, garments, tiny or photos, and e.g. size=160,mean=0.5/0.5/0.5 (default: the "
        "recipe's for this network)",
    )

    init_lab = _command(commands, "init-lab", "one network, data and seed with several initialisations, compared")
    init_lab.add_argument(
        "--inits", default=",".join(choices("init") or ()), metavar="A,B,...", help="which (default: all)"
    )
    init_lab.add_argument("--json", action="store_true", help="one JSON object")
    add_settings(init_lab, without=("init",))

    export = _command(commands, "export", "a checkpoint as one file to hand out, as ONNX, or as a plain state dict")
    export.add_argument("what", choices=("page", "onnx", "state-dict"), help="page: one HTML file, of a LeNet")
    export.add_argument("checkpoint", metavar="CHECKPOINT", help="a checkpoint file or a run's name")
    export.add_argument("--out", metavar="FILE", help="default: the run's name, here")
    export.add_argument(
        "--space", action="store_true", help="page: index.html and README.md in a folder (--out), for a static Space"
    )

    serve = _command(commands, "serve", "open the lab in the browser")
    serve.add_argument("--host", metavar="HOST", help="default: 127.0.0.1, this computer only")
    serve.add_argument("--port", type=_port, metavar="PORT", help="default: 7860")

    work = commands.add_parser("work")  # the run's own process; not for people, so it has no help
    work.add_argument("run")
    work.add_argument("--resume", action="store_true")
    work.set_defaults(command="work")
    commands.add_parser("standby").set_defaults(command="standby")
    work_evaluate = commands.add_parser("work-evaluate")
    work_evaluate.add_argument("folder")
    work_evaluate.set_defaults(command="work_evaluate")
    work_audit = commands.add_parser("work-audit")
    work_audit.add_argument("folder")
    work_audit.set_defaults(command="work_audit")
    work_fetch = commands.add_parser("work-fetch")
    work_fetch.add_argument("folder")
    work_fetch.set_defaults(command="work_fetch")
    work_lab = commands.add_parser("work-lab")
    work_lab.add_argument("lab")
    work_lab.set_defaults(command="work_lab")
    return parser


def _command(commands: argparse._SubParsersAction, name: str, text: str) -> argparse.ArgumentParser:
    made = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    made.set_defaults(command=name.replace("-", "_"))
    return made


def add_settings(parser: argparse.ArgumentParser, *, without: Sequence[str] = ()) -> None:
    """A flag for each field of TrainSettings. Values stay text: TrainSettings itself checks them."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, info in TrainSettings.model_fields.items():
        if name in without:
            continue
        group = str((info.json_schema_extra or {}).get("group", "other"))
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        shown = f"{info.description} ({_limits(name)}; default {info.default})".replace("%", "%%")
        flag = "--" + name.replace("_", "-")
        if info.annotation is bool:
            groups[group].add_argument(
                flag, nargs="?", const="true", default=argparse.SUPPRESS, metavar="BOOL", help=shown
            )
        else:
            groups[group].add_argument(flag, default=argparse.SUPPRESS, metavar=_metavar(name), help=shown)


def _limits(name: str) -> str:
    return f"{', '.join(NAMES)}, resnet50, mobilenet_v3_small, ..." if name == "model" else str(limits(name))


def _metavar(name: str) -> str:
    return "NAME" if choices(name) or name == "model" else name.upper()


def given(arguments: argparse.Namespace) -> dict[str, str]:
    """The settings that were said, as text."""
    return {name: value for name, value in vars(arguments).items() if name in TrainSettings.model_fields}


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 0.9:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0 to 0.9")
    return value


def _positive(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 10_000:
        raise argparse.ArgumentTypeError(f"is {text}, but must be a whole number from 1 to 10000")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"is {text}, but must be a whole number from 0 to 65535")
    return int(text)
