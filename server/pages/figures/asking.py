"""What a page on figures is asked for, and what is kept of it until the project changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import abort, render_template, request

from server import current
from server.api.figures import reading_of, sees_small_cells
from server.api.schemas import text
from server.db import session
from server.kept.remembered import Shared
from server.language.words import words
from server.pages.asked import (
    FreshQuery,
    as_meant,
    day_of,
    last_year_told,
    moments_are_meant,
    periods_to_choose,
    places_to_choose,
    said_of,
    today_in,
)
from server.pages.figures.way_back import BackQuery, WayBack, way_back
from server.pages.frame import project_of
from server.wire.bodies import read_query
from sync.indicators.figures import Figure
from sync.indicators.reading import Reading


class ShownQuery(FreshQuery, BackQuery):
    """Of which time and place, and as of when."""

    period = text(load_default="")
    place = text(load_default="")
    as_of = text(load_default="")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page on figures was asked for."""

    reading: Reading
    period: str
    place: str | None
    as_of: str
    fresh: bool = True
    came_from: WayBack | None = None

    @property
    def back(self) -> str:
        return self.came_from.given if self.came_from is not None else ""

    @property
    def kind(self) -> tuple[object, ...]:
        """What tells it from whatever else is asked of an indicator."""
        # Of the past less is known than was known at the time: on how many open pairs a figure hangs.
        past = (self.reading.as_of.event, self.reading.is_current) if self.as_of else None
        return self.period, self.place, self.as_of, past, self.back

    def shown(self, pid: int) -> dict[str, Any]:
        """For the form with which something else is asked for, and the links that keep it."""
        kept = {"period": self.period, "place": self.place or "", "as_of": self.as_of, "back": self.back}
        return {
            "project": project_of(pid),
            "asked": self,
            "kept": {name: value for name, value in kept.items() if value},
            "periods": periods_to_choose(self.reading, self.period),
            "places": places_to_choose(self.reading, self.place),
            "place_said": self.reading.tree.places[self.place].name if self.place else "",
            "period_said": said_of(self.reading.period(self.period)),
            "moment": self.reading.as_of,
            "day": day_of(self.reading, self.as_of),
            "came_from": self.came_from,
            "reads_submissions": current.has_right("submissions.read"),
        }


def asked_for(pid: int) -> Asked:
    """What the address asks for, of the last fiscal year that is over where it names no period."""
    if moments_are_meant():
        abort(as_meant())
    query = read_query(ShownQuery())
    reading = reading_of(pid, query["as_of"] or None)
    period = query["period"] or f"FY{last_year_told(reading)}"
    reading.period(period)
    came_from = way_back(pid, query["back"])
    return Asked(reading, period, reading.place(query["place"] or None), query["as_of"], query["fresh"], came_from)


def kept_part(
    pid: int, asked: Asked, what: tuple[object, ...], shown: Callable[[], str], *, exactly: bool = False
) -> str:
    """A part of a page that takes long to work out, as this visitor may see it, until the project changes."""
    kind = (*what, *asked.kind, words().locale, sees_small_cells(), today_in(asked.reading))
    if exactly:
        return _parts.get(session(), pid, kind, shown, event=asked.reading.as_of.event)
    told = _parts.recall(session(), pid, kind, shown, fresh=asked.fresh, event=asked.reading.as_of.event)
    if not told.behind:
        return told.worked
    address = f"{request.path}?{urlencode(request.args.to_dict() | {'fresh': 'yes'})}"
    return render_template("told.html", project=project_of(pid), told=told, address=address)


_parts: Shared[str] = Shared("indicators", awaited=True)


def from_the_first(history: Sequence[Figure]) -> Sequence[Figure]:
    """Without the periods before the first one in which there is anything; nothing where there is none."""
    begun = (position for position, one in enumerate(history) if one.hidden or one.value or one.n)
    return history[next(begun, len(history)) :]
