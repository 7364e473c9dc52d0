"""What was worked out about a project, until anything in it changes."""

from __future__ import annotations

import datetime as dt
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version as version_of
from typing import Any, Generic, TypeVar

import orjson
import zstandard
from sqlalchemy import Engine, bindparam, delete, func, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from server import clock
from server.kept.asking import is_asked_again, page_that_asks
from server.kept.beside import is_beside, work_out_beside
from server.logs import log
from sync.entities.reach import writes
from sync.models import Actor, Project, Server, WorkedOut
from sync.models.database import writing_soon
from sync.models.probing import look_up

Worked = TypeVar("Worked")
_MOST = 200
# What takes longer than this to work out is shown as it stood, until somebody asks for it as it stands.
DEAR_SECONDS = 0.7
# What takes longer than this is written down for the other processes, and for this one when it is started again.
KEPT_SECONDS = 0.1
# Pages bring what is dear up to date by themselves, but spend no more than a tenth of the time on it.
_PAUSES = 10
# Whoever has not finished after so many times what it took the last time, and a minute, will not.
_PATIENCE, _LEAST_PATIENCE = 5, dt.timedelta(seconds=60)
# What nobody has looked at for so long is forgotten, and of more than so many in a project what was used longest ago.
_KEPT, _MOST_KEPT = dt.timedelta(days=30), 500
_USE_NOTED = dt.timedelta(days=1)
# A page waits so long at most for its turn to write down what it has worked out; longer where other processes are asked
# for it meanwhile.
_WAIT, _LONG_WAIT = dt.timedelta(milliseconds=50), dt.timedelta(seconds=5)

# What is kept belongs to the code that worked it out. A release has its version; between two, raise the second number
# when something is worked out or written in another way.
VERSION = f"{version_of('siby')}/8"

_Key = tuple[object, ...]

_STATE = select(
    Project.last_event,
    select(Server.epoch).scalar_subquery().label("epoch"),
    select(func.count()).select_from(Actor).scalar_subquery().label("people"),
    select(func.max(Actor.updated_at)).scalar_subquery().label("renamed"),
).where(Project.id == bindparam("project"))


@dataclass(frozen=True, slots=True)
class Recalled(Generic[Worked]):
    """`event` is the project's last one at the moment `at`, when this was worked out; `behind` if there are newer.
    `due`: a page may ask at once that it be brought up to date."""

    worked: Worked
    event: int
    at: dt.datetime
    seconds: float  # of processor time that it took
    behind: bool = False
    due: bool = False


