"""Where the lab listens, which names it answers to, who may reach it and within which limits.

Environment: IMGCLS_HOST and IMGCLS_PORT (where to listen), IMGCLS_ALLOWED_HOSTS (names the page answers to, separated
by commas; a foreign one means that the lab is shared), IMGCLS_PASSWORD (asked for before anything else),
IMGCLS_HOST_PASSWORD (whoever enters it becomes the lab's host),
IMGCLS_RUNS_AT_ONCE (where the lab is shared further ones wait),
IMGCLS_WAITING_EACH (so many runs of one person, or of one address, may wait),
IMGCLS_FETCH (yes: whoever visits a shared lab may have built-in data sets fetched),
IMGCLS_TRUSTED_PROXY (addresses or networks of proxies whose X-Forwarded-* headers count; the lab is then shared),
SPACE_ID (set by a Hugging Face Space).
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace

import psutil

from imgcls.errors import SettingsError
from imgcls.web.shared.limits import ALONE, SHARED, Limits

PORT = 7860
# Nothing but the Space's own proxies reaches its container; those behind one another have private addresses.
SPACE_PROXIES = "*, 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7"


@dataclass(frozen=True)
class Hosting:
    host: str
    port: int
    limits: Limits
    allowed_hosts: tuple[str, ...]  # names in the Host header; "*" is any
    password: str | None = None
    host_password: str | None = None  # whoever gives it may stop, reorder and delete what others have made
    # Addresses and networks whose X-Forwarded-* headers count; "*": whoever connects is one, and those that are named
    # besides may stand behind it.
    trusted_proxies: tuple[str, ...] = ()
    public_name: str | None = None  # what others type, where a proxy stands before the lab
    framed: bool = False  # the page stands in a frame of another site's, as a Space's does


def hosting(host: str | None = None, port: int | None = None, env: Mapping[str, str] = os.environ) -> Hosting:
    """From what was said, the environment, and the defaults: loopback, port 7860."""
    space = "SPACE_ID" in env
    host = host or env.get("IMGCLS_HOST") or ("0.0.0.0" if space else "127.0.0.1")
    if port is None:
        port = _port(env.get("IMGCLS_PORT") or str(PORT))
    named = _hosts(env.get("IMGCLS_ALLOWED_HOSTS", ""))
    loopback = ("127.0.0.1", "localhost", "[::1]", host)
    proxies = _proxies(env.get("IMGCLS_TRUSTED_PROXY") or (SPACE_PROXIES if space else ""))
    # A foreign name means that others come, through a proxy on this computer perhaps, and so does a proxy by itself:
    # it may name this computer in their place.
    public = not is_loopback(host) or not all(is_loopback(name) for name in named) or bool(proxies)
    if not named and not is_loopback(host) and not space:
        named = _own_names(host)
    spaces = ("*.hf.space", "*.huggingface.co", "*.huggingface.tech") if space else ()
    behind = [name for name in named if is_loopback(host) and not is_loopback(name) and "*" not in name]
    return Hosting(
        host=host,
        port=port,
        limits=_limits(SHARED if public else ALONE, env),
        allowed_hosts=(*loopback, *named, *spaces),
        password=env.get("IMGCLS_PASSWORD") or None,
        host_password=env.get("IMGCLS_HOST_PASSWORD") or None,
        trusted_proxies=proxies,
        public_name=(env.get("SPACE_HOST") if space else next(iter(behind), None)) or None,
        framed=space,
    )


def _limits(limits: Limits, env: Mapping[str, str]) -> Limits:
    text = env.get("IMGCLS_RUNS_AT_ONCE") or str(limits.runs_at_once)
    if not text.isdigit() or not 1 <= int(text) <= 64:
        raise SettingsError("IMGCLS_RUNS_AT_ONCE is {text}, but must be a whole number from 1 to 64.", text=text)
    each = env.get("IMGCLS_WAITING_EACH") or str(limits.waiting_each)
    if not each.isdigit() or not 1 <= int(each) <= 60:
        raise SettingsError("IMGCLS_WAITING_EACH is {text}, but must be a whole number from 1 to 60.", text=each)
    fetch = env.get("IMGCLS_FETCH") or ("yes" if limits.fetch else "no")
    if fetch not in ("yes", "no"):
        raise SettingsError("IMGCLS_FETCH is {text}, but must be yes or no.", text=fetch)
    return replace(limits, runs_at_once=int(text), waiting_each=int(each), fetch=fetch == "yes")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _own_names(host: str) -> tuple[str, ...]:
    """This computer's names and addresses: what a class would type. IMGCLS_ALLOWED_HOSTS replaces them."""
    names = {socket.gethostname(), socket.getfqdn(), f"{socket.gethostname()}.local", lan_address(), *_addresses()}
    return tuple(sorted(name for name in names if name and name != "0.0.0.0"))


def lan_address() -> str | None:
    """The IPv4 address that others in this computer's network reach it at, where it has one."""
    # No packet is sent: connecting a datagram socket only chooses the address that would be used.
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]
    # A network without a way out, as a router without the Internet makes it.
    return next((a for a in _addresses() if not ipaddress.ip_address(a).is_loopback), None)


def _addresses() -> list[str]:
    """Every IPv4 address of this computer, those of the usual private networks first."""
    with contextlib.suppress(OSError):
        addresses = {a.address for card in psutil.net_if_addrs().values() for a in card if a.family == socket.AF_INET}
        return sorted(addresses, key=lambda a: (ipaddress.ip_address(a).is_link_local, not a.startswith("192.168."), a))
    return []


def _port(text: str) -> int:
    if not text.isdigit() or int(text) > 65535:
        raise SettingsError("IMGCLS_PORT is {text}, but must be a whole number from 0 to 65535.", text=text)
    return int(text)


def _hosts(text: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in named:
        if name != "*" and ("*" in name.removeprefix("*.") or "/" in name):
            raise SettingsError(
                "IMGCLS_ALLOWED_HOSTS names {name}, but must be host names such as lab.example.org or *.example.org, "
                "separated by commas.",
                name=name,
            )
    return named


def _proxies(text: str) -> tuple[str, ...]:
    named = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in named:
        try:
            if name != "*":
                ipaddress.ip_network(name, strict=False)
        except ValueError:
            raise SettingsError(
                "IMGCLS_TRUSTED_PROXY names {name}, but must be addresses or networks such as 10.0.0.0/8, "
                "separated by commas.",
                name=name,
            ) from None
    return named
