"""What was worked out about a project, until anything in it changes."""

from __future__ import annotations

import datetime as dt
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from server import clock
from sync.models import Project

Worked = TypeVar("Worked")
_MOST = 200
# What takes longer than this to work out is shown as it stood, until somebody asks for it as it stands.
DEAR_SECONDS = 0.7


@dataclass(frozen=True, slots=True)
class Recalled(Generic[Worked]):
    """`event` is the project's last one at the moment `at`, when this was worked out; `behind` if there are newer."""

    worked: Worked
    event: int
    at: dt.datetime
    seconds: float  # of processor time that it took here
    behind: bool = False


class Remembered(Generic[Worked]):
    """Kept by each process for itself, for the projects that were asked about last.

    What is kept outlives the session, so it is plain values.
    """

    def __init__(self) -> None:
        self._of_engine: weakref.WeakKeyDictionary[Engine, OrderedDict[object, Recalled[Worked]]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def get(self, session: Session, project_id: int, kind: Iterable[object], work_out: Callable[[], Worked]) -> Worked:
        """As things stand now. `kind` tells apart what is kept for one project."""
        return self.recall(session, project_id, kind, work_out, fresh=True).worked

    def recall(
        self,
        session: Session,
        project_id: int,
        kind: Iterable[object],
        work_out: Callable[[], Worked],
        *,
        fresh: bool,
    ) -> Recalled[Worked]:
        """As things stand now; unless it is to be `fresh`, what is dear as it was worked out last, if it ever was.

        Two threads may work out the same; that is dearer once.
        """
        stamp = session.scalars(select(Project.last_event).where(Project.id == project_id)).one()
        engine, key = session.connection().engine, (project_id, *kind)
        with self._lock:
            kept = self._of_engine.setdefault(engine, OrderedDict())
            known = kept.get(key)
        if known is not None and known.event == stamp:
            return known
        if known is not None and not fresh and known.seconds >= DEAR_SECONDS:
            return replace(known, behind=True)
        at, began = clock.now(), time.thread_time()
        found = Recalled(work_out(), stamp, at, time.thread_time() - began)
        with self._lock:
            kept[key] = found
            kept.move_to_end(key)
            while len(kept) > _MOST:
                kept.popitem(last=False)
        return found
