"""The journal of a project: its writers line up here, and every change gets its number.

The lock on the project's row is taken once parsing and checking are over and held to the commit, so numbers follow
the order of the commits and a reader that polls by number misses none (docs/decisions/0001).
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from forms.records import record
from sync.errors import NotFound
from sync.models import Event, Project
from sync.models.database import begin_writing, insert_rows
from sync.models.probing import change_ahead, rows_of, rows_of_each

# What is written down is dated under the lock, by the clock; or by a moment, if everything is to have the same.
When = dt.datetime | Callable[[], dt.datetime]


@dataclass(slots=True)
class Seen:
    """What a look at the beginning has shown, so that nobody has to look again; nothing, unless somebody looked.

    `absent` are rows that there are not, as their model and the values that they would have. The numbers are the
    stamps of what seldom changes: the last event of places and of lists, the last indicator.
    """

    absent: set[tuple[Any, ...]] = field(default_factory=set)
    places: int | None = None
    lists: int | None = None
    indicators: int | None = None


@record
class Found:
    """A project as it was when the right to change it was got: how far it had come, and what each writer asks for."""

    id: int
    counts: str
    languages: Sequence[str]
    last_event: int
    last_id: int

    @classmethod
    def of(cls, project: Project) -> Found:
        return cls(*(getattr(project, field.name) for field in fields(cls)))


CLOSED = "siby_closed"  # under it `close` leaves `Closed` in the session, for whoever commits
_FEW = 100  # rows, among which any way is short


@record
class Closed:
    """What whoever commits may want to see to. `outgrown`, by list: how many keys have come to find nobody any more,
    because too many entities have them. `tenfold`: the project has ten times as many rows as when this was last so.
    """

    project_id: int
    outgrown: Counter[str]
    tenfold: bool


class Journal:
    """The right to change one project's data until the transaction ends. Get one from `open_journal`; `close` it once.

    Events and ids are handed out from memory; `close` writes them, last before the commit.
    """

    def __init__(self, session: Session, found: Found, actor_id: int | None, now: dt.datetime) -> None:
        self.session = session
        self.connection = session.connection()  # asking the session each time costs as much as a query
        self.found = found
        self.counts, self.languages = found.counts, found.languages
        self.project_id = found.id
        self.actor_id = actor_id
        self.now = now
        self.last_event = found.last_event
        self.seen = Seen()
        self._last_id = found.last_id
        self._events: list[dict[str, Any]] = []
        self._outgrown: list[tuple[int, str, int]] = []  # event, list, keys

    @property
    def project(self) -> Project:
        """All of it, for those few who want more than was found or change it; read when they ask."""
        return self.session.get_one(Project, self.project_id)

    def record(self, kind: str, submission_id: int | None = None, details: dict[str, Any] | None = None) -> int:
        """Write an event down and give its number."""
        self.last_event += 1
        self._events.append(
            {
                "project_id": self.project_id,
                "number": self.last_event,
                "kind": kind,
                "at": self.now,
                "actor_id": self.actor_id,
                "submission_id": submission_id,
                "details": details,
            }
        )
        return self.last_event

    def say_of(self, event: int, details: dict[str, Any]) -> None:
        """Give an event details that show only once it was recorded."""
        self._events[event - self.found.last_event - 1]["details"] = details

    def events_about(self, submission_ids: Collection[int]) -> dict[int, int]:
        """The last event, of those that are not written yet, about each of these submissions."""
        return {
            event["submission_id"]: event["number"]
            for event in self._events
            if event["submission_id"] in submission_ids
        }

    def new_id(self) -> int:
        """An id that no other row of the project has; later ones are greater."""
        self._last_id += 1
        return self._last_id

    def note_outgrown(self, event: int, list_name: str, keys: int) -> None:
        """By this event so many keys of a list have come to find nobody any more."""
        self._outgrown.append((event, list_name, keys))

    def mark(self) -> tuple[int, int, int]:
        """Where the journal stands, to `return_to` if what follows has to be taken back."""
        return self.last_event, self._last_id, len(self._events)

    def return_to(self, mark: tuple[int, int, int]) -> None:
        """Forget the events and ids since the mark, together with the savepoint that held their rows."""
        self.last_event, self._last_id, kept = mark
        del self._events[kept:]
        self._outgrown = [noted for noted in self._outgrown if noted[0] <= self.last_event]

    def close(self) -> None:
        """Write the events and raise the project's counters. Nothing may be recorded afterwards."""
        self.session.flush()
        insert_rows(self.connection, Event.__table__, self._events)  # type: ignore[arg-type]
        reached = {"project": self.project_id, "number": self.last_event, "highest": self._last_id}
        change_ahead(self.connection, _COUNT, reached)
        self._events = []
        keys: Counter[str] = Counter()
        for _, list_name, count in self._outgrown:
            keys[list_name] += count
        tenfold = self._last_id >= _FEW and len(str(self._last_id)) > len(str(self.found.last_id))
        self.session.info[CLOSED] = Closed(self.project_id, keys, tenfold)


def open_journal(session: Session, project_id: int, actor_id: int | None, now: When) -> Journal:
    """Wait for the other writers of the project, then begin to change it. Raises NotFound for an unknown project.

    What the session read before is forgotten: it may have changed while waiting. A clock is asked afterwards, so that
    nothing is dated before what others have committed meanwhile: who reads on from the last moment misses none.
    """
    rows = rows_of(begin_writing(session), _LOCK, {"project": project_id})
    return _journal(session, rows, actor_id, now)


def open_journal_and_look(
    session: Session,
    project_id: int,
    actor_id: int | None,
    now: When,
    *looks: tuple[Any, Mapping[str, Any]],
) -> tuple[Journal, list[list[Any]]]:
    """The same, and what each of some statements finds under the lock, given what belongs to it: on PostgreSQL in one
    go."""
    rows, *found = rows_of_each(begin_writing(session), (_LOCK, {"project": project_id}), *looks)
    return _journal(session, rows, actor_id, now), found


def _journal(session: Session, rows: Sequence[Any], actor_id: int | None, now: When) -> Journal:
    if not rows:
        raise NotFound
    return Journal(session, Found(*rows[0]), actor_id, moment_of(now))


def moment_of(now: When) -> dt.datetime:
    """The moment itself, or what the clock says."""
    return now() if callable(now) else now


# Made once: to put them together costs more than to run them.
_LOCK = (
    select(*(getattr(Project, field.name) for field in fields(Found)))
    .where(Project.id == bindparam("project"))
    .with_for_update()
)
_COUNT = (
    update(Project)
    .where(Project.id == bindparam("project"))
    .values(last_event=bindparam("number"), last_id=bindparam("highest"))
)
