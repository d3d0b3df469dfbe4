"""The terminal: `imgcls COMMAND`, or `python -m imgcls COMMAND`. The commands are the table in `parser.py`.

Exit codes: 0 done; 1 something could not be classified, or a run failed; 2 a bad argument; 130 stopped by Ctrl-C.
Heavy imports (torch, Gradio) stand inside the commands that need them: `--help` answers at once. Errors go to stderr
as one sentence. What a command does is in the module of its name in `commands/`.
"""

from __future__ import annotations

import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

from imgcls.cli.parser import complete, make_parser
from imgcls.errors import ImgclsError, RunError, StorageError
from imgcls.messages import Terminal, printable
from imgcls.plugins import load_plugins


def main(argv: Sequence[str] | None = None) -> int:
    _say_anything()
    try:
        load_plugins()
    except ImgclsError as error:
        print(f"imgcls: {error.message.said(Terminal())}", file=sys.stderr)
        return 2
    parser = make_parser()
    complete(parser)
    arguments = parser.parse_args(argv)
    if not hasattr(arguments, "command"):
        parser.print_help()
        return 2
    try:
        return importlib.import_module(f"imgcls.cli.commands.{arguments.command}").run(arguments)
    except ImgclsError as error:
        print(f"{parser.prog}: {error.message.said(Terminal())}", file=sys.stderr)
        return 1 if isinstance(error, RunError) and getattr(arguments, "job", "") == "work" else 2
    except KeyboardInterrupt:
        print(f"{parser.prog}: interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of a pipe has gone: nothing to say to nobody
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:  # a place that cannot be looked at: a name too long, a folder of somebody else's
        print(f"{parser.prog}: {_refused(error).message.said(Terminal())}", file=sys.stderr)
        return 2


def _refused(error: OSError) -> StorageError:
    reason = error.strerror or type(error).__name__
    if error.filename is None:
        return StorageError("The system refused what this command needs: {reason}.", reason=reason)
    return StorageError("{path} cannot be used: {reason}.", path=printable(os.fsdecode(error.filename)), reason=reason)


def _say_anything() -> None:
    """What the terminal's or the pipe's encoding lacks is written as \\u82b1: a name must not end a training. A stream
    that was closed takes what is said, and loses it."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def to_json(value: Any) -> str:
    """JSON that stays JSON whatever stdout's encoding is."""
    unicode = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return json.dumps(value, ensure_ascii=not unicode)
