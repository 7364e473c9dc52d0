"""The short way for a tablet that asks again: what is as it was costs one look into the database.

A refresh asks for the list and for the manifest of every form, each day, by every tablet, and nearly always nothing is
different. What was answered is remembered with everything that the answer and the right to it depend on; while that is
so, the answer is 304 before the web framework has begun. Whatever is not plain goes the long way.
"""

from __future__ import annotations

import datetime as dt
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from email.utils import format_datetime
from functools import cached_property
from typing import Any

from flask import request
from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from server import clock, current
from server.db import session
from server.door.basic import name_and_password
from server.door.capacity import Rates
from server.door.front import KEY, PATH_SHOWN
from server.logs import log
from sync.accounts.tokens import NOTED_OTHERWISE, digest, is_well_formed
from sync.errors import TooMany
from sync.models import Actor, Assignment, Project, Token
from sync.models.database import Bare, looking
from sync.models.probing import rows_of

_STAMP = "siby.stamp"
_BOUND = 50_000
_LONGEST = 2_000  # address that is remembered
_OF_ONE_ANSWER = frozenset({"date", "x-request-id", "content-length", "content-type", "etag"})
_LOOK = (
    select(
        Token.revoked_at,
        Token.expires_at,
        Token.last_used_at,
        Actor.disabled_at,
        Project.deleted_at,
        Actor.id,
        Actor.places,
        Actor.properties,
        Actor.language,
        Assignment.role,
        Project.last_event,
    )
    .join(Actor, Actor.id == Token.actor_id)
    .join(Project, Project.id == Actor.project_id)
    .join(Assignment, (Assignment.project_id == Project.id) & (Assignment.actor_id == Actor.id))
    .where(Token.sha256 == bindparam("sha256"), Token.kind == "device", Actor.kind == "device", ~Actor.assigned_only)
)

Stamp = tuple[Hashable, ...]


def remember_this() -> None:
    """Say in a route that its answer to a device depends on the project's data and the device's own row alone."""
    token = current.visitor().token
    if token is not None and (stamp := _look(session().connection(), token, current.now())) is not None:
        request.environ[_STAMP] = stamp


class Unchanged:
    """Stands between the front door and the app, and answers what `remember_this` was said of."""

    def __init__(self, app: Any, engine: Callable[[], Engine], rates: Rates) -> None:
        self._app = app
        self._make_engine = engine
        self._rates = rates
        self._kept: OrderedDict[Hashable, _Answered] = OrderedDict()
        self._headers: dict[_Headers, _Headers] = {}
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        query, path = environ.get("QUERY_STRING", ""), environ.get("PATH_INFO", "")
        plain = environ.get("REQUEST_METHOD") == "GET" and len(path) + len(query) <= _LONGEST
        token = token_in(environ) if plain else None
        if token is None:
            return self._app(environ, start_response)  # type: ignore[no-any-return]
        sha256 = digest(token)
        whither = (environ.get(name, "") for name in ("wsgi.url_scheme", "HTTP_HOST"))
        asked = (sha256, *whither, path, query, environ.get("HTTP_ACCEPT_LANGUAGE", ""))
        with self._lock:
            known = self._kept.get(asked)
        if known is not None and known.tag == _bare(environ.get("HTTP_IF_NONE_MATCH", "")):
            began = time.perf_counter()
            if self._still(known, sha256):
                return _say_so(known, environ, start_response, began)

        def noting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            if environ.get(_STAMP) is not None and status[:3] in ("200", "304"):
                self._keep(asked, environ[_STAMP], headers)
            return start_response(status, headers, *rest)

        return self._app(environ, noting)  # type: ignore[no-any-return]

    @cached_property
    def _engine(self) -> Engine:
        return self._make_engine()

    def _still(self, known: _Answered, sha256: bytes) -> bool:
        try:
            self._rates.count(sha256)
        except TooMany:
            return False  # the long way says it
        try:
            with looking(self._engine) as connection:
                return _look(connection, sha256, clock.now()) == known.stamp
        except (DBAPIError, NoConnection):
            return False  # the long way says that too

    def _keep(self, asked: Hashable, stamp: Stamp, headers: list[tuple[str, str]]) -> None:
        tag = next((value for name, value in headers if name.lower() == "etag"), None)
        if tag is None:
            return
        told = tuple((name, value) for name, value in headers if name.lower() not in _OF_ONE_ANSWER)
        with self._lock:
            if len(self._headers) > 1000:
                self._headers.clear()
            self._kept[asked] = _Answered(stamp, _bare(tag), self._headers.setdefault(told, told))
            self._kept.move_to_end(asked)
            while len(self._kept) > _BOUND:
                self._kept.popitem(last=False)


_Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Answered:
    stamp: Stamp
    tag: str
    headers: _Headers


def _look(connection: Connection | Bare, sha256: bytes, now: dt.datetime) -> Stamp | None:
    """None for a token that is not good, or whose use is to be written down: that is done on the long way."""
    found = rows_of(connection, _LOOK, {"sha256": sha256})
    if not found:
        return None
    revoked_at, expires_at, last_used_at, disabled_at, deleted_at, actor_id, places, properties, *rest = found[0]
    if revoked_at or disabled_at or deleted_at or (expires_at and expires_at <= now):
        return None
    if last_used_at is None or now - last_used_at >= NOTED_OTHERWISE:
        return None
    return (actor_id, tuple(places), tuple(sorted(properties.items())), *rest)


def _say_so(known: _Answered, environ: dict[str, Any], start_response: Any, began: float) -> list[bytes]:
    number = secrets.token_hex(8)
    headers = [*known.headers, ("ETag", f'"{known.tag}"'), ("X-Request-Id", number)]
    if "gunicorn.socket" not in environ:  # which dates its answers itself
        headers.append(("Date", format_datetime(clock.now(), usegmt=True)))
    start_response("304 NOT MODIFIED", headers)
    took = round((time.perf_counter() - began) * 1000, 1)
    path, actor = environ.get(PATH_SHOWN), known.stamp[0]
    log("request", id=number, method="GET", path=path, status=304, ms=took, actor=actor)
    return []


def token_in(environ: dict[str, Any]) -> str | None:
    """The token in the path, or in a header; None where something else is shown, or it is in the query."""
    if "st=" in environ.get("QUERY_STRING", ""):
        return None
    if (key := environ.get(KEY)) is not None:
        return key if is_well_formed(key) else None
    kind, _, shown = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if kind.lower() == "basic":
        _, shown = name_and_password(shown) or ("", "")
    elif kind.lower() != "bearer":
        return None
    return shown if is_well_formed(shown) else None


def _bare(tag: str) -> str:
    return tag.strip().removeprefix("W/").strip('"')
