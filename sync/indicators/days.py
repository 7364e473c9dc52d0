"""Who has a row of an indicator on which day: read once, kept by the process, and brought up to date by what has been
opened and closed since."""

from __future__ import annotations

import datetime as dt
import threading
import weakref
from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from pyroaring import BitMap
from sqlalchemy import Engine, literal_column, or_, select

from sync.entities.reach import writes
from sync.indicators.counting import Heads
from sync.indicators.crowds import Crowd, Register
from sync.indicators.definitions import Definition
from sync.indicators.rows import ROWS, Rows
from sync.models.database import fetch_rows

# What stands in some columns; how many rows of a day have that, and the numbers of their subjects.
Texts = tuple[str | None, ...]
There = tuple[int, BitMap]
Day = Mapping[Texts, There]

_MOST_DAYS = 1_500  # that a period may have
# To read day by day takes longer than to read all together. It is done from the second time on of what has so many
# rows, and so many in a combination of columns on a day, on the average.
_LEAST_ROWS, _LEAST_TOGETHER = 5_000, 4
# By so many events what is kept may lie behind; to follow more is no quicker than to read anew.
_MOST_EVENTS = 5_000
# What a process keeps at most, some twenty megabytes: a subject counts one, and so do a day, whoever was there or not,
# a combination of columns on a day, and so many rows in one.
_MOST_KEPT, _ROWS = 80_000, 50


@dataclass(frozen=True, slots=True)
class _Known:
    """The days that were read, as of an event; those on which there is nobody too. None yet, if it is only known that
    they are worth to be kept."""

    event: int
    register: Register = field(default_factory=Register)
    days: Mapping[dt.date, Day] = field(default_factory=dict)
    size_of_days: int = 1

    @property
    def size(self) -> int:
        return self.size_of_days + len(self.register)

    def followed(self, event: int, forgotten: Set[dt.date], more: Mapping[dt.date, Day]) -> _Known:
        """As of another event: less the forgotten days, and with these instead of, or beside, the others."""
        gone = [self.days[day] for day in {*forgotten, *more} & self.days.keys()]
        size = self.size_of_days + sum(map(_size, more.values())) - sum(map(_size, gone))
        days = {day: self.days[day] for day in self.days.keys() - forgotten} | dict(more)
        return _Known(event, self.register, days, size)

    def only(self, days: Iterable[dt.date]) -> _Known:
        """Nothing but these days, and nobody else in the register."""
        fresh = _Known(self.event)
        entered = {
            day: {texts: (n, fresh.register.enter({*self.register.named(who)})) for texts, (n, who) in there.items()}
            for day, there in ((day, self.days[day]) for day in days)
        }
        return fresh.followed(self.event, set(), entered)


