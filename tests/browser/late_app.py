"""The lab with late answers: what an event's function makes is sent IMGCLS_LATE (a file) seconds after it was made, and
so are the answers to the page's own questions. For test_choices.py."""

import asyncio
import inspect
import os
import sys
import time
from functools import wraps
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from imgcls.web import app, page  # noqa: E402


def seconds():
    return float(Path(os.environ["IMGCLS_LATE"]).read_text())


def late(function):
    @wraps(function)
    def answered(*given, **more):
        made = function(*given, **more)
        time.sleep(seconds())
        return made

    @wraps(function)
    async def answered_by_loop(*given, **more):
        made = await function(*given, **more)
        await asyncio.sleep(seconds())
        return made

    return answered_by_loop if inspect.iscoroutinefunction(function) else answered


def build(*given):
    made = made_at_once(*given)
    for event in made.fns.values():
        if callable(event.fn) and not (inspect.isgeneratorfunction(event.fn) or inspect.isasyncgenfunction(event.fn)):
            event.fn = late(event.fn)
    return made


if __name__ == "__main__":
    made_at_once, page.build = page.build, build
    raise SystemExit(app.serve())
