"""Periods as figures are asked for: calendar and fiscal years, quarters, months, two dates, or all time."""

from __future__ import annotations

import calendar
import datetime as dt
import re
from dataclasses import dataclass

from forms.findings import Finding
from sync.errors import Unexpected

_YEAR = re.compile(r"(FY)?([0-9]{4})(?:-Q([1-4]))?")
_DATES = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})/([0-9]{4}-[0-9]{2}-[0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_REMEDY = "Write 2026, 2026-Q3, 2026-07, FY2026, FY2026-Q1, 2026-01-01/2026-06-30 or all."


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` to `end`, both days included; None is without bound. `text` is how it was asked for."""

    text: str
    start: dt.date | None
    end: dt.date | None

    @property
    def span(self) -> tuple[dt.date | None, dt.date | None]:
        """What two ways of writing one period have in common."""
        return self.start, self.end

    def holds(self, day: dt.date) -> bool:
        return (self.start is None or self.start <= day) and (self.end is None or day <= self.end)


ALL = Period("all", None, None)


def read_period(text: str, fiscal_year_start: int) -> Period:
    """Fiscal years begin with the month `fiscal_year_start` and are named after the year in which they begin."""
    if text == "all":
        return ALL
    try:
        if found := _YEAR.fullmatch(text):
            first = fiscal_year_start if found[1] else 1
            return _months(text, int(found[2]), first, int(found[3]) if found[3] else None)
        if found := _MONTH.fullmatch(text):
            return _from_months(text, int(found[1]), int(found[2]), 1)
        return _dates(text)
    except (ValueError, OverflowError):
        raise Unexpected(findings=[Finding(f"‘{text}’ is not a period.", _REMEDY, place="period")]) from None


def is_fiscal(text: str) -> bool:
    """Whether the period depends on the project's fiscal year."""
    return text.startswith("FY")


def fiscal_year_of(day: dt.date, fiscal_year_start: int) -> int:
    """The year after which the fiscal year that holds the day is named."""
    return day.year if day.month >= fiscal_year_start else day.year - 1


def _months(text: str, year: int, first: int, quarter: int | None) -> Period:
    if quarter is None:
        return _from_months(text, year, first, 12)
    return _from_months(text, year, first + 3 * (quarter - 1), 3)


def _from_months(text: str, year: int, month: int, count: int) -> Period:
    """`month` may lie beyond December, in the next year."""
    last = month + count - 1
    end_year, end_month = year + (last - 1) // 12, (last - 1) % 12 + 1
    end = dt.date(end_year, end_month, calendar.monthrange(end_year, end_month)[1])
    return Period(text, dt.date(year + (month - 1) // 12, (month - 1) % 12 + 1, 1), end)


def _dates(text: str) -> Period:
    found = _DATES.fullmatch(text)
    if found is None:
        raise ValueError(text)
    start, end = dt.date.fromisoformat(found[1]), dt.date.fromisoformat(found[2])
    if end < start:
        raise ValueError(text)
    return Period(text, start, end)
