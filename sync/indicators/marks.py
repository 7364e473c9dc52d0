"""Figures while a statement is being written: what {{ people_trained(sex="female").share }} means in a text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from jinja2 import Undefined

from sync.indicators.amounts import rounded
from sync.indicators.doubt import pairs_behind
from sync.indicators.figures import Cells, Figure, figure
from sync.indicators.reading import Reading
from sync.indicators.templates import StatementEnvironment
from sync.indicators.wording import (
    GAP,
    date_words,
    figure_words,
    number_words,
    percent_words,
    period_words,
    phrase,
    range_words,
)

# Around the number of a mark; no text that is let in has these characters.
OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
_PRIVATE = re.compile("[\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f]")
ATTRIBUTES = frozenset(
    {"share", "value", "low", "high", "n", "without", "target", "baseline", "items", "label", "unit", "hidden"}
)
_NOT_CELLS = ("period", "place")


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a text at one place: the words, and the figure that they are from, if they are from one."""

    words: str
    figure: Figure | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """A figure as the text asks for it. `share` is of the figure without its cells."""

    name: str
    period: str
    place: str | None
    cells: tuple[tuple[str, str | None], ...] = ()
    share: bool = False


class Page:
    """One statement being written in one language: the figures it has asked for, and the marks that it holds."""

    def __init__(self, reading: Reading, language: str, period: str, place: str | None, sees_small_cells: bool) -> None:
        self.reading = reading
        self.language = language
        self.sees_small_cells = sees_small_cells
        self.marks: list[Mark] = []
        self.asked: dict[Asked, None] = {}
        self._period, self._place = period, place
        self._figures: dict[Asked, Figure] = {}

    def values(self, extra: Mapping[str, Any]) -> dict[str, Any]:
        """What a text may name."""
        figures = {name: FigureMark(self, Asked(name, self._period, self._place)) for name in self.reading.definitions}
        return {**extra, **figures}

    def environment(self) -> StatementEnvironment:
        filters: dict[str, Callable[..., Any]] = {
            "number": self._number,
            "percent": self._percent,
            "date": self._date,
            "people": self._people,
            "person": self._people,
            "join": self._join,
            "length": len,
        }
        return StatementEnvironment(filters, {FigureMark: ATTRIBUTES, dict: ()}, self.show)

    def figure(self, asked: Asked) -> Figure:
        """Worked out once, however often the text names it."""
        self.asked[asked] = None
        if asked not in self._figures:
            self._figures[asked] = figure_of(self.reading, asked, self.sees_small_cells)
        return self._figures[asked]

    def place(self, words: str, shown: Figure | None = None) -> str:
        """Put a mark into the text."""
        self.marks.append(Mark(clean(words), shown))
        return f"{OPEN}{len(self.marks) - 1}{CLOSE}"

    def show(self, value: Any) -> Any:
        """What {{ }} writes: figures and data as marks, so that neither can be taken for markup."""
        if isinstance(value, Undefined):
            return str(value)  # raises, and names what is undefined
        if isinstance(value, FigureMark):
            return value.written()
        if value is None:
            return GAP
        if isinstance(value, Decimal | Fraction | int | float) and not isinstance(value, bool):
            return self.place(number_words(Fraction(value), self.language, _decimals(value)))
        if isinstance(value, dt.date):
            return self.place(date_words(value, self.language))
        text = str(value)
        return text if MARK.fullmatch(text) else self.place(text)

    def _number(self, value: Any, decimals: int | None = None) -> str:
        return self._as(value, False, decimals)

    def _percent(self, value: Any, decimals: int | None = None) -> str:
        return self._as(value, True, decimals)

    def _as(self, value: Any, percent: bool, decimals: int | None) -> str:
        if isinstance(value, FigureMark):
            return value.written(percent, _small(decimals))
        if value is None:
            return GAP
        write = percent_words if percent else number_words
        shown = _small(decimals) if decimals is not None else 0 if percent else _decimals(value)
        return self.place(write(Fraction(value), self.language, shown or 0))

    def _date(self, value: Any) -> str:
        day = dt.date.fromisoformat(value) if isinstance(value, str) else value
        if not isinstance(day, dt.date):
            raise TypeError("date is for dates")
        return self.place(date_words(day, self.language))

    def _people(self, value: Any) -> str:
        if not isinstance(value, FigureMark):
            return self.place(self._persons(Fraction(value), number_words(Fraction(value), self.language)))
        shown = value.figure
        words = figure_words(shown, self.language)
        if shown.value is None or shown.low is None or shown.high is None:
            return self.place(words, shown)
        bounds = [number_words(bound, self.language) for bound in (shown.low, shown.high)]
        counted = self._persons(shown.value, number_words(shown.value, self.language))
        if bounds[0] != bounds[1]:
            pairs = pairs_behind(self.reading, shown)
            counted = range_words(counted, bounds[0], bounds[1], pairs, self.language)
        return self.place(counted, shown)

    def _persons(self, count: Fraction, words: str) -> str:
        one = count < 2 and count != 0 if self.language in ("fr", "bm") else count == 1
        return phrase("person" if one else "people", self.language, value=words)

    def _join(self, values: Iterable[Any], between: str = ", ") -> str:
        return self.place(between).join(str(self.show(value)) for value in values)


