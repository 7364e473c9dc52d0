"""Who is in a list: persons, each with all records that stand for him or her, found by how their names sound."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sync.dedup.scoring.names import words
from sync.models import Entity, EntityList, Membership
from sync.models.database import fetch_rows
from sync.review.matches import chosen_among, matching_list
from sync.review.paging import PAGE, Page, not_a_cursor
from sync.review.records import Compared, Record, compared, records_of, standing_for

_NAMES = ("first_name", "last_name", "full_name", "name")
_NUMBERS = ("phone", "id_number")
_AT_ONCE = 5000
_SCANNED = 12_000  # records that are looked through for one page
_FIRST = 4  # so many pages' size are looked through first, and twice as many each time: common names are found soon
_MEMBERS: list[Any] = [Membership.entity_id, Membership.person_id]
_ID = re.compile(r"[0-9a-z-]{1,60}")
_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Person:
    """A person as decisions and probable matches have it. `stands` is the record to show, `others` are the rest."""

    id: str
    stands: Record
    others: Sequence[Record]
    compared: Sequence[Compared]


def people(
    session: Session, project_id: int, list_name: str, q: str = "", cursor: str | None = None, limit: int = PAGE
) -> Page[Person]:
    """A page of the persons of a list, in the order of the first record of each that was found.

    Every word of `q` stands somewhere in the names of one record, however these are spelt, and every number in its
    telephone or on its paper. A page may be short and still lead on: only so many records are looked through at once.
    Raises NotFound, Unexpected.
    """
    known = matching_list(session, project_id, list_name)
    seeking = _Seeking(session, project_id, known, q)
    found: list[str] = []
    last = _id_at(cursor)
    portion, scanned = min(_FIRST * limit, _AT_ONCE), 0
    while scanned < _SCANNED:
        rows = seeking.portion(last, portion)
        found += seeking.first_of_persons(rows)
        if len(found) > limit:
            return Page(seeking.persons(found[:limit]), found[limit - 1])
        if len(rows) < portion:
            return Page(seeking.persons(found), None)
        last, scanned = rows[-1][0], scanned + portion
        portion = min(2 * portion, _AT_ONCE)
    return Page(seeking.persons(found), last)


class _Seeking:
    """The records of a list whose names say what is sought, and whose they are."""

    def __init__(self, session: Session, project_id: int, known: EntityList, q: str) -> None:
        self._session, self._project_id, self._known = session, project_id, known
        self._all = not q.strip()
        self._words, self._numbers = words(q), _DIGITS.findall(q)
        roles: Mapping[str, Any] = known.matching or {}
        names = [name for name, role in roles.items() if role in _NAMES and self._words]
        numbers = [name for name, role in roles.items() if role in _NUMBERS and self._numbers]
        self._names = len(names)
        self._heard: dict[str | None, frozenset[str]] = {}
        self._columns: list[Any] = [Entity.id, *(Entity.data[name].as_string() for name in (*names, *numbers))]
        query = select(*_MEMBERS).where(
            Membership.project_id == project_id, Membership.list_name == known.name, Membership.closed.is_(None)
        )
        self._person: dict[str, str] = dict(fetch_rows(session.connection(), query))
        self._records: dict[str, list[str]] = defaultdict(list)
        for entity_id, person in self._person.items():
            self._records[person].append(entity_id)

    def portion(self, after: str, size: int) -> list[tuple[Any, ...]]:
        """The next records, by id, each with its names."""
        query = select(*self._columns).where(*self._living(), Entity.id > after).order_by(Entity.id).limit(size)
        return fetch_rows(self._session.connection(), query)

    def first_of_persons(self, rows: Sequence[tuple[Any, ...]]) -> list[str]:
        """Of the rows that say what is sought, those before which no other of the same person says it."""
        hits = [row[0] for row in rows if self._says(row)]
        earlier = {hit: [one for one in self._of_same(hit) if one < hit] for hit in hits}
        before = {one for several in earlier.values() for one in several}
        saying = self._saying(before)
        return [hit for hit in hits if saying.isdisjoint(earlier[hit])]

    def persons(self, hits: Sequence[str]) -> list[Person]:
        """Each with all that is known of him or her."""
        ids = {hit: self._of_same(hit) for hit in hits}
        wanted = {one for several in ids.values() for one in several}
        records = records_of(self._session, self._project_id, self._known.name, wanted)
        chosen = chosen_among(self._session, self._project_id, self._known.name, records)
        return [self._with([records[one] for one in ids[hit] if one in records], hit, chosen) for hit in hits]

    def _with(self, records: Sequence[Record], hit: str, chosen: Mapping[str, int]) -> Person:
        stands = standing_for(records, chosen)
        ordered = [stands, *(record for record in records if record.id != stands.id)]
        return Person(self._person.get(hit, hit), stands, ordered[1:], compared(self._known, ordered))

    def _of_same(self, entity_id: str) -> list[str]:
        """The records of its person, by id; those that stand for themselves have no membership."""
        person = self._person.get(entity_id, entity_id)
        return sorted({entity_id, person, *self._records.get(person, ())})

    def _says(self, row: tuple[Any, ...]) -> bool:
        if self._all or not (self._words or self._numbers):
            return self._all
        if self._words:
            heard = [self._heard_in(name) for name in row[1 : self._names + 1]]
            if not any(heard) or not heard[0].union(*heard).issuperset(self._words):
                return False
        numbers = " ".join("".join(_DIGITS.findall(number)) for number in row[self._names + 1 :] if number)
        return all(one in numbers for one in self._numbers)

    def _heard_in(self, name: str | None) -> frozenset[str]:
        """Those of the words that a name says. The same few names stand in many records."""
        if name not in self._heard:
            folded = " ".join(words(name or ""))
            self._heard[name] = frozenset(word for word in self._words if word in folded)
        return self._heard[name]

    def _saying(self, entity_ids: Collection[str]) -> set[str]:
        found: set[str] = set()
        ids = sorted(entity_ids)
        for start in range(0, len(ids), _AT_ONCE):
            query = select(*self._columns).where(*self._living(), Entity.id.in_(ids[start : start + _AT_ONCE]))
            found |= {row[0] for row in fetch_rows(self._session.connection(), query) if self._says(row)}
        return found

    def _living(self) -> tuple[Any, ...]:
        return (
            Entity.project_id == self._project_id,
            Entity.list_name == self._known.name,
            Entity.withdrawn.is_(False),
            Entity.deleted_at.is_(None),
        )


def _id_at(cursor: str | None) -> str:
    if cursor and not _ID.fullmatch(cursor):
        raise not_a_cursor(cursor)
    return cursor or ""
