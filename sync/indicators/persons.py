"""Who is one person: whom entities stood for at an event, in the value of a figure and in its two bounds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from functools import cached_property

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from sync.entities.reach import writes
from sync.indicators.changed import Changed
from sync.indicators.definitions import held_at
from sync.models.database import fetch_rows
from sync.models.entities import Membership
from sync.models.kept import Kept

STANDINGS = VALUE, FEWEST, MOST = "person_id", "fewest_id", "most_id"
# The lists that subjects are in; None for all.
Lists = frozenset[str] | None
# A process keeps twenty megabytes of a list with so many at most, and the lists of so many projects.
_MOST_KEPT, _PROJECTS_KEPT = 30_000, 3


class Persons:
    """Of some lists, `by` standing: entity → person, of the entities that stand for another than themselves.

    A person has the smallest id of its entities.
    """

    def __init__(self, rows: Sequence[tuple[str, ...]]) -> None:
        """Each row is an entity, then its person by each of `STANDINGS`."""
        self.by: Mapping[str, Mapping[str, str]] = {
            standing: {row[0]: row[place] for row in rows if row[place] != row[0]}
            for place, standing in enumerate(STANDINGS, start=1)
        }
        self._records: dict[str, dict[str, list[str]]] = {}

    @cached_property
    def doubtful(self) -> bool:
        """Whether anybody stands for somebody else in a bound than in the value."""
        return any(self.by[bound] != self.by[VALUE] for bound in (FEWEST, MOST))

    @cached_property
    def standings(self) -> list[Mapping[str, str]]:
        """What is said by each of `STANDINGS`, in their order."""
        return [self.by[standing] for standing in STANDINGS]

    @cached_property
    def unsure(self) -> Set[str]:
        """The entities of whom it is not decided who they are: all whom the low bound counts as one and the high one as
        several."""
        fewest, most = self.by[FEWEST], self.by[MOST]
        # Whoever stands for itself in a bound is the first of its person's.
        doubtful = {
            fewest.get(subject, subject)
            for subject in {*fewest, *most}
            if most.get(subject, subject) != fewest.get(subject, subject)
        }
        return doubtful.union(subject for subject, person in fewest.items() if person in doubtful)

    def of(self, standing: str) -> Callable[[str], str]:
        """Who a subject is."""
        members = self.by[standing]
        return (lambda subject: members.get(subject, subject)) if members else _itself

    def same(self, standing: str, subjects: Iterable[str]) -> set[str]:
        """The subjects with all who are one person with one of them."""
        members, records = self.by[standing], self._records.get(standing)
        if records is None:
            records = {}
            for subject, person in members.items():
                records.setdefault(person, []).append(subject)
            self._records[standing] = records
        persons = {members.get(subject, subject) for subject in subjects}
        return persons.union(*(records[person] for person in persons & records.keys()))


def persons_at(session: Session, project_id: int, event: int, lists: Lists, changed: Changed) -> Persons:
    """All of these lists. Those of today are kept by the process, if they are not too many, until one changes."""
    known = _known(session, project_id, event, changed)
    if lists in known:
        return known[lists]
    rows = _held(session, project_id, event, lists)
    found = Persons(rows)
    if len(rows) <= _MOST_KEPT:
        known[lists] = found
    return found


def persons_about(
    session: Session, project_id: int, event: int, lists: Lists, changed: Changed, subjects: Set[str]
) -> Persons:
    """As `persons_at`, for a few subjects and all who may be one person with them; or all, where they are kept."""
    if (kept := _known(session, project_id, event, changed).get(lists)) is not None:
        return kept
    named = named_lists(session, project_id, lists)
    rows = _held(session, project_id, event, named, Membership.entity_id.in_(subjects))
    # Who is one person in the value, or surely is one, is in the low bound too.
    fewest = {*subjects, *(row[1 + STANDINGS.index(FEWEST)] for row in rows)}
    # Written so that no database takes the lists for the way in.
    inside = [] if lists is None else [Membership.list_name.concat("").in_(sorted(lists))]
    return Persons([*rows, *_held(session, project_id, event, None, Membership.fewest_id.in_(fewest), *inside)])


def named_lists(session: Session, project_id: int, lists: Lists) -> list[str]:
    """The lists by name; for all of them, those in which somebody stands, or stood, for somebody else."""
    if lists:
        return sorted(lists)
    names: list[str] = []
    first = select(func.min(Membership.list_name)).where(Membership.project_id == project_id)
    # From name to name in the index: to tell them apart all at once, every row would be read.
    while name := session.scalar(first.where(Membership.list_name > names[-1]) if names else first):
        names.append(name)
    return sorted(names)


def _known(session: Session, project_id: int, event: int, changed: Changed) -> dict[Lists, Persons]:
    """What is kept of a moment, and whatever is put there is kept: nothing of one since which a list has changed, and
    nothing where something is tried out, whose events others have meanwhile for something else."""
    if writes(session) or changed.persons > event:
        return {}
    return _kept.get(session, project_id, (changed.epoch, changed.persons), True, dict)


def _held(
    session: Session, project_id: int, event: int, lists: Iterable[str] | None, *where: ColumnElement[bool]
) -> Sequence[tuple[str, ...]]:
    columns = (Membership.entity_id, *(getattr(Membership, standing) for standing in STANDINGS))
    query = select(*columns).where(Membership.project_id == project_id, *held_at(Membership, event), *where)
    if lists is not None:
        query = query.where(Membership.list_name.in_(sorted(lists)))
    return fetch_rows(session.connection(), query)


def _itself(subject: str) -> str:
    return subject


_kept: Kept[dict[Lists, Persons]] = Kept(_PROJECTS_KEPT)