class Remembered(Generic[Worked]):
    """Kept by each process for itself, for the projects that were asked about last, where it is `worth` it.

    What is kept outlives the session, so it is plain values. Where it is `awaited`, under a `name` of its own, a page
    that is the first to ask for it and would have to wait long raises BeingWorkedOut.
    """

    def __init__(
        self, name: str = "", *, awaited: bool = False, worth: Callable[[Worked], bool] = lambda _worked: True
    ) -> None:
        self._name, self._awaited, self._worth = name, awaited, worth
        self._of_engine: weakref.WeakKeyDictionary[Engine, OrderedDict[_Key, Recalled[Worked]]] = (
            weakref.WeakKeyDictionary()
        )
        self._lock = threading.Lock()

    def get(
        self,
        session: Session,
        project_id: int,
        kind: Iterable[object],
        work_out: Callable[[], Worked],
        *,
        event: int | None = None,
        fits: Callable[[Worked], bool] = lambda _worked: True,
    ) -> Worked:
        """As things stand now. `kind` tells apart what is kept for one project. `event` is the one as of which it is
        worked out, where whoever asks has read that already: the project may have gone on since. What is kept and does
        not fit is worked out anew."""
        return self.exactly(session, project_id, kind, work_out, event=event, fits=fits).worked

    def exactly(
        self,
        session: Session,
        project_id: int,
        kind: Iterable[object],
        work_out: Callable[[], Worked],
        *,
        event: int | None,
        fits: Callable[[Worked], bool] = lambda _worked: True,
    ) -> Recalled[Worked]:
        """As things stand now, with what it took. Two threads may work out the same; that is dearer once."""
        key, stamp = (project_id, *kind), _last_event(session, project_id) if event is None else event
        for found_in in (self._known, self._beside):
            known = found_in(session, key, stamp)
            if known is not None and known.event == stamp and fits(known.worked):
                return known
        return self._worked(session, key, stamp, work_out, follows=False)

    def worked_at(self, session: Session, project_id: int, kind: Iterable[object], event: int) -> Worked | None:
        """What was worked out as of an event, if it is still kept."""
        known = self._known(session, (project_id, *kind), event)
        return known.worked if known is not None and known.event == event else None

    def recall(
        self,
        session: Session,
        project_id: int,
        kind: Iterable[object],
        work_out: Callable[[], Worked],
        *,
        fresh: bool,
        event: int | None = None,
    ) -> Recalled[Worked]:
        """As things stand now; but what is dear as it was worked out last, if it ever was, unless it is to be `fresh`
        and nobody is at it already."""
        key, stamp = (project_id, *kind), _last_event(session, project_id) if event is None else event
        known = self._known(session, key, stamp) or self._beside(session, key, stamp)
        if known is None or known.event > stamp:  # of a moment that this request does not see yet
            return self._worked(session, key, stamp, work_out, follows=True)
        self._use(session, key, known)
        if known.event == stamp:
            return known
        if known.seconds >= DEAR_SECONDS and not (fresh and self._take(session, key, known)):
            rested = abs((clock.now() - known.at).total_seconds()) >= _PAUSES * known.seconds
            return replace(known, behind=True, due=rested and not fresh)
        return self._worked(session, key, stamp, work_out, follows=True)

    def _worked(
        self, session: Session, key: _Key, stamp: int, work_out: Callable[[], Worked], *, follows: bool
    ) -> Recalled[Worked]:
        at, began = clock.now(), time.thread_time()
        worked = work_out()
        found = Recalled(worked, stamp, at, time.thread_time() - began)
        self._keep(session, key, found, follows=follows)
        return found

    def _known(self, session: Session, key: _Key, stamp: int) -> Recalled[Worked] | None:
        with self._lock:
            return self._of(session).get(key)

    def _beside(self, session: Session, key: _Key, stamp: int) -> Recalled[Worked] | None:
        """What is worked out beside the request, where that is done, once it is there."""
        if not self._awaited:
            return None
        work_out_beside(session, int(str(key[0])), self._kind(key))
        return self._known(session, key, stamp)

    def _keep(self, session: Session, key: _Key, found: Recalled[Worked], *, follows: bool) -> None:
        """`follows`: it is to be as things stand, not as they stood at some time."""
        if not self._worth(found.worked):
            return
        with self._lock:
            kept = self._of(session)
            kept[key] = found
            kept.move_to_end(key)
            while len(kept) > _MOST:
                kept.popitem(last=False)

    def _take(self, session: Session, key: _Key, known: Recalled[Worked]) -> bool:
        """Whether it is this thread that brings something up to date."""
        return True

    def _use(self, session: Session, key: _Key, known: Recalled[Worked]) -> None:
        """Note that somebody has looked at it."""

    def _kind(self, key: _Key) -> str:
        # Another version may work out something else, or write it in another way.
        return orjson.dumps([self._name, VERSION, *key[1:]], default=str).decode()

    def _of(self, session: Session) -> OrderedDict[_Key, Recalled[Worked]]:
        return self._of_engine.setdefault(session.connection().engine, OrderedDict())


