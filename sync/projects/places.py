"""The places of a project as they were at each event, and what lies below a place."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from forms.programmes.places import Place as PlaceRow
from forms.spelling import folded
from sync.journal import Journal
from sync.models.projects import Place

# At the end of a code, which has no spaces.
_REST = " "
_COLUMNS = ("name", "level", "parent", "latitude", "longitude", "aliases")


@dataclass(frozen=True)
class PlaceTree:
    """The places at one event, by code."""

    places: dict[str, PlaceRow]

    @cached_property
    def _codes(self) -> dict[str, str | None]:
        """Folded code or alias → code. A code goes before an alias; what two places would be called is none of them."""
        codes = _meant((code, code) for code in self.places)
        aliases = _meant((alias, place.code) for place in self.places.values() for alias in place.aliases)
        return aliases | codes

    @cached_property
    def _names(self) -> dict[str, list[str]]:
        names: dict[str, list[str]] = {}
        for place in self.places.values():
            names.setdefault(folded(place.name), []).append(place.code)
        return names

    @cached_property
    def _children(self) -> dict[str | None, list[str]]:
        children: dict[str | None, list[str]] = {}
        for place in self.places.values():
            children.setdefault(place.parent, []).append(place.code)
        return children

    def code_of(self, written: str | None) -> str | None:
        """The place that a code or alias means, whatever its accents and capitals; None for one that nobody knows."""
        if written is None:
            return None
        return written if written in self.places else self._codes.get(folded(written))

    def called(self, name: str) -> list[str]:
        """The codes of all places with this name, whatever its accents and capitals."""
        return self._names.get(folded(name), [])

    def names_of(self, written: Iterable[str | None]) -> dict[str | None, str]:
        """The names of places, by how they were written: as a code or an alias."""
        return {one: self.places[code].name for one in written if (code := self.code_of(one))}

    def below(self, code: str) -> list[str]:
        """The place itself and everything inside it."""
        found = [code]
        for around in found:
            found += self._children.get(around, ())
        return found

    def at_level(self, code: str | None, level: str) -> str | None:
        """The place of this level that the place is or lies in."""
        return next((place.code for place in self.upwards(code) if place.level == level), None)

    def at_depth(self, code: str | None, depth: int) -> str | None:
        """The place so many steps down in the tree (1 at the top) that the place is or lies in; for one that lies less
        far down, a key for what is in it and in no place inside it."""
        way = self.way_to(code)
        return way[depth - 1] if len(way) >= depth else way[-1] + _REST if way else None

    def around(self, key: str | None, depth: int) -> str | None:
        """What `at_depth` says a step less far down, of what it says at this depth."""
        way = self.way_to(key)
        return self.at_depth(way[-1], depth - 1) if way else None

    def way_to(self, key: str | None) -> Sequence[str]:
        """The place that `at_depth` speaks of, and before it those around it, from the top."""
        if key not in self._ways:
            code = None if key is None else key.removesuffix(_REST)
            self._ways[key] = [place.code for place in self.upwards(code)][::-1]
        return self._ways[key]

    @cached_property
    def _ways(self) -> dict[str | None, Sequence[str]]:
        return {}

    def upwards(self, code: str | None) -> Iterator[PlaceRow]:
        """The place itself, then those around it."""
        while code is not None and code in self.places:
            yield self.places[code]
            code = self.places[code].parent

    @cached_property
    def levels(self) -> list[str]:
        return list(dict.fromkeys(place.level for place in self.places.values()))


def put_places(journal: Journal, places: Sequence[PlaceRow], event: int) -> bool:
    """Make these the places of the project from `event` on, and no others. False, and nothing written, if they were."""
    wanted = {place.code: place for place in places}
    there = {
        row.code: row
        for row in journal.session.scalars(
            select(Place).where(Place.project_id == journal.project_id, Place.closed.is_(None))
        )
    }
    changed = False
    for code, row in there.items():
        if code not in wanted or _values(wanted[code]) != _values(row):
            changed = True
            _close(journal, row, event)
    journal.session.flush()
    for code, place in wanted.items():
        if code not in there or _values(place) != _values(there[code]):
            changed = True
            values = _values(place)
            journal.session.add(Place(project_id=journal.project_id, code=code, opened=event, closed=None, **values))
    journal.session.flush()
    return changed


def places_at(session: Session, project_id: int, as_of: int | None) -> PlaceTree:
    """Those of now for None."""
    held = (
        (Place.closed.is_(None),)
        if as_of is None
        else (Place.opened <= as_of, or_(Place.closed.is_(None), Place.closed > as_of))
    )
    rows = session.execute(
        select(Place.code, Place.name, Place.level, Place.parent, Place.latitude, Place.longitude, Place.aliases)
        .where(Place.project_id == project_id, *held)
        .order_by(Place.code)
    )
    places = (
        PlaceRow(code, name, level, parent, latitude, longitude, tuple(aliases))
        for code, name, level, parent, latitude, longitude, aliases in rows.all()
    )
    return PlaceTree({place.code: place for place in places})


def _meant(names: Iterable[tuple[str, str]]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for name, code in names:
        if found.setdefault(folded(name), code) != code:
            found[folded(name)] = None
    return found


def _values(place: Place | PlaceRow) -> dict[str, Any]:
    return {name: list(value) if name == "aliases" else value for name in _COLUMNS for value in [getattr(place, name)]}


def _close(journal: Journal, row: Place, event: int) -> None:
    if row.opened == event:
        journal.session.delete(row)
    else:
        row.closed = event
