"""The page's server functions by name, for tests that ask them as a browser does."""

import asyncio
import inspect


def by_name(functions, prefix=""):
    """{name: the function, which answers at once}; `prefix` is left out of the names."""
    return {function.__name__.removeprefix(prefix): now(function) for function in functions}


def now(function):
    """What answers later, answering at once."""
    if not inspect.iscoroutinefunction(function):
        return function
    return lambda *given: asyncio.run(function(*given))
