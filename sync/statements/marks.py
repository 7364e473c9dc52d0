"""Figures while a statement is being written: what {{ people_trained(sex="female").share }} means in a text."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any, TypeVar

from jinja2 import Undefined

from sync.indicators.amounts import rounded
from sync.indicators.doubt import pairs_behind
from sync.indicators.figures import Figure, figure, share
from sync.indicators.reading import Reading
from sync.indicators.wording import (
    GAP,
    MOST_DECIMALS,
    Noun,
    date_words,
    figure_words,
    number_words,
    percent_words,
    period_words,
    phrase,
)
from sync.statements.templates import TOGETHER, Joining, StatementEnvironment
from sync.statements.unwritable import Unwritable

# Around the number of a mark; no text that is shown keeps these characters.
OPEN, CLOSE = "\ue000", "\ue001"
MARK = re.compile(f"{OPEN}([0-9]+){CLOSE}")
# Between paragraphs, and before each item of a list.
_BETWEEN = re.compile(r"\n[ \t]*\n|\n(?=[ \t]*(?:[-*+]|[0-9]+[.)])[ \t])")
_PRIVATE = re.compile("[\ue000-\uf8ff\x00-\x08\x0b\x0c\x0e-\x1f]")
ATTRIBUTES = frozenset(
    {"share", "value", "low", "high", "n", "without", "target", "baseline", "items", "label", "unit", "hidden"}
)
_NOT_CELLS = ("period", "place")
_Fact = TypeVar("_Fact")
# Is told how many of how many indicators have been worked out.
Tell = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Mark:
    """What stands in a text at one place: the words, and the figure that they are from, if they are from one.

    `fact` is what of the figure it is, where it is not its value: its `share`, or how many there are (`n`) or are left
    out (`without`). `decimals` are those that the text asks for, where it does. Of words with a range: `asked` is the
    figure as the text asks for it, `briefly` are the words without the pairs that the range hangs on, and `plainly`
    those without the range.
    """

    words: str
    figure: Figure | None = None
    fact: str = ""
    asked: Asked | None = None
    briefly: str = ""
    plainly: str = ""
    decimals: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A text with marks in it. No text, so that no other can be taken for it, and none be taken out of it."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Asked:
    """A figure as the text asks for it. `share` is of the figure without its cells."""

    name: str
    period: str
    place: str | None
    cells: tuple[tuple[str, str | None], ...] = ()
    share: bool = False

    @property
    def fact(self) -> str:
        return "share" if self.share else ""


class Told(int):
    """How many stand behind a figure, or are left out of it: a number like any other that leads to its figure."""

    figure: Figure
    fact: str

    @classmethod
    def of(cls, figure: Figure, fact: str) -> Told | None:
        number = getattr(figure, fact)
        if number is None:
            return None
        told = cls(number)
        told.figure, told.fact = figure, fact
        return told


class Page:
    """One statement being written in one language: the figures that it has asked for, in order, and its marks."""

    def __init__(
        self,
        reading: Reading,
        language: str,
        period: str,
        place: str | None,
        sees_small_cells: bool,
        begin: Callable[[str], None] = lambda _indicator: None,
        pairs: Pairs | None = None,
    ) -> None:
        """`begin` is told of each figure before it is worked out. `pairs` are known already, where the project may
        have gone on since."""
        self.reading = reading
        self._begin = begin
        self.language = language
        self.sees_small_cells = sees_small_cells
        self.marks: list[Mark] = []
        self.figures: dict[Asked, Figure] = {}
        self._lacks = False
        self._joining = Joining()
        self._period, self._place = period, place
        self._pairs: dict[Asked, int | None] = {**(pairs or {})}

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
            "noun": self._noun,
            "join": self._join,
            "length": len,
            TOGETHER: self._together,
        }
        return StatementEnvironment(filters, {FigureMark: ATTRIBUTES, dict: ()}, self.show)

    def figure(self, asked: Asked) -> Figure:
        """Worked out once, however often the text names it."""
        if asked not in self.figures:
            self._begin(asked.name)
            self.figures[asked] = figure_of(self.reading, asked, self.sees_small_cells)
        return self.figures[asked]

    @property
    def pairs(self) -> Pairs:
        """On how many open pairs the figures of the text hang, where that is known."""
        return {asked: known for asked, known in self._pairs.items() if known is not None}

    @property
    def lacks_nothing(self) -> bool:
        """Whether everything that the text has asked for is there, and none of it is nought."""
        return not self._lacks and all(one.value or one.items for one in self.figures.values())

    def told(self, value: _Fact) -> _Fact:
        """What the text asks of a figure, noted where there is nothing."""
        self._lacks = self._lacks or value is None
        return value

    def note_lack(self) -> None:
        """The text asks for what may be there another time."""
        self._lacks = True

    def place(self, words: str, shown: Figure | None = None, fact: str = "", decimals: int | None = None) -> Written:
        """Put a mark into the text."""
        return self._put(Mark(clean(words), shown, fact, decimals=decimals))

    def write(self, asked: Asked, noun: Noun | None = None) -> Written:
        """Put a figure into the text, with its range."""
        shown = self.figure(asked)
        if asked not in self._pairs:
            self._pairs[asked] = pairs_behind(self.reading, shown)
        pairs = self._pairs[asked]
        words, briefly, plainly = (
            clean(words_of(shown, asked, self.language, known, noun, ranged))
            for known, ranged in ((pairs, True), (None, True), (None, False))
        )
        if briefly == plainly:
            return self._put(Mark(words, shown, asked.fact))
        return self._put(Mark(words, shown, asked.fact, asked, briefly, plainly))

    def _put(self, mark: Mark) -> Written:
        self.marks.append(mark)
        return Written(f"{OPEN}{len(self.marks) - 1}{CLOSE}")

    def length(self, text: str) -> int:
        """Of a text, with the words of its marks."""
        return len(text) + sum(len(self.marks[int(found[1])].words) for found in MARK.finditer(text))

    def settled(self, text: str) -> list[Mark]:
        """The marks as they read in the written text: a paragraph says the range of a figure once, and on how many
        pairs it hangs once for each indicator."""
        marks = list(self.marks)
        for paragraph in _BETWEEN.split(text):
            said: set[Asked] = set()
            for found in MARK.finditer(paragraph):
                mark = marks[int(found[1])]
                if mark.asked is None:
                    continue
                if mark.asked in said:
                    marks[int(found[1])] = replace(mark, words=mark.plainly)
                elif mark.asked.name in {asked.name for asked in said}:
                    marks[int(found[1])] = replace(mark, words=mark.briefly)
                said.add(mark.asked)
        return marks

    def show(self, value: Any) -> Any:
        """What {{ }} writes: figures and data as marks, so that neither can be taken for markup."""
        if isinstance(value, Undefined):
            return str(value)  # raises, and names what is undefined
        if isinstance(value, FigureMark):
            return value.written()
        if value is None:
            return GAP
        if isinstance(value, Written):
            return value
        if isinstance(value, Decimal | Fraction | int | float) and not isinstance(value, bool):
            return self._count(number_words(Fraction(value), self.language, _decimals(value)), value)
        if isinstance(value, dt.date):
            return self.place(date_words(value, self.language))
        if isinstance(value, list | tuple) and any(isinstance(one, list | tuple) for one in value):
            raise Unwritable("A list of lists is no text", "Go through it one by one.")
        return self.place(self._joining([str(value)]))

    def _number(self, value: Any, decimals: int | None = None) -> Written | str:
        return self._as(value, False, decimals)

    def _percent(self, value: Any, decimals: int | None = None) -> Written | str:
        return self._as(value, True, decimals)

    def _as(self, value: Any, percent: bool, decimals: int | None) -> Written | str:
        if isinstance(value, FigureMark):
            return value.plain(percent, _small(decimals))
        if value is None:
            return GAP
        write = percent_words if percent else number_words
        shown = _small(decimals) if decimals is not None else 0 if percent else _decimals(value)
        return self._count(write(_exact(value), self.language, shown or 0), value)

    def _date(self, value: Any) -> Written:
        day = _day(value) if isinstance(value, str) else value
        if not isinstance(day, dt.date):
            raise Unwritable("date is for dates", "Write one like 2026-03-31.")
        return self.place(date_words(day, self.language))

    def _people(self, value: Any) -> Written:
        return self._noun(value, phrase("person", self.language), phrase("people", self.language))

    def _noun(self, value: Any, one: Any = None, several: Any = None) -> Written:
        if not (isinstance(one, str) and isinstance(several, str)):
            raise Unwritable("a noun is two texts, for one and for several", 'Write it like noun("cow", "cows").')
        noun = Noun(one, several)
        if isinstance(value, FigureMark):
            return value.written(noun)
        count = _exact(value)
        return self._count(f"{number_words(count, self.language)} {noun.for_(count, self.language)}", value)

    def _count(self, words: str, number: Any) -> Written:
        return self.place(words, number.figure, number.fact) if isinstance(number, Told) else self.place(words)

    def _join(self, values: Iterable[Any], between: str = ", ") -> Written:
        if isinstance(values, str):
            raise Unwritable("join is for lists")
        return Written(self._joining((str(self.show(value)) for value in values), str(self.place(between))))

    def _together(self, values: Iterable[Any]) -> Written | str:
        """What `~` joins: texts and whole numbers as they are, all else as it would be written alone."""
        values = [str(value) if type(value) in (str, int) else value for value in values]
        if all(isinstance(value, str) for value in values):
            return self._joining(values)
        return Written(self._joining(str(self.show(value)) for value in values))


class _Items(list[dict[str, Any]]):
    """The milestones of a list. The page hears of it when the text asks for more than there are."""

    def __init__(self, page: Page, items: Iterable[dict[str, Any]]) -> None:
        super().__init__(items)
        self._page = page

    def __getitem__(self, place: Any) -> Any:
        if not isinstance(place, int) or not -len(self) <= place < len(self):
            self._page.note_lack()
        return super().__getitem__(place)


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
            raise Unwritable(f'{self._asked.name} is asked for with texts, such as period="2026"')
        place = self._page.reading.place(place)
        return FigureMark(self._page, replace(self._asked, period=period, place=place, cells=tuple(cells.items())))

    @property
    def figure(self) -> Figure:
        return self._page.figure(self._asked)

    def written(self, noun: Noun | None = None) -> Written:
        """With its range."""
        return self._page.write(self._asked, noun)

    def plain(self, percent: bool, decimals: int | None) -> Written:
        """The number alone, for where a text says more about it itself."""
        shown = decimals or 0 if self._asked.share else decimals
        words = figure_words(self.figure, self._page.language, percent, shown, ranged=False)
        return self._page.place(words, self.figure, self._asked.fact, decimals)

    @property
    def share(self) -> FigureMark:
        return FigureMark(self._page, replace(self._asked, share=True))

    @property
    def value(self) -> Decimal | None:
        return self._page.told(_decimal(self.figure.value))

    @property
    def low(self) -> Decimal | None:
        return self._page.told(_decimal(self.figure.low))

    @property
    def high(self) -> Decimal | None:
        return self._page.told(_decimal(self.figure.high))

    @property
    def target(self) -> Decimal | None:
        return self._page.told(_decimal(self.figure.target))

    @property
    def baseline(self) -> Decimal | None:
        return self._page.told(_decimal(self.figure.baseline))

    @property
    def n(self) -> Told | None:
        return self._page.told(Told.of(self.figure, "n"))

    @property
    def without(self) -> Told | None:
        return self._page.told(Told.of(self.figure, "without"))

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
        found = [
            item.to_json()
            | {
                "date": dt.date.fromisoformat(item.date),
                "place": tree.places[item.place].name if item.place in tree.places else item.place,
            }
            for item in self.figure.items or ()
        ]
        if any(None in (*one.values(), *one["by"].values()) for one in found):
            self._page.note_lack()
        return _Items(self._page, found)


# On how many open pairs figures hang.
Pairs = Mapping[Asked, int]


def write_pairs(pairs: Pairs) -> list[Any]:
    """As JSON."""
    return [[*write_asked(one), known] for one, known in pairs.items()]


def read_pairs(written: Iterable[Any]) -> Pairs:
    """What `write_pairs` writes."""
    return {read_asked(*asked): known for *asked, known in written}


def write_asked(asked: Asked) -> list[Any]:
    """As JSON."""
    return [asked.name, asked.period, asked.place, asked.cells, asked.share]


def read_asked(name: str, period: str, place: str | None, cells: Iterable[Any], share: bool) -> Asked:
    """What `write_asked` writes."""
    return Asked(name, period, place, tuple((way, key) for way, key in cells), share)


def figure_of(reading: Reading, asked: Asked, sees_small_cells: bool) -> Figure:
    """The figure that a text asks for, as of the reading."""
    work_out = share if asked.share else figure
    return work_out(
        reading,
        asked.name,
        period=asked.period,
        place=asked.place,
        cells=dict(asked.cells),
        sees_small_cells=sees_small_cells,
    )


def words_of(
    shown: Figure,
    asked: Asked,
    language: str,
    pairs: int | None = None,
    noun: Noun | None = None,
    ranged: bool = True,
    decimals: int | None = None,
) -> str:
    """A figure as a text says it: a share as a percentage without decimals, unless they are told."""
    percent, usual = (True, 0) if asked.share else (None, None)
    return figure_words(shown, language, percent, usual if decimals is None else decimals, pairs, noun, ranged)


def words_apart(was: Figure, is_now: Figure, asked: Asked, language: str) -> tuple[str, str]:
    """Two figures as a text says them, with as many decimals as it takes to see that they differ."""
    usual = 0 if asked.share else is_now.definition.row.decimals_shown
    words = words_of(was, asked, language), words_of(is_now, asked, language)
    if words[0] != words[1] or was.value == is_now.value:
        return words
    finer = (
        tuple(words_of(one, asked, language, decimals=decimals) for one in (was, is_now))
        for decimals in range(usual + 1, MOST_DECIMALS + 1)
    )
    return next(((before, after) for before, after in finer if before != after), words)


def period_name(page: Page, text: str) -> str:
    """The period of a statement in words."""
    return period_words(page.reading.period(text), page.language)


def clean(text: str) -> str:
    """Without the characters that marks are made of, and without control characters."""
    return _PRIVATE.sub("", text)


def _decimal(value: Fraction | None) -> Decimal | None:
    return None if value is None else rounded(value)


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        return None


def _small(decimals: Any) -> int | None:
    if decimals is None:
        return None
    if not isinstance(decimals, int) or not 0 <= decimals <= 6:
        raise Unwritable("decimals are from 0 to 6", "Write one of these numbers.")
    return decimals


def _exact(value: Any) -> Fraction:
    """Raises TypeError also for a text: a short one can write a number that fills the memory."""
    if isinstance(value, str):
        raise TypeError
    return Fraction(value)


def _decimals(value: Any) -> int:
    return 0 if _exact(value).denominator == 1 else 1