class Shared(Remembered[Worked]):
    """Kept in the database too, where it took long, for all processes and the time after a restart.

    What is kept is what JSON can hold. One process at a time brings it up to date.
    """

    def __init__(self, name: str, *, awaited: bool = False) -> None:
        super().__init__(name, awaited=awaited)
        self._used: dict[_Key, dt.datetime] = {}

    def _known(self, session: Session, key: _Key, stamp: int) -> Recalled[Worked] | None:
        known = super()._known(session, key, stamp)
        if known is not None and (known.event == stamp or known.seconds < KEPT_SECONDS):
            return known
        row = session.execute(
            select(WorkedOut.event, WorkedOut.at, WorkedOut.seconds, WorkedOut.worked).where(
                WorkedOut.project_id == key[0], WorkedOut.kind == self._kind(key)
            )
        ).one_or_none()
        if row is None or row.event > stamp or (known is not None and known.event >= row.event):
            return known
        found: Recalled[Worked] = Recalled(
            orjson.loads(zstandard.decompress(row.worked)), row.event, row.at, row.seconds
        )
        super()._keep(session, key, found, follows=True)
        return found

    def _keep(self, session: Session, key: _Key, found: Recalled[Worked], *, follows: bool) -> None:
        super()._keep(session, key, found, follows=follows)
        if found.seconds < KEPT_SECONDS or writes(session):  # what was read may be taken back
            return
        values: dict[str, Any] = {
            "event": found.event,
            "at": found.at,
            "seconds": found.seconds,
            "worked": zstandard.compress(orjson.dumps(found.worked)),
            "taken_at": None,
        }
        if not is_asked_again():
            values |= {"used_at": found.at, "asked": page_that_asks() if follows else None}
        try:
            with writing_soon(session.connection().engine, _LONG_WAIT if is_beside() else _WAIT) as own:
                own.merge(WorkedOut(project_id=key[0], kind=self._kind(key), **values))
        except (DBAPIError, NoConnection) as error:  # Whoever asked has it all the same.
            log("worked_out_not_kept", what=self._name, reason=type(error).__name__)

    def _use(self, session: Session, key: _Key, known: Recalled[Worked]) -> None:
        """So seldom that it costs nothing."""
        now = clock.now()
        if known.seconds < KEPT_SECONDS or is_asked_again() or writes(session):
            return
        if (noted := self._used.get(key)) is not None and abs(now - noted) < _USE_NOTED:
            return
        self._used = {one: at for one, at in self._used.items() if abs(now - at) < _USE_NOTED} | {key: now}
        mine = WorkedOut.project_id == key[0], WorkedOut.kind == self._kind(key)
        with suppress(DBAPIError, NoConnection), writing_soon(session.connection().engine, _WAIT) as own:
            own.execute(update(WorkedOut).where(*mine).values(used_at=now))

    def _take(self, session: Session, key: _Key, known: Recalled[Worked]) -> bool:
        if writes(session):
            return True
        patience = max(_LEAST_PATIENCE, _PATIENCE * dt.timedelta(seconds=known.seconds))
        try:
            with writing_soon(session.connection().engine, _WAIT) as own:
                row = own.get(WorkedOut, (key[0], self._kind(key)), with_for_update=True)
                if row is not None:
                    if row.taken_at is not None and abs(clock.now() - row.taken_at) < patience:
                        return False
                    row.taken_at = clock.now()
        except (DBAPIError, NoConnection):  # Nobody can be asked; two at it are better than none.
            return True
        return True


def forget_worked(session: Session, now: dt.datetime) -> int:
    """Drop what nobody has looked at for some weeks, and what was used longest ago where there is too much."""
    used_at = func.coalesce(WorkedOut.used_at, WorkedOut.at)
    done: Any = session.execute(delete(WorkedOut).where(used_at < now - _KEPT))
    count = int(done.rowcount)
    for project_id in session.scalars(select(WorkedOut.project_id).distinct()).all():
        of_project = WorkedOut.project_id == project_id
        newest = select(WorkedOut.kind).where(of_project).order_by(used_at.desc(), WorkedOut.kind).limit(_MOST_KEPT)
        kept = session.scalars(newest).all()
        if len(kept) == _MOST_KEPT:
            done = session.execute(delete(WorkedOut).where(of_project, WorkedOut.kind.not_in(kept)))
            count += int(done.rowcount)
    return count


def state_of(session: Session, project_id: int) -> tuple[Any, ...]:
    """What the rows of a project follow from: its journal, whose numbers come again after a restore, and what people
    are called, which stands in none."""
    [row] = look_up(session, _STATE, {"project": project_id})
    return tuple(row)


def _last_event(session: Session, project_id: int) -> int:
    return session.scalars(select(Project.last_event).where(Project.id == project_id)).one()