class _Kept:
    """What a process knows of one database; what was used last is at the end."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[object, ...], _Known] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[object, ...], event: int) -> _Known | None:
        with self._lock:
            known = self._known.get(key)
        return None if known is None or event - known.event > _MOST_EVENTS else known

    def put(self, key: tuple[object, ...], known: _Known) -> None:
        with self._lock:
            self._known.pop(key, None)
            if known.size > _MOST_KEPT:
                return  # or all others would have to go before it
            self._known[key] = known
            size = sum(one.size for one in self._known.values())
            while size > _MOST_KEPT:
                size -= self._known.popitem(last=False)[1].size


# What leads into the index of what was opened.
_BY_OPENED = ROWS.c.opened > literal_column("0")
_kept: weakref.WeakKeyDictionary[Engine, _Kept] = weakref.WeakKeyDictionary()


def heads_between(
    rows: Rows,
    epoch: str | None,
    definition: Definition,
    names: Sequence[str],
    start: dt.date | None,
    end: dt.date | None,
) -> list[Heads]:
    """The subjects of the rows that lie on any of these days, put together by these columns, as `Rows.heads` gives
    them. Nothing is kept by places, of which a day has too many; nor of a period without an end; nor where something is
    tried out, whose events others have meanwhile for something else."""
    where, settled = rows.days(definition, start, end), not definition.spreads and not writes(rows.session)
    bounded = start is not None and end is not None and (end - start).days < _MOST_DAYS
    if start is None or end is None or not bounded or not settled or "place" in names:
        return rows.heads(definition, names, where)
    asked = [start + dt.timedelta(days=number) for number in range((end - start).days + 1)]
    kept = _kept.setdefault(rows.session.get_bind().engine, _Kept())
    key = (epoch, rows.project_id, definition.id, *names)  # after a restore events mean something else
    known = kept.get(key, rows.event)
    if known is None:
        found = rows.heads(definition, names, where)
        together = sum(one.rows for one in found) >= max(_LEAST_ROWS, _LEAST_TOGETHER * len(found) * len(asked))
        if together and sum(len(one.subjects) for one in found) < _MOST_KEPT:
            kept.put(key, _Known(rows.event))
        return found
    if known.event > rows.event:  # nobody can tell what of it was so then
        return rows.heads(definition, names, where)
    known = _with_all(asked, rows, definition, names, known)
    kept.put(key, known)
    return _together(asked, known, names)


def _with_all(
    asked: Sequence[dt.date], rows: Rows, definition: Definition, names: Sequence[str], known: _Known
) -> _Known:
    """The same as of the event of the rows, with these days, and no others if it would be too much."""
    if known.event < rows.event:
        known = _followed(rows, definition, names, known)
    if missing := [day for day in asked if day not in known.days]:
        known = known.followed(known.event, set(), _read(rows, definition, names, known.register, missing))
    return known if known.size <= _MOST_KEPT else known.only(asked)


def _together(asked: Sequence[dt.date], known: _Known, names: Sequence[str]) -> list[Heads]:
    together: dict[Texts, list[There]] = defaultdict(list)
    for day in asked:
        for texts, there in known.days[day].items():
            together[texts].append(there)
    return [
        Heads(
            dict(zip(names, texts, strict=True)),
            sum(n for n, _ in some),
            Crowd(known.register, BitMap().union(*(who for _, who in some))),
        )
        for texts, some in together.items()
    ]


def _followed(rows: Rows, definition: Definition, names: Sequence[str], known: _Known) -> _Known:
    """The same up to the event of the rows. A day of which a row was closed is forgotten."""
    here = [ROWS.c.project_id == rows.project_id, ROWS.c.indicator_id == definition.id]
    closed, opened = ROWS.c.closed, ROWS.c.opened
    since = [opened > known.event, opened <= rows.event, or_(closed.is_(None), closed > rows.event), _BY_OPENED]
    until = [closed > known.event, closed <= rows.event, opened <= known.event]
    connection = rows.session.connection()
    forgotten = {day for (day,) in fetch_rows(connection, select(ROWS.c.day).where(*here, *until).distinct())}
    if forgotten >= known.days.keys():  # as when the indicator was defined anew
        return _Known(rows.event)
    columns = [ROWS.c.day, ROWS.c.subject, *(ROWS.c[name] for name in names)]
    added: dict[dt.date, dict[Texts, list[str]]] = {}
    for day, subject, *texts in fetch_rows(connection, select(*columns).where(*here, *since)):
        if subject is not None and day in known.days and day not in forgotten:
            added.setdefault(day, {}).setdefault(tuple(texts), []).append(subject)
    more = {day: dict(known.days[day]) for day in added}
    for day, parts in added.items():
        for written, subjects in parts.items():
            _add(more[day], written, len(subjects), known.register.enter(set(subjects)))
    return known.followed(rows.event, forgotten, more)


def _read(
    rows: Rows, definition: Definition, names: Sequence[str], register: Register, days: Sequence[dt.date]
) -> Mapping[dt.date, Day]:
    """Of each of these days, in their order, what is to be known of it."""
    together = len(days) == (days[-1] - days[0]).days + 1
    where = rows.days(definition, days[0], days[-1]) if together else [ROWS.c.day.in_(days)]
    found: dict[dt.date, dict[Texts, There]] = {day: {} for day in days}
    for heads in rows.heads(definition, ["day", *names], where):
        written = tuple(heads.texts[name] for name in names)
        _add(found[heads.texts["day"]], written, heads.rows, register.enter(heads.subjects))
    return found


def _add(parts: dict[Texts, There], texts: Texts, rows: int, subjects: BitMap) -> None:
    before, others = parts.get(texts, (0, None))
    parts[texts] = before + rows, subjects if others is None else others | subjects


def _size(parts: Day) -> int:
    return 1 + sum(1 + rows // _ROWS for rows, _ in parts.values())
