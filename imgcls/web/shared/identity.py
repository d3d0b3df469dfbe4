"""Who asks: a nickname that was asked for once, and the lab's host; each is a signed cookie.

The server keeps nothing but the secret that signs, which lies in the workspace: two servers on one workspace know the
same people, and a restart forgets nobody. On one's own computer everybody is the host.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import threading
import time
import unicodedata
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from itsdangerous import BadData, URLSafeTimedSerializer
from starlette.responses import Response

from imgcls.data.collect import hashed
from imgcls.errors import ImgclsError, RunError
from imgcls.files import replacing, storage_error, write_bytes
from imgcls.runs import queue
from imgcls.runs.state import Owner, RunState, locked
from imgcls.runs.store import states
from imgcls.web.server.security import network_of
from imgcls.web.shared.work_gate import address_of
from imgcls.workspace import Workspace

SECRET = ".secret"  # a file in train_logs/, for the server's eyes only
ID_BYTES = 32
WHO, HOST, KEY = "who", "host", "key"
SECONDS = {WHO: 365 * 24 * 3600, HOST: 8 * 3600, KEY: 365 * 24 * 3600}  # a school year, a school day
NICKNAME_CHARS = 24  # characters
MAX_COOKIE_CHARS = 2000  # characters of a cookie that are looked at
REMEMBERED = 1000  # nicknames of who has come
LEFT = ".left-hosts"  # a file in train_logs/
BLANK = "\u115f\u1160\u3164\uffa0\u2800"  # letters and symbols of Unicode that show nothing


@dataclass(frozen=True)
class User:
    """`owner`: None for whoever has not said a nickname. `host`: may do what everybody may, and more."""

    owner: Owner | None = None
    host: bool = False

    def may_stop(self, state: RunState | None) -> bool:
        try:
            self.check(state)
        except RunError:
            return False
        return True

    def check(self, state: RunState | None) -> None:
        """Raises RunError where the run is somebody else's."""
        queue.check_owner(state, self.owner, host=self.host)


def hashed_network(address: str) -> str:
    """What is remembered of an address: whether two are the same visitor's."""
    return hashed(network_of(address))