class FigureMark:
    """A figure of the text, not worked out before it is looked at."""

    __slots__ = ("_asked", "_page")

    def __init__(self, page: Page, asked: Asked) -> None:
        self._page, self._asked = page, asked

    def __call__(self, **asked: Any) -> FigureMark:
        period, place = asked.get("period", self._asked.period), asked.get("place", self._asked.place)
        cells = {**dict(self._asked.cells), **{name: key for name, key in asked.items() if name not in _NOT_CELLS}}
        texts = [period, *(() if place is None else (place,)), *(key for key in cells.values() if key is not None)]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError(f'{self._asked.name} is asked for with texts, such as period="2026"')
        return FigureMark(self._page, replace(self._asked, period=period, place=place, cells=tuple(cells.items())))

    @property
    def figure(self) -> Figure:
        return self._page.figure(self._asked)

    def written(self, percent: bool | None = None, decimals: int | None = None) -> str:
        if self._asked.share:
            percent, decimals = True if percent is None else percent, decimals or 0
        pairs = pairs_behind(self._page.reading, self.figure)
        return self._page.place(figure_words(self.figure, self._page.language, percent, decimals, pairs), self.figure)

    def __str__(self) -> str:
        return self.written()

    @property
    def share(self) -> FigureMark:
        return FigureMark(self._page, replace(self._asked, share=True))

    @property
    def value(self) -> Decimal | None:
        return _decimal(self.figure.value)

    @property
    def low(self) -> Decimal | None:
        return _decimal(self.figure.low)

    @property
    def high(self) -> Decimal | None:
        return _decimal(self.figure.high)

    @property
    def target(self) -> Decimal | None:
        return _decimal(self.figure.target)

    @property
    def baseline(self) -> Decimal | None:
        return _decimal(self.figure.baseline)

    @property
    def n(self) -> int | None:
        return self.figure.n

    @property
    def without(self) -> int | None:
        return self.figure.without

    @property
    def hidden(self) -> bool:
        return self.figure.hidden

    @property
    def label(self) -> str:
        return self.figure.definition.label(self._page.language)

    @property
    def unit(self) -> str:
        return self.figure.definition.row.unit

    @property
    def items(self) -> list[dict[str, Any]]:
        """The milestones of a list, with their dates as dates and their places by name."""
        tree = self._page.reading.tree
        return [
            item.to_json()
            | {
                "date": dt.date.fromisoformat(item.date),
                "place": tree.places[item.place].name if item.place in tree.places else item.place,
            }
            for item in self.figure.items or ()
        ]


def figure_of(reading: Reading, asked: Asked, sees_small_cells: bool) -> Figure:
    """The figure that a text asks for, as of the reading. A share is hidden with its parts."""

    def ask(cells: Cells) -> Figure:
        return figure(
            reading,
            asked.name,
            period=asked.period,
            place=asked.place,
            cells=cells,
            sees_small_cells=sees_small_cells,
        )

    part = ask(dict(asked.cells))
    if not asked.share:
        return part
    whole = ask({})
    if part.hidden or whole.hidden:
        return replace(part, value=None, low=None, high=None, n=None, hidden=True)
    share = None if part.value is None or not whole.value else part.value / whole.value
    found = [
        one for one in (share, _quotient(part.low, whole.low), _quotient(part.high, whole.high)) if one is not None
    ]
    low, high = (min(found), max(found)) if share is not None else (None, None)
    return replace(part, value=share, low=low, high=high, target=None, baseline=None)


def _quotient(part: Fraction | None, whole: Fraction | None) -> Fraction | None:
    return None if part is None or not whole else part / whole


def period_name(page: Page, text: str) -> str:
    """The period of a statement in words."""
    return period_words(page.reading.period(text), page.language)


def clean(text: str) -> str:
    """Without the characters that marks are made of, and without control characters."""
    return _PRIVATE.sub("", text)


def _decimal(value: Fraction | None) -> Decimal | None:
    return None if value is None else rounded(value)


def _small(decimals: Any) -> int | None:
    if decimals is None:
        return None
    if not isinstance(decimals, int) or not 0 <= decimals <= 6:
        raise ValueError("decimals are from 0 to 6")
    return decimals


def _decimals(value: Any) -> int:
    return 0 if Fraction(value).denominator == 1 else 1
