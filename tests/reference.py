"""The reference: `python tests/reference.py` writes docs/api.md and docs/tree.md from docstrings, docs/commands.md from
the flags."""

import argparse
import ast
import inspect
import itertools
import os
import re
import sys
from functools import cached_property
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))
GROUPS = {
    "Train": ("train", "Run", "runs", "sweep", "Sweep", "find_lr", "RangeTest", "TrainSettings", "events"),
    "Use": ("load", "Net", "Prediction"),
    "Measure": ("evaluate", "Evaluation", "compare", "Comparison", "cross_validate", "CrossValidation"),
    "Look at data": ("datasets", "DatasetInfo", "audit", "Audit"),
    "Add your own": (
        *("models", "register_model", "ModelSpec", "register_dataset", "DatasetSpec"),
        *("register_optimizer", "OptimizerSpec", "register_augmentation", "AugmentationSpec"),
    ),
    "Errors": ("ImgclsError",),
}
HEAD = "<!-- Written by `python tests/reference.py`; a test compares. -->\n"


def api():
    """docs/api.md."""
    import imgcls

    made = [HEAD, "# The library", "", quoted(imgcls.__doc__), ""]
    made += [
        "What a class or a function raises is a subclass of `ImgclsError` with one sentence that says what to do.",
        "",
    ]
    for title, names in GROUPS.items():
        made += [f"## {title}", ""]
        for name in names:
            made += entry(name)
    return "\n".join(made).rstrip() + "\n"


def entry(name):
    import imgcls

    public = getattr(imgcls, name)
    if name in ("audit", "models", "runs"):
        public = imgcls._public(name)
    if name == "events":
        return [f"### `imgcls.{name}`", "", *event_types(public)]
    if name == "TrainSettings":
        return [f"### `imgcls.{name}`", "", quoted(public.__doc__), "", *settings_table(public)]
    if inspect.isclass(public):
        return [f"### `imgcls.{name}`", "", quoted(public.__doc__), "", *members(public)]
    return [f"### `imgcls.{name}{signature(public)}`", "", quoted(public.__doc__), ""]


def members(cls):
    """Properties and methods that have a docstring, in the order of the source."""
    made = []
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        plain = (
            member.fget
            if isinstance(member, property)
            else member.func
            if isinstance(member, cached_property)
            else member
        )
        text = inspect.getdoc(plain)
        if not inspect.isfunction(plain) or not text:
            continue
        call = f"{name}{signature(plain)}" if inspect.isfunction(member) else name
        made.append(f"- `.{call}`: {' '.join(text.split())}")
    return [*made, ""] if made else []


def event_types(module):
    made = [quoted(module.__doc__), ""]
    for name, cls in vars(module).items():
        if inspect.isclass(cls) and issubclass(cls, module.Event) and cls is not module.Event:
            fields = [
                field for field in cls.__dataclass_fields__ if field not in ("time", "model", "sample", "example")
            ]
            said = (cls.__doc__ or "").strip()
            said = "" if said.startswith(f"{name}(") else f" {' '.join(said.split())}"
            made.append(f"- `events.{name}({', '.join(fields)})`{said}")
    return [*made, ""]


def settings_table(cls):
    from imgcls.settings import limits

    rows = ["| setting | range | default | |", "| --- | --- | --- | --- |"]
    for name, info in cls.model_fields.items():
        rows.append(f"| `{name}` | {cell(str(limits(name)))} | `{info.default!r}` | {cell(info.description)} |")
    return [*rows, ""]


def commands():
    """docs/commands.md."""
    from imgcls.cli.parser import make_parser

    parser = make_parser()
    made = [HEAD, "# Commands", "", "`imgcls COMMAND`, or `python -m imgcls COMMAND`.", ""]
    subparsers = next(a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    shown = {action.dest: action.help for action in subparsers._choices_actions}
    for name, command in subparsers.choices.items():
        if name not in shown:
            continue  # what the page and the terminal start themselves
        made += [f"## {name}", "", sentence(shown[name]), "", *flags(command), ""]
    return "\n".join(made).rstrip() + "\n"


def flags(command):
    rows = []
    for action in command._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        called = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        takes = f" {action.metavar}" if action.option_strings and action.metavar else ""
        choices = f" ({', '.join(map(str, action.choices))})" if action.choices and not action.metavar else ""
        rows.append(f"- `{called}{takes}`: {cell((action.help or '').replace('%%', '%'))}{choices}")
    return rows


def signature(function):
    text = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(function)))
    return text.replace("(self, ", "(").replace("(self)", "()")


ARGUMENT = re.compile(r"(?:    )?((?:[a-z_]+(?:, | and )?)+): (.*)")


def quoted(text):
    """A docstring as Markdown: indented code as a block, each argument or field as an item of a list."""
    made, code, item = [], False, False
    for line in inspect.cleandoc(text or "").splitlines():
        argument = None if code else ARGUMENT.fullmatch(line)
        if line.startswith("    ") and not argument and not item and not code:
            made.append("```python")
            code = True
        if code and line and not line.startswith("    "):
            made[-1:] = ["```", ""]
            code = False
        if argument:
            names = re.sub(r"[a-z_]+", lambda name: name[0] if name[0] == "and" else f"`{name[0]}`", argument[1])
            made.append(f"- {names}: {argument[2]}")
        elif code:
            made.append(line.removeprefix("    "))
        elif line.startswith("    "):
            made.append("  " + line.strip())
        else:
            made += [line, ""] if line in ("Args:", "Attributes:") else [line]
        item = bool(argument) or (item and line.startswith("    "))
    return "\n".join([*made, "```"] if code else made)


def sentence(text):
    return text[0].upper() + text[1:] + ("" if text.endswith(".") else ".")


def cell(text):
    return " ".join((text or "").split()).replace("|", "\\|")


def tree():
    """docs/tree.md: every module and script with the first sentence of what it says of itself."""
    import imgcls

    made = [HEAD, "# Every file", "", "What each module and script says of itself in its first sentence.", ""]
    root = Path(imgcls.__file__).parent
    paths = [path for kind in ("*.py", "*.js", "*.c") for path in root.rglob(kind)]
    for folder in sorted({path.parent for path in paths}):
        made += [f"## {folder.relative_to(PROJECT).as_posix()}/", ""]
        for path in sorted(path for path in paths if path.parent == folder):
            if sentence := first_sentence(path):
                made.append(f"- `{path.name}`: {sentence}")
        made.append("")
    return "\n".join(made).rstrip() + "\n"


def first_sentence(path):
    """Of a module's docstring, or of the comment that a script begins with."""
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        lines = itertools.takewhile(lambda line: line.startswith(("//", "/*", " *")), text.splitlines())
        said = " ".join(line.strip("/* ") for line in lines)
    paragraph = " ".join(said.split("\n\n")[0].split())
    return re.split(r"(?<=[.?!]) (?=[A-Z`])", paragraph)[0]


def main():
    for name, make in (("api", api), ("commands", commands), ("tree", tree)):
        (PROJECT / "docs" / f"{name}.md").write_text(make(), "utf-8")


if __name__ == "__main__":
    os.environ.pop("IMGCLS_HOME", None)
    main()