class People:
    """`shared`: whether anybody else can reach the lab. `framed`: the page stands in a frame of another site's."""

    def __init__(
        self, workspace: Workspace, *, shared: bool, host_password: str | None = None, framed: bool = False
    ) -> None:
        self.workspace, self.shared, self.framed = workspace, shared, framed
        self.has_host = shared and bool(host_password)
        self._password = hashlib.sha256((host_password or "").encode("utf-8", "surrogatepass")).digest()
        self._lock = threading.Lock()
        self._secret = b""
        self._left = LeftHosts(workspace)
        self._nicknames: OrderedDict[str, str] = OrderedDict()  # of those who have come to this server, by id

    def visitor(self, request: Any) -> User:
        """Who sent a request, Starlette's or Gradio's."""
        if not self.shared:
            return User(host=True)
        cookies = getattr(getattr(request, "request", None) or request, "cookies", None) or {}
        return User(self.owner(self._cookie(cookies, WHO)), self._is_host(self._cookie(cookies, HOST)))

    def run_owner(self, request: Any) -> Owner | None:
        """Whose a run will be. Raises RunError where somebody in a shared lab has not said."""
        owner = self.visitor(request).owner
        if self.shared and owner is None:
            raise RunError("Say who you are first: your browser has to keep a cookie of this lab.")
        return self.at(request, owner) if owner else None

    def at(self, request: Any, owner: Owner) -> Owner:
        """`owner`, with the address that a request comes from."""
        return replace(owner, address=hashed_network(address_of(request)))

    def named(self, nickname: Any, current: Owner | None = None) -> Owner:
        """Somebody of that nickname: a new one, or the one that is `known` already. Raises RunError."""
        name = nickname if isinstance(nickname, str) else ""
        if len(name) <= 4 * NICKNAME_CHARS:  # a megabyte is not looked at
            name = " ".join(unicodedata.normalize("NFC", name).split())
        if len(name) > NICKNAME_CHARS:
            raise RunError("A nickname has at most {most} characters: choose a shorter one.", most=NICKNAME_CHARS)
        if not can_be_read(name):
            raise RunError("Type a nickname: letters, digits, whatever can be read.")
        owner = Owner(current.id if current else secrets.token_urlsafe(16), name)
        owner = Owner(owner.id, self._told_apart(owner))
        with self._lock:
            self._nicknames[owner.id] = owner.nickname
            while len(self._nicknames) > REMEMBERED:
                self._nicknames.popitem(last=False)
        return owner

    def _told_apart(self, owner: Owner) -> str:
        """ "Ann 2" where another Ann is here, or has a run."""
        with self._lock:
            others = {name.casefold() for owner_id, name in self._nicknames.items() if owner_id != owner.id}
        runs = states(self.workspace).values()
        others |= {s.owner.nickname.casefold() for s in runs if s.owner and s.owner.id != owner.id}
        tries = (f"{owner.nickname[: NICKNAME_CHARS - 4]} {number}" for number in range(2, 1000))
        names = (name for name in (owner.nickname, *tries) if name.casefold() not in others)
        return next(names, owner.nickname)

    def is_password(self, typed: Any) -> bool:
        """Takes as long for a near miss as for any other."""
        password = typed if isinstance(typed, str) and len(typed) <= MAX_COOKIE_CHARS else ""
        digest = hashlib.sha256(password.encode("utf-8", "surrogatepass")).digest()
        return hmac.compare_digest(digest, self._password) and self.has_host

    def signed(self, owner: Owner) -> str:
        """What proves later that it is the same person: for that person's cookie alone."""
        return self._signer(WHO).dumps([owner.id, owner.nickname])

    def key(self, owner: Owner) -> str:
        """What proves it to a program: no cookie, so that whoever reads it in a log cannot open the page with it."""
        return self._signer(KEY).dumps([owner.id, owner.nickname])

    def owner(self, signed: str, what: str = WHO) -> Owner | None:
        """Whom `signed` was made for; None where it was not made here."""
        match self._loaded(what, signed):
            case [str(name), str(nickname)]:
                return Owner(name, nickname)
        return None

    def owner_of_key(self, key: str) -> Owner | None:
        return self.owner(key, KEY)

    def remember(self, answer: Response, request: Any, owner: Owner) -> None:
        self._set(answer, request, WHO, self.signed(owner))

    def remember_host(self, answer: Response, request: Any) -> None:
        self._set(answer, request, HOST, self._signer(HOST).dumps(["host", secrets.token_urlsafe(8)]))

    def forget_host(self, answer: Response, request: Any) -> None:
        """Copies of the cookie are worth nothing from now on. Raises StorageError."""
        cookies = getattr(getattr(request, "request", None) or request, "cookies", None) or {}
        match self._loaded(HOST, self._cookie(cookies, HOST)):
            case ["host", str(one)]:
                self._left.add(one)
        self._set(answer, request, HOST, "", seconds=0)

    def _is_host(self, signed: str) -> bool:
        if not self.has_host:
            return False
        match self._loaded(HOST, signed):
            case ["host", str(one)]:
                return one not in self._left
        return False

    def _loaded(self, what: str, signed: str) -> Any:
        if not 0 < len(signed) <= MAX_COOKIE_CHARS:
            return None
        try:
            return self._signer(what).loads(signed, max_age=SECONDS[what])
        except (BadData, ImgclsError):
            return None

    def _signer(self, what: str) -> URLSafeTimedSerializer:
        """Another password of the host's ends what was signed under the one before."""
        salt = what.encode() + (self._password if what == HOST else b"")
        return URLSafeTimedSerializer(self.secret(), salt=salt, signer_kwargs={"digest_method": hashlib.sha256})

    def _cookie(self, cookies: Mapping[str, str], what: str) -> str:
        value = cookies.get(self._name(what))
        return value if isinstance(value, str) else ""

    def _name(self, what: str) -> str:
        """Two labs on one computer have the same cookies: each knows its own by name."""
        return f"imgcls-{what}-{hashlib.sha256(str(self.workspace.root).encode()).hexdigest()[:8]}"

    def _set(self, answer: Response, request: Any, what: str, value: str, *, seconds: int | None = None) -> None:
        https = request.url.scheme == "https"
        answer.set_cookie(
            self._name(what),
            value,
            max_age=SECONDS[what] if seconds is None else seconds,
            path=request.scope.get("root_path") or "/",
            httponly=True,
            secure=https,
            # Another site's requests are turned away by their origin, whatever they carry.
            samesite="none" if https and self.framed else "lax",
        )

    def secret(self) -> bytes:
        """Made by the first who needs it. Raises StorageError."""
        with self._lock:
            if not self._secret:
                self._secret = _secret(self.workspace)
            return self._secret


class LeftHosts:
    """Hosts' cookies that have been given up, by their ids, for as long as they would have been good: two servers on
    one workspace know the same ones."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._path = workspace.train_logs / LEFT
        self._read: tuple[int, dict[str, float]] = (0, {})

    def add(self, one: str) -> None:
        """Raises StorageError."""
        with locked(self._workspace):
            still = {name: until for name, until in self._known().items() if until > time.time()}
            write_bytes(self._path, json.dumps(still | {one: time.time() + SECONDS[HOST]}).encode())

    def __contains__(self, one: str) -> bool:
        return one in self._known()

    def _known(self) -> dict[str, float]:
        try:
            written = self._path.stat().st_mtime_ns
            if self._read[0] != written:
                until_of_name = json.loads(self._path.read_text("utf-8"))
                self._read = written, {str(name): float(until) for name, until in until_of_name.items()}
        except (OSError, ValueError, AttributeError, TypeError):
            return {}
        return self._read[1]


def can_be_read(nickname: str) -> bool:
    """Whether there is something to see in it, and nothing that is there without being seen."""
    unseen = ("Cc", "Cf", "Cs", "Co", "Cn")
    if any(unicodedata.category(c) in unseen for c in nickname):
        return False
    return any(unicodedata.category(c)[0] in "LNPS" and c not in BLANK for c in nickname)


def _secret(workspace: Workspace) -> bytes:
    path = workspace.train_logs / SECRET
    with locked(workspace):
        if secret := _kept(path):
            return secret
        with replacing(path) as temporary:
            temporary.touch(mode=0o600)  # before anything is in it
            temporary.write_bytes(secrets.token_bytes(ID_BYTES))
        return _kept(path)


def _kept(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise storage_error(path, error) from None
    return content if len(content) == ID_BYTES else b""
