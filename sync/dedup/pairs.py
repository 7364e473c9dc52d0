"""Matches as the table holds them: two entities that may be one, what speaks for it, and what people said."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from sqlalchemy import Connection, bindparam, delete, select, update

from sync.dedup.scoring.model import Score
from sync.journal import Journal
from sync.models import Match
from sync.models.database import fetch_rows, insert_rows
from sync.models.probing import Attribute, rows_of_keys

OPEN, SAME, DIFFERENT = "open", "same", "different"
Pair = tuple[str, str]  # ids of two entities, the smaller one first
_AT_ONCE = 2000


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two entities are, by a version of the model; one without weight is none, whatever people said."""

    weight: float | None
    probability: float | None
    parts: Sequence[Any]
    model: int


@dataclass(frozen=True, slots=True)
class Known:
    """A row of `matches`."""

    id: int
    a: str
    b: str
    weight: float | None
    probability: float | None
    parts: Sequence[Any]
    model: int
    state: str

    @property
    def pair(self) -> Pair:
        return self.a, self.b

    @property
    def likeness(self) -> Likeness:
        return Likeness(self.weight, self.probability, self.parts, self.model)


@dataclass(frozen=True, slots=True)
class Tie:
    """A match as far as it says who is one person."""

    a: str
    b: str
    probability: float | None
    state: str

    @property
    def pair(self) -> Pair:
        return self.a, self.b


NOTHING = Likeness(None, None, [], 0)


def ordered(one: str, other: str) -> Pair:
    """The two as a pair."""
    return (one, other) if one < other else (other, one)


def likeness_of(score: Score, model: int) -> Likeness:
    """A score as it is stored."""
    return Likeness(
        score.weight,
        score.probability,
        [list(part) for part in score.parts],
        model,
    )


def pairs_of(connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str]) -> dict[Pair, Known]:
    """The matches that any of these entities has."""
    found = (Known(*row) for row in _touching(connection, project_id, list_name, entity_ids, _COLUMNS))
    return {known.pair: known for known in found}


def pairs_among(connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str]) -> list[Known]:
    """The matches between any two of these entities, without what speaks for them."""
    values = [(entity_id,) for entity_id in sorted(entity_ids)]
    at = (Match.project_id, project_id), (Match.list_name, list_name)
    wanted = set(entity_ids)
    rows = rows_of_keys(connection, _BRIEFLY, [Match.a], values, *at)
    return [
        Known(id_, a, b, weight, probability, (), model, state)
        for id_, a, b, weight, probability, model, state in rows
        if b in wanted
    ]


def ties_of(connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str]) -> dict[Pair, Tie]:
    """The same without what speaks for them."""
    found = (Tie(*row) for row in _touching(connection, project_id, list_name, entity_ids, _TIE))
    return {tie.pair: tie for tie in found}


def all_ties(connection: Connection, project_id: int, list_name: str) -> list[Tie]:
    """Those of a whole list, as far as they tie two together or keep them apart."""
    query = select(*_TIE).where(Match.project_id == project_id, Match.list_name == list_name)
    return [Tie(*row) for row in fetch_rows(connection, query)]


def all_pairs(connection: Connection, project_id: int, list_name: str) -> Iterator[Known]:
    """Every match of the list, by its entities; they may be changed meanwhile."""
    last: Pair = ("", "")
    while True:
        rows = connection.execute(_NEXT, {"project": project_id, "list": list_name, "a": last[0], "b": last[1]}).all()
        yield from (Known(*row) for row in rows)
        if len(rows) < _AT_ONCE:
            return
        last = rows[-1].a, rows[-1].b


def write_pairs(
    journal: Journal,
    list_name: str,
    new: Mapping[Pair, Likeness],
    changed: Iterable[tuple[Known, Likeness]],
    gone: Iterable[Known],
    event: int,
) -> None:
    """Insert, change and delete matches, all by one event."""
    connection, project_id = journal.connection, journal.project_id
    rows = [
        {
            "project_id": project_id,
            "id": journal.new_id(),
            "list_name": list_name,
            "a": pair[0],
            "b": pair[1],
            "weight": likeness.weight,
            "probability": likeness.probability,
            "parts": likeness.parts,
            "model": likeness.model,
            "state": OPEN,
            "event": event,
        }
        for pair, likeness in sorted(new.items(), key=lambda item: item[0])
    ]
    for start in range(0, len(rows), _AT_ONCE):
        insert_rows(connection, Match.__table__, rows[start : start + _AT_ONCE])  # type: ignore[arg-type]
    if changes := [
        {
            "the_project": project_id,
            "the_id": known.id,
            "weight": likeness.weight,
            "probability": likeness.probability,
            "parts": likeness.parts,
            "model": likeness.model,
            "event": event,
        }
        for known, likeness in changed
    ]:
        connection.execute(_UPDATE, changes)
    if leaving := [{"the_project": project_id, "the_id": known.id} for known in gone]:
        connection.execute(_DELETE, leaving)


def _touching(
    connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str], columns: Sequence[Attribute]
) -> Iterator[Any]:
    values = [(entity_id,) for entity_id in sorted(entity_ids)]
    for side in (Match.a, Match.b):
        yield from rows_of_keys(
            connection, columns, [side], values, (Match.project_id, project_id), (Match.list_name, list_name)
        )


_COLUMNS = [getattr(Match, field.name) for field in fields(Known)]
_BRIEFLY = [column for column in _COLUMNS if column is not Match.parts]
_TIE = [getattr(Match, field.name) for field in fields(Tie)]
_NEXT = (
    select(*_COLUMNS)
    .where(
        Match.project_id == bindparam("project"),
        Match.list_name == bindparam("list"),
        (Match.a > bindparam("a")) | ((Match.a == bindparam("a")) & (Match.b > bindparam("b"))),
        Match.a >= bindparam("a"),
    )
    .order_by(Match.a, Match.b)
    .limit(_AT_ONCE)
)
_THIS = Match.project_id == bindparam("the_project"), Match.id == bindparam("the_id")
_UPDATE = (
    update(Match)
    .where(*_THIS)
    .values(
        {
            name: bindparam(name, type_=Match.__table__.c[name].type)
            for name in ("weight", "probability", "parts", "model", "event")
        }
    )
)
_DELETE = delete(Match).where(*_THIS)
