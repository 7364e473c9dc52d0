"""Answers that were made last, kept while the project and whoever asks are as they were."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable

from flask import Response
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server.wire.answers import tagged
from sync.accounts.roles import role_in
from sync.models import Actor, Project

_BOUND = 20_000
_LARGEST = 64 * 1024  # longer answers are made anew each time

Stamp = tuple[Hashable, ...]


def stamp_of(session: Session, project_id: int, actor: Actor | None) -> Stamp:
    """What an answer to this actor can depend on: any change of the project's data, and of the actor's own row."""
    last = session.scalar(select(Project.last_event).where(Project.id == project_id))
    if actor is None:
        return (last,)
    properties = tuple(sorted(actor.properties.items()))
    role = role_in(session, actor, project_id) if actor.kind == "user" and actor.id else None
    return last, role, tuple(actor.places), actor.assigned_only, actor.language, properties


class KeptAnswers:
    """XML bodies by what was asked, of the databases of this process. A body is good as long as its stamp."""

    def __init__(self) -> None:
        self._of_engine: weakref.WeakKeyDictionary[Engine, OrderedDict[Hashable, tuple[Stamp, bytes, str]]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def answer(
        self, session: Session, asked: Hashable, stamp: Stamp, make: Callable[[], bytes], content_type: str
    ) -> Response:
        """The body with its entity tag, or 304. `make` is called where nothing is kept that is still good."""
        engine = session.get_bind().engine
        with self._lock:
            known = self._of_engine.get(engine, OrderedDict()).get(asked)
        if known is not None and known[0] == stamp:
            return tagged(known[1], content_type, known[2])
        body = make()
        response = tagged(body, content_type)
        tag, _ = response.get_etag()
        if len(body) <= _LARGEST and tag is not None:
            with self._lock:
                kept = self._of_engine.setdefault(engine, OrderedDict())
                kept[asked] = (stamp, body, tag)
                kept.move_to_end(asked)
                while len(kept) > _BOUND:
                    kept.popitem(last=False)
        return response
