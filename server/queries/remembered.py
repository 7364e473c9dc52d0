"""What was worked out about a project, until anything in it changes."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from sync.models import Project

Worked = TypeVar("Worked")
_MOST = 200


class Remembered(Generic[Worked]):
    """Kept by each process for itself, for the projects that were asked about last.

    What is kept outlives the session, so it is plain values.
    """

    def __init__(self) -> None:
        self._of_engine: weakref.WeakKeyDictionary[Engine, OrderedDict[object, tuple[int, Worked]]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def get(self, session: Session, project_id: int, kind: Iterable[object], work_out: Callable[[], Worked]) -> Worked:
        """`kind` tells apart what is kept for one project. Two threads may work out the same; that is dearer once."""
        stamp = session.scalars(select(Project.last_event).where(Project.id == project_id)).one()
        engine, key = session.connection().engine, (project_id, *kind)
        with self._lock:
            kept = self._of_engine.setdefault(engine, OrderedDict())
            known = kept.get(key)
        if known is not None and known[0] == stamp:
            return known[1]
        found = work_out()
        with self._lock:
            kept[key] = stamp, found
            kept.move_to_end(key)
            while len(kept) > _MOST:
                kept.popitem(last=False)
        return found
