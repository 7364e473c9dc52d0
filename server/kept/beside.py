"""What takes long to work out for the first time is worked out beside the request, and a page says how far it is."""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson
from flask import Flask, current_app, g, has_request_context
from sqlalchemy import Engine, delete, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.orm import Session

from server import clock
from server.kept.asking import Page, ask, whole_page
from server.logs import log_failure
from sync.entities.reach import writes
from sync.errors import Busy, Refusal
from sync.models import WorkedOut
from sync.models.database import writing_soon

# A request waits so long for what it asks for, before its visitor is told how far it is.
_AT_ONCE_SECONDS = 2.0
AGAIN_SECONDS = 2
# At the same time in each process; more only take the processor from each other.
_MOST = 2
# So often the other processes are told how far it is. A process that has said nothing for so long has ended.
_SAID_SECONDS, _SILENT = 1.0, dt.timedelta(seconds=15)
_WAIT = dt.timedelta(milliseconds=50)

_What = tuple[Engine, int, str]
_Asked = tuple[Engine, int, Page]


class BeingWorkedOut(Busy):
    """Whoever asks again in a moment gets it. `of` is 0 where it is not known how much there is to do."""

    def __init__(self, done: int = 0, of: int = 0) -> None:
        super().__init__("This is being worked out. Ask for it again in a moment.", retry_after=AGAIN_SECONDS)
        self.done, self.of = done, of


@dataclass
class Work:
    """Something that a thread of this process works out, and how far it is."""

    done: int = 0
    of: int = 0
    ended: threading.Event = field(default_factory=threading.Event)

    def tell(self, done: int, of: int) -> None:
        self.done, self.of = done, of


# By what they are for, and by the page that was asked for: as things stand at this moment, what it wants may be another
# thing before it is there.
_works: dict[_What | _Asked, Work] = {}
# Pages for which a thread has ended a short while ago, and when. If what they want is not there by now, because it came
# to nothing or because something has happened meanwhile, it is not begun once more: the next request works it out.
_over: dict[_Asked, float] = {}
_MOST_OVER, _SHORT_SECONDS = 100, 60.0
_lock = threading.Lock()
_slots = threading.BoundedSemaphore(_MOST)


def is_beside() -> bool:
    """Whether a thread draws this page, for which nobody waits in the end."""
    return has_request_context() and "work" in g


def how_far() -> Callable[[int, int], None]:
    """To be told how much of how many is done."""
    return g.work.tell if is_beside() else lambda _done, _of: None


def work_out_beside(session: Session, project_id: int, kind: str) -> None:
    """Have the page of this request drawn by a thread, for the sake of what is kept under `kind`, and return once that
    is there. Returns at once where the request has to work it out itself: where there is no page to draw, where enough
    is being drawn already, and where a thread has ended without it.

    Raises BeingWorkedOut when it takes long, or when it is worked out elsewhere already.
    """
    page = whole_page()
    if page is None or is_beside() or writes(session):
        return
    engine = session.connection().engine
    what, asked = (engine, project_id, kind), (engine, project_id, page)
    with _lock:
        if time.monotonic() - _over.pop(asked, -math.inf) < _SHORT_SECONDS:
            return
        work = _works.get(what) or _works.get(asked)
    if work is None:
        if (elsewhere := _said_of(session, what)) is not None:
            raise elsewhere
        work = _begin(what, asked)
    if work is None:
        return
    if not work.ended.wait(_AT_ONCE_SECONDS):
        raise BeingWorkedOut(work.done, work.of)
    with _lock:
        _over.pop(asked, None)


def _begin(what: _What, asked: _Asked) -> Work | None:
    """None where there is no room for one more."""
    if not _slots.acquire(blocking=False):
        return None
    with _lock:
        if (known := _works.get(what)) is not None:  # two began at the same moment
            _slots.release()
            return known
        work = _works[what] = _works[asked] = Work()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        threading.Thread(target=_do, args=(what, asked, work, app), daemon=True, name="beside").start()
    except RuntimeError:  # there are too many threads
        _end(what, asked, work)
        return None
    with suppress(RuntimeError):
        threading.Thread(target=_say, args=(what, work), daemon=True, name="beside").start()
    return work


def _do(what: _What, asked: _Asked, work: Work, app: Flask) -> None:
    try:
        ask(app, asked[2], work=work)
    except Refusal:
        pass  # whoever waits for it works it out, and is told
    except Exception:
        log_failure("worked_out_in_vain", project=what[1])
    finally:
        _end(what, asked, work)


def _end(what: _What, asked: _Asked, work: Work) -> None:
    with _lock:
        _works.pop(what, None)
        _works.pop(asked, None)
        _over[asked] = time.monotonic()
        while len(_over) > _MOST_OVER:
            del _over[next(iter(_over))]
    _slots.release()
    work.ended.set()


def _say(what: _What, work: Work) -> None:
    """Tell the other processes how far it is, as long as it lasts. What is over sooner is told nobody."""
    engine, project_id, kind = what
    said = False
    while not work.ended.wait(_SAID_SECONDS):
        now = clock.now()
        values: dict[str, Any] = {"event": 0, "at": now, "seconds": 0.0, "taken_at": now, "used_at": now}
        with suppress(DBAPIError, NoConnection), writing_soon(engine, _WAIT) as own:
            told = orjson.dumps([work.done, work.of])
            own.merge(WorkedOut(project_id=project_id, kind=_progress_of(kind), worked=told, **values))
            said = True
    if said:
        with suppress(DBAPIError, NoConnection), writing_soon(engine, _WAIT) as own:
            own.execute(
                delete(WorkedOut).where(WorkedOut.project_id == project_id, WorkedOut.kind == _progress_of(kind))
            )


def _said_of(session: Session, what: _What) -> BeingWorkedOut | None:
    """How far another process says that it is, if one is at it."""
    row = session.execute(
        select(WorkedOut.at, WorkedOut.worked).where(
            WorkedOut.project_id == what[1], WorkedOut.kind == _progress_of(what[2])
        )
    ).one_or_none()
    if row is None or abs(clock.now() - row.at) > _SILENT:
        return None
    return BeingWorkedOut(*orjson.loads(row.worked))


def _progress_of(kind: str) -> str:
    return f"progress of {kind}"
