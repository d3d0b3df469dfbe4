"""The one tree of errors that a person can cause; every message is one sentence that says what to do.

    ImgclsError
    ├── SettingsError     a setting has a value that it cannot have (names field, value and range)
    ├── DatasetError      a data set is missing, empty or broken
    ├── WeightsError      pre-trained weights are missing, foreign or do not fit
    ├── CheckpointError   a checkpoint file is truncated, foreign or mismatched
    ├── RunError          a run cannot be started, found, stopped or resumed
    │   └── DivergedError the loss is no longer a number
    ├── InputError        an image or a drawing given for classification cannot be used
    ├── StorageError      a file cannot be written: a full disk, a folder without permission
    ├── DeviceError       the device or precision asked for is not to be had
    ├── InstallError      the installed libraries do not work together
    └── ServeError        the server cannot be opened at the address asked for

The terminal shows `str(error)`; the page shows `error.message` in its own language.
"""

from __future__ import annotations

import re
import socket
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError

from imgcls.messages import Message

MAX_REASON_CHARS = 200  # of another program's words in a sentence


class ImgclsError(Exception):
    """Something a person can mend: `DatasetError("{name} has {count} images.", name=name, count=12)`.

    `text` is the message's id, `values` fill its braces; `field` is the setting at fault, where there is one.
    """

    def __init__(self, text: str | Message, /, *, field: str | None = None, **values: Any) -> None:
        self.message = text if isinstance(text, Message) else Message(text, **values)
        self.field = field
        super().__init__(str(self.message))


class SettingsError(ImgclsError):
    """A bad setting. `field` is the name of the field at fault, or None when several are."""


class DatasetError(ImgclsError):
    """A data set that cannot be trained on or evaluated."""


class WeightsError(ImgclsError):
    """Pre-trained weights that are not there or do not fit."""


class CheckpointError(ImgclsError):
    """A checkpoint file that cannot be used."""


class RunError(ImgclsError):
    """A run that cannot be started, found, stopped or resumed."""


class DivergedError(RunError):
    """A loss that is no longer a number: the run has ended."""


class InputError(ImgclsError):
    """An image or drawing that cannot be classified."""


class DeviceError(ImgclsError):
    """A device or precision that this machine does not have."""


class StorageError(ImgclsError):
    """A file that cannot be written."""


class ServeError(ImgclsError):
    """An address that cannot be served at."""


class InstallError(ImgclsError):
    """Libraries that do not belong together, or are missing."""


def network_reason(error: Exception) -> Message:
    """What a person would call it that something did not come over the network."""
    if isinstance(error, HTTPError):
        return Message("it answered {code} {text}", code=error.code, text=_plain_words(error.reason))
    cause = getattr(error, "reason", error)
    if isinstance(cause, socket.gaierror):
        return Message("its address was not found: is there a network?")
    if isinstance(cause, ConnectionRefusedError):
        return Message("the connection was refused")
    if isinstance(cause, TimeoutError):
        return Message("no answer came in time")
    if isinstance(cause, ConnectionError | HTTPException):
        return Message("the connection broke off")
    return Message(_plain_words(getattr(cause, "strerror", None) or cause))


def _plain_words(said: object) -> str:
    """Without markup, and short."""
    return re.sub(r"[<>]", "", str(said))[:MAX_REASON_CHARS] or type(said).__name__
