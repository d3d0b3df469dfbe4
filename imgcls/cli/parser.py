"""The commands of the terminal as a table, and the parser made of it: names, flags, examples, completion.

A command is a row of `COMMANDS`; its flags are the function named in the row; what it does is the module of its name
in `commands/`. Knows nothing that is slow to import: `--help` answers at once.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from imgcls import __version__
from imgcls.filenames import nearest
from imgcls.messages import printable
from imgcls.models.registry import NAMES
from imgcls.settings import TrainSettings, choices, limits, settings_group
from imgcls.workspace import Workspace

JOBS = ("evaluate", "audit", "fetch", "calibrate", "lr-find")  # what the page starts, see commands/work.py
SPLITS = ("test", "val", "train", "all")  # of a data set
EXAMPLES = """examples:
  imgcls serve                                              open the lab in the browser: start here
  imgcls train --dataset mnist --model lenet --epochs 1     train a network
  imgcls predict --checkpoint lenet-digits digit.png        what is on this picture?
  imgcls evaluate --checkpoint lenet-digits                 how good is it, class by class?
"""


@dataclass(frozen=True)
class Command:
    """`arguments` adds its flags; `examples` end its help. `hidden`: a process of the lab's own, not for people."""

    name: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    examples: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def module(self) -> str:
        return "work" if self.hidden else self.name.replace("-", "_")


