"""The address that students type, and its picture for their cameras: on the page, and in the console at the start."""

from __future__ import annotations

import contextlib
import socket
from typing import TextIO

import segno

from imgcls.web.server.hosting import Hosting, is_loopback, lan_address

ELSEWHERE = ("0.0.0.0", "::", "[::]")


def address(hosting: Hosting, *, port: int, host_header: str = "", scheme: str = "http") -> str | None:
    """Where others find the lab; None where it listens to this computer alone.

    `host_header`: that of whoever wants to know, which has been allowed already: where that name is not this
    computer's own for itself, others can use it too.
    """
    name = _name(host_header)
    if host_header and name and not is_loopback(name) and name not in ELSEWHERE:
        return f"{scheme}://{host_header}"
    if hosting.public_name:
        return f"https://{hosting.public_name}"
    if is_loopback(hosting.host):
        return None
    if hosting.host not in ELSEWHERE:
        return f"http://{_bracketed(hosting.host)}:{port}"
    own_address = lan_address()
    allowed = [
        host for host in hosting.allowed_hosts if not is_loopback(host) and host not in ELSEWHERE and "*" not in host
    ]
    if own_address in allowed or "*" in hosting.allowed_hosts:
        return f"http://{own_address}:{port}" if own_address else None
    return f"http://{_bracketed(allowed[0])}:{port}" if allowed else None


def code(url: str) -> str:
    """The QR code of `url` as a data URL: black on white, with its quiet zone, in either theme."""
    return segno.make(url, error="m").svg_data_uri(scale=8, border=3, light="#fff", dark="#111827")


def print_code(url: str, out: TextIO) -> None:
    """For the console; one that cannot show the blocks is spared them."""
    with contextlib.suppress(UnicodeEncodeError):
        segno.make(url, error="l").terminal(out=out, border=2, compact=True)


def _name(host: str) -> str:
    """The name in a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _bracketed(host: str) -> str:
    with contextlib.suppress(OSError):
        socket.inet_pton(socket.AF_INET6, host.strip("[]"))
        return f"[{host.strip('[]')}]"
    return host
