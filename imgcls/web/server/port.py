"""The address that the server listens at, taken before the application is built: who comes meanwhile waits."""

from __future__ import annotations

import errno
import os
import socket
import urllib.error
import urllib.request

from imgcls.errors import ServeError

MARK = ("X-Lab", "imgcls")  # a header of this server's answers, by which a second start knows it
WAITING = 2048  # connections that nobody has taken yet
ANSWER_TIMEOUT_S = 3.0  # for whoever has the port to say who it is


def listen(host: str, port: int) -> socket.socket:
    """A socket at which connections queue up. Raises ServeError where the port is taken or the address not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family)
    try:
        if os.name != "nt":  # there it would let two programs have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(WAITING)
    except OSError as error:
        listening.close()
        raise _why(host, port, error) from None
    return listening


def url_of(host: str, port: int) -> str:
    """What a browser on this computer types."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def _why(host: str, port: int, error: OSError) -> ServeError:
    url = url_of(host, port)
    if error.errno != errno.EADDRINUSE:
        return ServeError(
            "{host}:{port} cannot be listened at ({reason}): choose another --host or --port.",
            host=host,
            port=port,
            reason=error.strerror,
        )
    if _is_lab(url):
        return ServeError("The lab is open already at {url}: go there, or choose another --port.", url=url)
    return ServeError("Another program has {host}:{port}: choose another --port.", host=host, port=port)


def _is_lab(url: str) -> bool:
    name, value = MARK
    try:
        ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open  # this computer, not a proxy
        with ask(f"{url}/favicon.ico", timeout=ANSWER_TIMEOUT_S) as answer:
            return answer.headers.get(name) == value
    except urllib.error.HTTPError as error:  # it asks for a password
        return f'realm="{value}"' in error.headers.get("WWW-Authenticate", "")
    except (OSError, ValueError):
        return False
