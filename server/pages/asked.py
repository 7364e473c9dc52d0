"""What figures may be asked for on pages: periods and places to choose from, in words."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from flask import redirect, request
from flask_babel import gettext
from marshmallow import fields
from werkzeug.wrappers import Response

from server import current
from server.api.schemas import Strict
from server.language.words import words
from sync.indicators.periods import Period, read_period
from sync.indicators.reading import Reading
from sync.indicators.wording import period_words

_YEARS = 4  # fiscal years to choose from
_PERIODS = 8  # one beside the other
_LEVELS = 2  # of places to choose from; what lies deeper is reached by going down
_MOST_PLACES = 300
_MEANT = "_meant"
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class FreshQuery(Strict):
    """Whether it is to be as things stand now, however long that takes."""

    fresh = fields.Boolean(load_default=False)


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing to choose, as it is written and as it is said."""

    code: str
    said: str
    depth: int = 0


def without_empty_fields() -> Response | None:
    """The same page without the fields of its form that were left empty, and with the exact moments for which its form
    showed days that were left as they were, if there are any."""
    if "" not in request.args.values() and not moments_are_meant():
        return None
    return as_meant()


def moments_are_meant() -> bool:
    """Whether a form says for which exact moments it showed days."""
    return any(key.endswith(_MEANT) for key in request.args)


def as_meant() -> Response:
    """To the page that a form means: `as_of_meant` is the day that `as_of` showed, and the moment."""
    kept = [(key, value) for key, value in request.args.items(True) if value and not key.endswith(_MEANT)]
    shown = {key: request.args.get(f"{key}{_MEANT}", "").partition(" ") for key, _ in kept}
    exact = [(key, shown[key][2] if value == shown[key][0] and shown[key][2] else value) for key, value in kept]
    return redirect(f"{request.path}?{urlencode(exact)}")


def this_year(reading: Reading) -> int:
    """The fiscal year of today, in the project's time zone."""
    today = today_in(reading)
    year = today.year
    return year if read_period(f"FY{year}", reading.settings["fiscal_year_start"]).holds(today) else year - 1


def last_year_told(reading: Reading) -> int:
    """The last of the fiscal years to choose from for which there is anything to tell, this year if there is none: in a
    new year's first days nobody wants to look at noughts."""
    last = this_year(reading)
    return next((year for year in range(last, last - _YEARS, -1) if reading.has_any(reading.period(f"FY{year}"))), last)


def today_in(reading: Reading) -> dt.date:
    """The day that it is where the project is."""
    return current.now().astimezone(ZoneInfo(reading.settings["time_zone"])).date()


def day_of(reading: Reading, asked: str = "") -> dt.date:
    """The day as of which a reading was asked for; else that of the last event before it, where the project is."""
    if _DAY.fullmatch(asked):
        return dt.date.fromisoformat(asked)
    return reading.as_of.at.astimezone(ZoneInfo(reading.settings["time_zone"])).date()


def periods_to_choose(reading: Reading, chosen: str) -> list[Choice]:
    """The last fiscal years, the quarters of the one that was chosen or is current, all time; and the chosen one."""
    last = this_year(reading)
    codes = [f"FY{year}" for year in range(last, last - _YEARS, -1)]
    within = chosen[:6] if chosen.startswith("FY") else codes[0]
    at = codes.index(within) + 1 if within in codes else len(codes)
    codes[at:at] = [f"{within}-Q{quarter}" for quarter in (4, 3, 2, 1)]
    if chosen not in (*codes, "all"):
        codes.insert(0, chosen)
    choices = [Choice(code, said_of(reading.period(code)), int("-Q" in code)) for code in codes]
    return [*choices, Choice("all", gettext("all time"))]


def last_periods(reading: Reading, chosen: str) -> list[Period]:
    """Periods of the same kind up to and with the chosen one, the oldest first: years before a year, quarters before a
    quarter. For what has no such kind, the last fiscal quarters."""
    prefix = "FY" if chosen.startswith("FY") else ""
    text = chosen.removeprefix("FY")
    year, _, quarter = text.partition("-Q")
    if not year.isdigit() or (quarter and not quarter.isdigit()):
        prefix, year, quarter = "FY", str(this_year(reading)), "4"
    found = []
    number = int(year) * 4 + (int(quarter) - 1 if quarter else 0)
    for back in range(_PERIODS - 1, -1, -1):
        if quarter:
            earlier = number - back
            found.append(f"{prefix}{earlier // 4}-Q{earlier % 4 + 1}")
        else:
            found.append(f"{prefix}{int(year) - back}")
    return [reading.period(text) for text in found]


def said_of(period: Period) -> str:
    """A period in words."""
    return period_words(period, words().language)


def places_to_choose(reading: Reading, chosen: str | None) -> list[Choice]:
    """The upper levels of the places as a tree, and the way to the one that was chosen."""
    tree = reading.tree
    upper = set(tree.levels[:_LEVELS]) if len(tree.places) > _MOST_PLACES else set(tree.levels)
    kept = {code for code, place in tree.places.items() if place.level in upper}
    kept |= {place.code for place in tree.upwards(chosen)}

    def below(parent: str | None, depth: int) -> Iterator[Choice]:
        inside = [place for place in tree.places.values() if place.parent == parent and place.code in kept]
        for place in sorted(inside, key=lambda place: place.name):
            yield Choice(place.code, place.name, depth)
            yield from below(place.code, depth + 1)

    near = {place.code for place in tree.upwards(chosen)}
    choices = list(below(None, 0))
    return choices[:_MOST_PLACES] + [choice for choice in choices[_MOST_PLACES:] if choice.code in near]


def level_below(reading: Reading, place: str | None) -> str | None:
    """The level of places just inside this one, or the uppermost."""
    levels: Sequence[str] = reading.tree.levels
    if place is None:
        roots = [one.level for one in reading.tree.places.values() if one.parent is None]
        return roots[0] if roots else None
    return next((one.level for one in reading.tree.places.values() if one.parent == place), None) if levels else None
