"""Dates and times as XForms writes them, and the days since 1970-01-01 that expressions reckon with."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache

EPOCH = dt.date(1970, 1, 1)
_DAY = dt.timedelta(days=1)
_DATE = re.compile(r"(\d{1,4})-(\d{1,2})-(\d{1,2})", re.ASCII)
_WHOLE_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d+))?)?(Z|[+-]\d{1,2}(?::?\d{2})?)?", re.ASCII)
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
# What these letters of a format become depends on the language of the device.
SPOKEN = re.compile(r"%[aAbB]")


@lru_cache(maxsize=4096)
def read_date(text: str) -> dt.date | None:
    """`2026-03-01`, leading zeros optional as in JavaRosa; None for anything else."""
    found = _DATE.fullmatch(text.strip())
    try:
        return dt.date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def is_date(text: str) -> bool:
    """Whether it is a date as XML Schema writes it, which is how an answer has to be written: `2026-03-01`."""
    return _WHOLE_DATE.fullmatch(text) is not None and read_date(text) is not None


def is_moment(text: str) -> bool:
    """The same of a dateTime; its time may be written in any way that is read."""
    day, _, time = text.partition("T")
    return is_date(day) and read_time(time) is not None


def read_moment(text: str, tz: dt.tzinfo) -> dt.datetime | None:
    """A dateTime, or a date as its first instant, in `tz` where it has no offset of its own. None for anything else."""
    day, _, time = text.strip().partition("T")
    date = read_date(day)
    if date is None:
        return None
    if not time:
        return dt.datetime.combine(date, dt.time(), tz)
    clock = read_time(time)
    if clock is None:
        return None
    if clock.tzinfo is None:
        return dt.datetime.combine(date, clock, tz)
    try:
        return dt.datetime.combine(date, clock).astimezone(tz)
    except OverflowError:
        return None


def read_time(text: str) -> dt.time | None:
    """`10:30`, `10:30:00.000+01:00`; aware if it has an offset. None for anything else."""
    found = _TIME.fullmatch(text.strip())
    if found is None:
        return None
    hours, minutes, seconds, fraction, offset = found.groups()
    try:
        return dt.time(
            int(hours),
            int(minutes),
            int(seconds or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            _offset(offset) if offset else None,
        )
    except ValueError:
        return None


def days_of(date: dt.date) -> int:
    return date.toordinal() - EPOCH.toordinal()


def decimal_days(moment: dt.datetime) -> float:
    """Days with their fraction since the epoch in UTC, to the millisecond."""
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since // dt.timedelta(milliseconds=1)) / 86_400_000


def moment_of_days(days: float, tz: dt.tzinfo) -> dt.datetime | None:
    try:
        milliseconds = math.trunc(days * 86_400_000)
        return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=milliseconds)).astimezone(tz)
    except (OverflowError, ValueError):
        return None


def date_of_days(days: float) -> dt.date | None:
    try:
        return EPOCH + math.trunc(days) * _DAY
    except (OverflowError, ValueError):
        return None


def write_moment(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="milliseconds")


def format_moment(moment: dt.datetime, pattern: str) -> str:
    """By the letters of the ODK XForms specification (`%Y-%m-%d`); names of days and months are English."""
    return re.sub(r"%(.)", lambda found: _part(moment, found[1]), pattern)


def _part(moment: dt.datetime, letter: str) -> str:
    if letter not in _PARTS:
        raise ValueError(f"%{letter}")
    return _PARTS[letter](moment)


_PARTS: Mapping[str, Callable[[dt.datetime], str]] = {
    "Y": lambda at: f"{at.year:04}",
    "y": lambda at: f"{at.year:04}"[-2:],
    "m": lambda at: f"{at.month:02}",
    "n": lambda at: str(at.month),
    "B": lambda at: _MONTHS[at.month - 1],
    "b": lambda at: _MONTHS[at.month - 1][:3],
    "d": lambda at: f"{at.day:02}",
    "e": lambda at: str(at.day),
    "H": lambda at: f"{at.hour:02}",
    "h": lambda at: str(at.hour),
    "M": lambda at: f"{at.minute:02}",
    "S": lambda at: f"{at.second:02}",
    "3": lambda at: f"{at.microsecond // 1000:03}",
    "A": lambda at: _WEEKDAYS[at.weekday()],
    "a": lambda at: _WEEKDAYS[at.weekday()][:3],
    "W": lambda at: str(at.isocalendar().week),
    "%": lambda _: "%",
}


@lru_cache(maxsize=256)
def _offset(text: str) -> dt.tzinfo:
    if text == "Z":
        return dt.UTC
    sign = -1 if text[0] == "-" else 1
    hours, _, minutes = text[1:].partition(":")
    if not minutes and len(hours) > 2:
        hours, minutes = hours[:-2], hours[-2:]
    return dt.timezone(sign * dt.timedelta(hours=int(hours), minutes=int(minutes or 0)))
