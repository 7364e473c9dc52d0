"""What one submission adds to the indicators of its form."""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from math import isfinite

from forms.form import Flag, Lists
from forms.indicators.feeds import Cut, Feed, Feeds, Reading, compile_feeds
from forms.records import record
from forms.xforms.entities import is_true, plain_id
from forms.xforms.instance import Instance
from forms.xforms.walk import Scope, walk_of
from forms.xpath.dates import is_date, is_moment, read_date, read_moment
from forms.xpath.expressions import Context, Expression, Unevaluable, Value
from forms.xpath.values import text_of

__all__ = ["Contribution", "Feeds", "compile_feeds", "contributed", "contributions_of", "visit_of"]

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")
_LONGEST_NUMBER = 40
_LONGEST = 500  # bytes of a code, an id or a key: they stand in indexes
_BEYOND = Decimal(10) ** 12
_UUID = re.compile(r"(?:uuid:)?[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EPOCH = dt.date(1970, 1, 1)


@record
class Contribution:
    """What one row of a submission adds to one indicator.

    `ordinal` counts the rows of the submission from 0 (iterations of the indicator's repeat in document order; 0 if it
    has none). `by` holds for each breakdown of the indicator, in its order, the keys: one, several for a
    select_multiple, () for null. `until` is None when the row is about a single day.
    """

    indicator: str
    ordinal: int
    subject: str | None
    date: dt.date
    until: dt.date | None
    place: str | None
    value: Decimal | None
    text: str | None
    baseline: Decimal | None
    by: tuple[tuple[str, ...], ...]


class Row:
    """One row of a submission while it is read: the whole instance or an iteration, and what was read of it so far."""

    __slots__ = ("_context", "_make", "flags", "scope", "seen")

    def __init__(self, scope: Scope, make: Callable[[Scope], Context], flags: list[Flag]) -> None:
        self.scope = scope
        self.flags = flags  # of the whole submission
        self.seen: dict[int, Value] = {}
        self._make = make
        self._context: Context | None = None

    @property
    def context(self) -> Context:
        """What its expressions are evaluated in; many rows have none."""
        if self._context is None:
            self._context = self._make(self.scope)
        return self._context

    def around(self, path: str) -> Scope:
        """The row, or the iteration or the whole around it that has this path."""
        scope = self.scope
        while scope.path != path:
            assert scope.outer is not None  # Readings never lead into a repeat that the row is not in.
            scope = scope.outer
        return scope

    def too_long(self, reading: Reading, what: str) -> None:
        """Flags an answer that no code, id or key can be meant by."""
        self.flag("type", reading, f"This is too long for {what} (more than {_LONGEST} bytes).")

    def flag(self, code: str, reading: Reading | None, message: str) -> None:
        """Once, at the question that is read, if it is one."""
        place = ""
        if reading is not None and reading.path:
            place = f"{self.around(reading.within).place}{reading.path[len(reading.within) :]}"
        flag = Flag(code, place or self.scope.place, message)
        if flag not in self.flags:
            self.flags.append(flag)


def contributions_of(
    feeds: Feeds, instance: Instance, *, recorded_at: dt.datetime, tz: dt.tzinfo, lists: Lists, dated: bool = True
) -> list[Contribution]:
    """In the order of the sheet `indicators`, then of rows. Nothing for a ratio: it is worked out from others.

    A row is dated by the indicator's `date`, where that is blank by the day of the visit: the form's today, end or
    start, else `recorded_at`, in the time zone `tz`; with none of them there is no row, and where it is not `dated`,
    `recorded_at` is only when it arrived. A place or key of more than 500 bytes is none; a subject of more is known by
    its hash. A number of more than twelve digits before the point is none.
    """
    return contributed(feeds, instance, recorded_at=recorded_at, tz=tz, lists=lists, dated=dated)[0]


def contributed(
    feeds: Feeds, instance: Instance, *, recorded_at: dt.datetime, tz: dt.tzinfo, lists: Lists, dated: bool = True
) -> tuple[list[Contribution], list[Flag]]:
    """`contributions_of`, and a flag for each answer that was too long or too large for what it is used as, and where
    nothing dates a row."""
    if instance.encrypted:
        return [], []
    flags: list[Flag] = []
    walk, root, seed = walk_of(feeds.form, instance), instance.root, instance.instance_id or ""

    def context(scope: Scope) -> Context:
        known = scope if walk.plain else None
        return Context(root, scope.element, lists, feeds.form, recorded_at, tz, seed, scope=known)

    rows: dict[str | None, list[Row]] = {None: [Row(walk.root, context, flags)]}
    visited = _day_of_visit(feeds, walk.root, recorded_at if dated else None, tz)
    found = []
    for feed in feeds.feeds:
        if feed.repeat not in rows:
            rows[feed.repeat] = [Row(scope, context, flags) for scope in walk.scopes.get(feed.repeat or "", ())]
        for ordinal, row in enumerate(rows[feed.repeat]):
            contribution = _contribution(feed, ordinal, row, visited, tz)
            if contribution is not None:
                found.append(contribution)
    return found, flags


def visit_of(
    feeds: Feeds, instance: Instance, contributions: Sequence[Contribution], recorded_at: dt.datetime, tz: dt.tzinfo
) -> tuple[dt.date, str | None]:
    """On which day and where a visit was: as its contributions say, the first one that does; else as the form asks for
    it, though nothing was counted; else the day on which it was recorded."""
    root = walk_of(feeds.form, instance).root
    day = contributions[0].date if contributions else _day_of_visit(feeds, root, None, tz)
    place = next((row.place for row in contributions if row.place), None)
    if place is None and feeds.place is not None:
        place = root.texts.get(feeds.place, "").strip() or None
    return day or recorded_at.astimezone(tz).date(), None if place is not None and _is_long(place) else place


def _contribution(feed: Feed, ordinal: int, row: Row, visited: dt.date | None, tz: dt.tzinfo) -> Contribution | None:
    indicator = feed.indicator
    if feed.where is not None and not _holds(feed.where, row):
        return None
    text = value = None
    if feed.value is not None:
        if indicator.aggregate == "list":
            text = _text(feed.value, row) or None
        else:
            value = _number(feed.value, row)
        if text is None and value is None:
            return None
    subject = _subject(feed, row)
    if subject is None and indicator.counts_subjects:
        return None  # Without a subject the row cannot be counted once.
    date = (_date(feed.date, row, tz) if feed.date is not None else None) or visited
    if date is None:
        row.flag("required", feed.date, "Nothing says on which day this was, so it counts in no indicator.")
        return None
    until = _date(feed.until, row, tz) if feed.until is not None else None
    return Contribution(
        indicator.name,
        ordinal,
        subject,
        date,
        until if until is not None and until > date else None,
        _place(feed.place, row) if feed.place is not None else None,
        value,
        text,
        _number(feed.baseline, row) if feed.baseline is not None else None,
        tuple([_keys(cut, row) for cut in feed.by]),
    )


def _holds(where: Expression, row: Row) -> bool:
    try:
        return where.boolean(row.context)
    except Unevaluable:
        return False


def _evaluated(reading: Reading, row: Row) -> Value:
    """A plain question's answer, or an expression's value, blank if there is none; worked out once per row."""
    found = row.seen.get(reading.key)
    if found is None:
        if reading.expression is None:
            found = row.around(reading.within).texts.get(reading.path, "").strip()
        else:
            try:
                found = reading.expression.evaluate(row.context)
            except Unevaluable:
                found = ""
        row.seen[reading.key] = found
    return found


def _text(reading: Reading, row: Row) -> str:
    return text_of(_evaluated(reading, row)).strip()


def _number(reading: Reading, row: Row) -> Decimal | None:
    """Exactly the number that is written; None for none, and beyond twelve digits before the point."""
    found = _evaluated(reading, row)
    if isinstance(found, float | bool):
        text = repr(float(found)) if isfinite(found) else ""
    else:
        text = text_of(found).strip()
    if not _NUMBER.fullmatch(text):
        return None
    if len(text) <= _LONGEST_NUMBER and abs(number := Decimal(text)) < _BEYOND:
        return number
    row.flag("type", reading, "This number is too long to be counted (12 digits before the point at most).")
    return None


def _date(reading: Reading, row: Row, tz: dt.tzinfo) -> dt.date | None:
    found = _evaluated(reading, row)
    if isinstance(found, float):  # XPath's dates are days since 1970 once something was added to them.
        return _day_number(found)
    return _day(text_of(found).strip(), tz)


def _day_number(days: float) -> dt.date | None:
    try:
        return _EPOCH + dt.timedelta(days=int(days // 1))
    except (ValueError, OverflowError):
        return None


def _day(text: str, tz: dt.tzinfo) -> dt.date | None:
    """The date of a date or, in the time zone, of a moment."""
    if is_date(text):
        return read_date(text)
    moment = read_moment(text, tz) if is_moment(text) else None
    return moment.date() if moment is not None else None


def _day_of_visit(feeds: Feeds, root: Scope, recorded_at: dt.datetime | None, tz: dt.tzinfo) -> dt.date | None:
    for path in feeds.days:
        day = _day(root.texts.get(path, "").strip(), tz)
        if day is not None:
            return day
    return recorded_at.astimezone(tz).date() if recorded_at is not None else None


def _subject(feed: Feed, row: Row) -> str | None:
    if feed.subject is not None:
        key = _text(feed.subject, row)
        if _is_long(key):
            row.too_long(feed.subject, "a subject")
            return f"{key[:60]}… {hashlib.sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
        return (plain_id(key) if _UUID.fullmatch(key) else key) or None
    for named in feed.scopes:
        scope = row.around(named.within)
        for path in named.entities:
            entity = scope.entities.get(path)
            if entity is not None and (is_true(entity.get("create")) or is_true(entity.get("update"))):
                entity_id = plain_id(entity.get("id", ""))
                return None if _is_long(entity_id) else entity_id or None
        for path in named.selections:
            chosen = scope.texts.get(path, "").strip()
            if chosen and not _is_long(chosen):  # such a one is flagged as no choice of its list
                return plain_id(chosen)
    return None


def _place(reading: Reading, row: Row) -> str | None:
    code = _text(reading, row)
    if _is_long(code):
        row.too_long(reading, "a place")
        return None
    return code or None


def _is_long(text: str) -> bool:
    return len(text) > _LONGEST // 4 and len(text.encode("utf-8", "surrogatepass")) > _LONGEST


def _keys(cut: Cut, row: Row) -> tuple[str, ...]:
    if cut.reading is None:
        return ()
    if cut.bands:
        number = _number(cut.reading, row)
        if number is None:
            return ()
        return tuple([band.text for band in cut.bands if band.holds(number)][:1])
    text = _text(cut.reading, row)
    keys = list(dict.fromkeys(text.split())) if cut.several else [text] if text else []
    if _is_long(text) and any(map(_is_long, keys)):
        row.too_long(cut.reading, "a breakdown")
        keys = [key for key in keys if not _is_long(key)]
    if cut.known is not None:
        return tuple([key for key in keys if key in cut.known])
    return tuple(keys)