class Parser(argparse.ArgumentParser):
    """Says which word was probably meant, and never names a hidden command."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {printable(message)}\nSee `{self.prog} --help`.\n")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if not isinstance(action, argparse._SubParsersAction) or value in action.choices:
            return super()._check_value(action, value)
        raise argparse.ArgumentError(None, f"there is no command '{value}'{suggestion(value, visible())}")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # argparse's overloads say Any, too
        arguments, unknown = self.parse_known_args(args, namespace)
        if unknown:
            parser = self._chosen(arguments)
            flags = [flag for action in parser._actions for flag in action.option_strings]
            parser.error(f"there is no {unknown[0]}{suggestion(unknown[0].split('=')[0], flags)}")
        return arguments

    def _chosen(self, arguments: argparse.Namespace) -> Parser:
        """The parser of the command that was given."""
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction) and hasattr(arguments, "command"):
                name = arguments.command.replace("_", "-")
                return action.choices.get(name, self)
        return self


def suggestion(word: str, known_words: Iterable[str]) -> str:
    """ ": did you mean train?" where a known word is near; otherwise "."."""
    near = nearest(word, known_words)
    return f": did you mean {near}?" if near else "."


def visible() -> list[str]:
    return [command.name for command in COMMANDS if not command.hidden]


def make_parser() -> Parser:
    parser = Parser(
        prog="imgcls",
        description="A lab for image classification: train, classify, compare.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"imgcls {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", parser_class=Parser)
    for command in COMMANDS:
        if command.hidden:
            subparser = commands.add_parser(command.name)
        else:
            subparser = commands.add_parser(
                command.name,
                help=command.help,
                description=command.help[0].upper() + command.help[1:] + ".",
                epilog="examples:\n" + "".join(f"  imgcls {line}\n" for line in command.examples),
                formatter_class=argparse.RawDescriptionHelpFormatter,
            )
        command.arguments(subparser)
        subparser.set_defaults(command=command.module)
        if command.hidden:
            subparser.set_defaults(job=command.name)
    return parser


def complete(parser: argparse.ArgumentParser) -> None:
    """Answer the shell where it asks for completions (see argcomplete); otherwise do nothing."""
    if "_ARGCOMPLETE" in os.environ:
        import argcomplete

        argcomplete.autocomplete(parser, exclude=[command.name for command in COMMANDS if command.hidden])


def _run_names(**_: Any) -> list[str]:
    folder = Workspace.from_environment().train_logs
    return sorted(path.parent.name for path in folder.glob("*/settings.json"))


def _checkpoint_names(**_: Any) -> list[str]:
    from imgcls.checkpoints.store import checkpoint_names

    return checkpoint_names(Workspace.from_environment())


def _dataset_names(**_: Any) -> list[str]:
    from imgcls.data.catalog import own_folders
    from imgcls.data.registry import DATASETS

    return [*DATASETS, *own_folders(Workspace.from_environment())]


def _completed(action: argparse.Action, names: Callable[..., Sequence[str]]) -> None:
    """The shell completes this argument with `names`."""
    action.completer = names  # type: ignore[attr-defined]  # argcomplete reads it there


def _run(parser: argparse.ArgumentParser) -> None:
    _completed(parser.add_argument("run", metavar="RUN", help="the run's name"), _run_names)


def _run_or_sweep(parser: argparse.ArgumentParser) -> None:
    _completed(parser.add_argument("run", metavar="RUN", help="the run's name, or the sweep's"), _run_names)


def _resume(parser: argparse.ArgumentParser) -> None:
    _run(parser)
    parser.add_argument(
        "--epochs", metavar="N",
        help="train longer: so many epochs in all, also of a finished run; it says what becomes of the learning rate",
    )  # fmt: skip


def _split(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--part", choices=SPLITS, help="default: test, or val; all of a new folder")


def _json(parser: argparse.ArgumentParser, text: str) -> None:
    parser.add_argument("--json", action="store_true", help=text)


def _predict(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument("--checkpoint", required=True, metavar="PATH", help="a checkpoint file or a run's name"),
        _checkpoint_names,
    )
    _json(parser, "one JSON object a line")
    parser.add_argument("--top", type=_positive, default=3, metavar="K", help="how many classes to name (3)")
    parser.add_argument("images", nargs="+", metavar="IMAGE_OR_FOLDER")


def _evaluate(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument(
            "--checkpoint",
            required=True,
            action="append",
            metavar="PATH",
            help="a checkpoint file or a run's name; several are compared on the same images",
        ),
        _checkpoint_names,
    )
    _completed(parser.add_argument("--dataset", metavar="D", help="default: the one it was trained on"), _dataset_names)
    _split(parser)
    parser.add_argument(
        "--tta", action="store_true",
        help="test-time augmentation: each answer is the mean of the image's and its mirror image's; not for digits",
    )  # fmt: skip
    _json(parser, "one JSON object")


def _cross_validate(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument("dataset", metavar="DATASET", help="a folder of photos: its name under data/, or a path"),
        _dataset_names,
    )
    parser.add_argument("--folds", type=_folds, default=5, metavar="N", help="into how many parts it is cut (5)")
    _json(parser, "one JSON object")


def _report(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's name or a checkpoint file"), _run_names
    )
    parser.add_argument("--dataset", metavar="D", help="what they are evaluated on (the first one's own)")
    _split(parser)
    parser.add_argument("--out", metavar="FILE", help="default: the first run's name, here, numbered if it is there")


def _checkpoint(parser: argparse.ArgumentParser, *, nargs: str | None = None, more: str = "") -> None:
    description = f"a checkpoint file or a run's name{more}"
    _completed(
        parser.add_argument("checkpoint", metavar="CHECKPOINT", nargs=nargs, help=description),
        _checkpoint_names,
    )


def _calibrate(parser: argparse.ArgumentParser) -> None:
    _checkpoint(parser)
    _json(parser, "one JSON object")


def _runs(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument("runs", nargs="*", metavar="RUN", help="only these (default: all)"),
        _run_names,
    )
    parser.add_argument("--search", metavar="WORDS", help="those that have these words in name, settings, tags or note")
    parser.add_argument(
        "--where", action="append", metavar="CONDITION",
        help="those where it holds, e.g. 'lr>0.01', state=finished, note~blurred; may be said several times",
    )  # fmt: skip
    parser.add_argument("--tag", action="append", metavar="TAG", help="those that bear it; may be said several times")
    parser.add_argument(
        "--sort", metavar="COLUMN", help="a setting or a figure, as --json calls it; --sort=-COLUMN: the largest first"
    )
    group = parser.add_argument_group("what you say of the runs named")
    group.add_argument("--add-tag", action="append", metavar="TAG", help="mark them")
    group.add_argument("--remove-tag", action="append", metavar="TAG", help="unmark them")
    group.add_argument("--note", metavar="TEXT", help="a remark; empty: none")
    group.add_argument("--pin", dest="pinned", action="store_const", const=True, help="they come first")
    group.add_argument("--unpin", dest="pinned", action="store_const", const=False, help="they no longer do")
    _json(parser, "one JSON array")


def _datasets(parser: argparse.ArgumentParser) -> None:
    _completed(parser.add_argument("name", nargs="?", metavar="NAME", help="only this one, in full"), _dataset_names)
    _json(parser, "one JSON array")


def _audit(parser: argparse.ArgumentParser) -> None:
    _completed(
        parser.add_argument("dataset", metavar="DATASET", help="a data set's name, or a path to a folder of photos"),
        _dataset_names,
    )
    _json(parser, "one JSON object a line, the worst of each kind first")
    parser.add_argument(
        "--flip-labels", type=_share, default=0.0, metavar="SHARE",
        help="flip a share of the training labels first, and say how many of them are found again (0)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="which labels are flipped (1)")
    parser.add_argument(
        "--train-images", type=int, default=0, metavar="N",
        help="only those that a run with this setting learns from; 0: all images (0)",
    )  # fmt: skip


def _fetch(parser: argparse.ArgumentParser) -> None:
    from imgcls.data.registry import fetchable_names

    names = ", ".join(fetchable_names())
    parser.add_argument("name", metavar="NAME", help=f"{names}, or a network, e.g. resnet18")


def _adopt(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a .pth of torch.save(net.state_dict(), ...), .safetensors or .onnx"
    )
    names = parser.add_mutually_exclusive_group()
    names.add_argument("--classes", metavar="A,B,...", help="what its classes are called, in their order")
    names.add_argument("--classes-from", metavar="D", help="a data set with these classes, on which it is then tried")
    parser.add_argument("--name", metavar="NAME", help="the checkpoint's name (default: the file's)")
    parser.add_argument(
        "--preprocess",
        metavar="KIND,...",
        help="how images reach it: digits, characters, garments, tiny or photos, and e.g. "
        "size=160,mean=0.5/0.5/0.5 (default: the recipe's for this network)",
    )


def _init_lab(parser: argparse.ArgumentParser) -> None:
    inits = ",".join(choices("init") or ())
    parser.add_argument("--inits", default=inits, metavar="A,B,...", help="which (default: all)")
    _json(parser, "one JSON object")
    add_settings(parser, without=("init",))


def _lr_find(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=_positive, default=100, metavar="N", help="how many steps at most (100)")
    _json(parser, "one JSON object")
    add_settings(parser, without=("name",))


def _sweep(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--vary", action="append", metavar="SETTING=A,B,...",
        help="a setting and its values, once for each that varies; a range LOW..HIGH where combinations are drawn; "
        "semicolons between values that have commas themselves",
    )  # fmt: skip
    parser.add_argument("--seeds", metavar="N,N,...", help="each combination once with each (1,2,3)")
    parser.add_argument(
        "--search", metavar="KIND",
        help="grid: every combination; random: --trials of them; successive-halving: all begin, the better third of "
        "each round goes on three times as long (grid)",
    )  # fmt: skip
    parser.add_argument("--trials", type=_positive, metavar="N", help="how many combinations are drawn (all)")
    parser.add_argument("--name", metavar="NAME", help="the sweep's name; one that is there goes on, with what is new")
    parser.add_argument(
        "--jobs", type=_positive, metavar="N",
        help="runs side by side (small networks: as many as there are cores, with one thread each; otherwise 1)",
    )  # fmt: skip
    parser.add_argument(
        "--engine", choices=("local", "ray"), default="local",
        help="ray: on the machines of a Ray cluster (pip install '.[ray]'; docs/cluster.md) (local)",
    )  # fmt: skip
    parser.add_argument(
        "--address", metavar="ADDRESS", default="",
        help="of the Ray cluster; auto: the one that this machine is part of (a Ray of this machine's own)",
    )  # fmt: skip
    parser.add_argument("--resume", metavar="NAME", help="go on with this one; more values, seeds or trials enlarge it")
    _json(parser, "at the end one JSON object a combination, a line each")
    add_settings(parser, without=("seed", "name"))


def _export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", choices=("page", "onnx", "state-dict", "site"), help="page: one HTML file, of a LeNet; site: a folder"
    )
    _checkpoint(parser, nargs="?", more="; a page with --train needs none; of a site, the folder to write")
    parser.add_argument("--out", metavar="FILE", help="default: the run's name, here")
    parser.add_argument(
        "--train", action="store_true", help="page: 5,000 images and the engine go with it, so that it learns, too"
    )
    parser.add_argument(
        "--space", action="store_true", help="page: index.html and README.md in a folder (--out), for a static Space"
    )


def _serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", metavar="HOST", help="default: 127.0.0.1, this computer only")
    parser.add_argument("--port", type=_port, metavar="PORT", help="default: 7860")


def _work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run")
    parser.add_argument("--resume", action="store_true")


def _folder(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder")


def add_settings(parser: argparse.ArgumentParser, *, without: Sequence[str] = ()) -> None:
    """A flag for each field of TrainSettings. Values stay text: TrainSettings itself checks them."""
    groups: dict[str, argparse._ArgumentGroup] = {}
    for name, info in TrainSettings.model_fields.items():
        if name in without:
            continue
        group = settings_group(name)
        if group not in groups:
            groups[group] = parser.add_argument_group(group)
        default = "" if info.default in ("", None) else f"; default {info.default}"
        shown = f"{info.description} ({_limits(name)}{default})".replace("%", "%%")
        flag = "--" + name.replace("_", "-")
        if info.annotation is bool:
            groups[group].add_argument(
                flag, nargs="?", const="true", default=argparse.SUPPRESS, metavar="BOOL", help=shown
            )
        else:
            action = groups[group].add_argument(flag, default=argparse.SUPPRESS, metavar=_metavar(name), help=shown)
            _completed(action, _names_of(name))


def _names_of(setting: str) -> Callable[..., Sequence[str]]:
    if setting == "dataset":
        return _dataset_names
    return lambda **_: list(NAMES if setting == "model" else choices(setting) or ())


def _limits(name: str) -> str:
    return f"{', '.join(NAMES)}, resnet50, mobilenet_v3_small, ..." if name == "model" else str(limits(name))


def _metavar(name: str) -> str:
    return "NAME" if choices(name) or name == "model" else name.upper()


def explicit_settings(arguments: argparse.Namespace) -> dict[str, str]:
    """The settings that were given, as text."""
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


def _folds(text: str) -> int:
    if not text.isdigit() or not 2 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"is {text}, but must be a whole number from 2 to 100")
    return int(text)


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"is {text}, but must be a whole number from 0 to 65535")
    return int(text)


COMMANDS = (
    Command(
        "train", "train a network; Ctrl-C saves and says how to go on", add_settings,
        ("train --dataset mnist --model lenet --preset sprint", "train --dataset data/flowers",
         "train --dataset cifar10 --model resnet18 --transfer finetune --weights imagenet"),
    ),
    Command(
        "resume", "go on with a stopped run from exactly where it was", _resume,
        ("resume my-run", "resume my-run --epochs 20"),
    ),
    Command(
        "predict", "classify images with a checkpoint", _predict,
        ("predict --checkpoint lenet-digits digit.png", "predict --checkpoint imagenet holiday/ --json"),
    ),
    Command(
        "evaluate", "accuracy, loss, per-class figures and confusion matrix", _evaluate,
        ("evaluate --checkpoint lenet-digits", "evaluate --checkpoint lenet-digits --checkpoint lenet-mnist"),
    ),
    Command(
        "cross-validate", "few photos: how good a last layer is on them, by a figure from all of them", _cross_validate,
        ("cross-validate flowers", "cross-validate data/flowers --folds 10 --json"),
    ),
    Command(
        "report", "one HTML file of one or several runs: settings, curves, mistakes, commands", _report,
        ("report lenet-digits lenet-mnist --out compared.html",),
    ),
    Command("calibrate", "let an older checkpoint know when it does not know", _calibrate, ("calibrate my-run",)),
    Command(
        "runs", "what has been trained", _runs,
        ("runs", "runs --where state=finished --sort=-val_accuracy", "runs my-run --add-tag good --pin"),
    ),
    Command("stop", "ask a run or a sweep to save and end", _run_or_sweep, ("stop my-run",)),
    Command("datasets", "which data sets are there, with a report", _datasets, ("datasets", "datasets flowers")),
    Command(
        "audit", "which labels may be wrong, what is there twice or like nothing else", _audit,
        ("audit flowers", "audit mnist --flip-labels 0.1 --train-images 5000"),
    ),
    Command("fetch", "get a data set or weights ahead of a lesson", _fetch, ("fetch cifar10", "fetch resnet18")),
    Command(
        "adopt", "make a checkpoint of weights that were saved elsewhere", _adopt,
        ("adopt net.pth --classes cats,dogs", "adopt lenet.pth --classes-from mnist"),
    ),
    Command(
        "init-lab", "one network, data and seed with several initialisations, compared", _init_lab,
        ("init-lab --dataset mnist --model lenet --inits kaiming-uniform,all-zeros,too-small",),
    ),
    Command(
        "lr-find", "which learning rate: tries ever larger ones on a network that is thrown away", _lr_find,
        ("lr-find --dataset mnist --model lenet", "lr-find --dataset data/flowers --json"),
    ),
    Command(
        "sweep", "one training with several values of some settings, and several seeds", _sweep,
        ("sweep --model lenet --vary lr=0.01,0.03,0.1 --vary init=kaiming-uniform,xavier-uniform --seeds 1,2,3",
         "sweep --vary lr=0.001..0.3 --search random --trials 20 --epochs 2", "sweep --resume my-sweep --seeds 4,5"),
    ),
    Command(
        "export", "a checkpoint as one file to hand out, as ONNX, or as a plain state dict", _export,
        ("export page lenet-digits --out digits.html", "export page --train", "export site space", "export onnx RUN"),
    ),
    Command("serve", "open the lab in the browser", _serve, ("serve", "serve --host 0.0.0.0 --port 7860")),
    Command("work", "", _work, hidden=True),
    Command("standby", "", lambda parser: None, hidden=True),
    *(Command(f"work-{what}", "", _folder, hidden=True) for what in JOBS),
    Command("work-lab", "", lambda parser: parser.add_argument("lab") and None, hidden=True),
)  # fmt: skip
