"""What a process has read of a project and keeps, for as long as a number that it reads anyway stays the same."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

Read = TypeVar("Read")


class Kept(Generic[Read]):
    """The last of its kind of each project, or of the `most` that were read last, by database. Whoever asks gives the
    stamp that was read just now."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most
        self._kept: weakref.WeakKeyDictionary[Engine, dict[int, tuple[Hashable, Read]]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()

    def get(self, session: Session, project_id: int, stamp: Hashable, keep: bool, read: Callable[[], Read]) -> Read:
        """`keep` says that nothing of it may still be taken back."""
        engine = session.get_bind().engine
        with self._lock:
            kept = self._kept.setdefault(engine, {}).get(project_id)
        if kept is not None and kept[0] == stamp:
            return kept[1]
        found = read()
        if keep:
            with self._lock:
                of_engine = self._kept[engine]
                of_engine.pop(project_id, None)
                of_engine[project_id] = (stamp, found)
                if self._most is not None and len(of_engine) > self._most:
                    del of_engine[next(iter(of_engine))]
        return found
