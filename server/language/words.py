"""The language of a visitor, and how numbers, days and figures are written in it."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time, get_datetime_format
from babel.numbers import format_decimal, format_percent
from flask import Response, has_request_context, request
from flask_babel import gettext

from sync.indicators.definitions import Definition, label_in
from sync.indicators.figures import Figure
from sync.indicators.periods import Period
from sync.indicators.wording import (
    cut,
    decimals_beside_target,
    figure_words,
    first_said,
    number_words,
    percent_words,
    period_words,
)

LANGUAGES = ("fr", "en", "bm")
_COOKIE = "language"
_YEAR_SECONDS = 365 * 24 * 3600
# Sentences with grammar in them (reasons, ranges, receipts) are made in two languages.
_SENTENCES = {"bm": "fr"}
# How Mali writes numbers and days, also in what is said in Bambara.
_WRITTEN = {"en": "en_GB", "fr": "fr", "bm": "fr"}
_YEARS = frozenset(range(1900, 2101))


_TIED = re.compile(" (?=[?!;:»]|%(?![(}]))|(?<=«) ")


def tied(said: str) -> str:
    """French has spaces before some signs, at which no line is to break."""
    return _TIED.sub("\N{NO-BREAK SPACE}", said)


class Words:
    """How one language writes things. `language` is that of whole sentences, `locale` that of labels and texts."""

    def __init__(self, locale: str) -> None:
        self.locale = locale
        self.language = _SENTENCES.get(locale, locale)
        self._written = _WRITTEN[locale]

    @property
    def colon(self) -> str:
        """Between a name and what it is; French has a space before it, at which no line breaks."""
        return "\N{NO-BREAK SPACE}: " if self.language == "fr" else ": "

    @property
    def semicolon(self) -> str:
        """Between things that are told one after the other."""
        return "\N{NO-BREAK SPACE}; " if self.language == "fr" else "; "

    def quoted(self, said: str) -> str:
        """What somebody else wrote."""
        return f"«\N{NO-BREAK SPACE}{said}\N{NO-BREAK SPACE}»" if self.language == "fr" else f"“{said}”"

    def number(self, value: Any) -> str:
        """A number as the language writes it; a dash for none."""
        return "—" if value is None else _number(value, self._written)

    def fixed(self, value: float, decimals: int, *, sign: bool = False) -> str:
        """With so many decimals, zeros too, as in a column; with `sign`, a plus before what is not below zero."""
        digits = "#,##0." + "0" * decimals
        pattern = f"+{digits};-{digits}" if sign else digits
        said = format_decimal(round(value, decimals) + 0.0, pattern, locale=self._written)  # no −0
        return said.replace("-", "−")

    def exact(self, value: Decimal) -> str:
        """All digits of an answer. Those of what is most often a year stand together."""
        decimals = len(str(value).partition(".")[2])
        pattern = ("0" if value in _YEARS else "#,##0") + ("." + "0" * decimals if decimals else "")
        return format_decimal(value, pattern, locale=self._written, decimal_quantization=False)

    def share(self, value: Fraction | float | None) -> str:
        """A part of one as per cent; a dash for none."""
        return "—" if value is None else format_percent(float(value), locale=self._written)

    def megabytes(self, size: int) -> str:
        """Bytes in megabytes: little ones with two decimals, so that they are not nothing."""
        megabytes = Decimal(size) / 1_000_000
        return self.number(round(megabytes, 2 if megabytes < 10 else 0))

    def figure(self, figure: Figure, pairs: int | None = None, decimals: int | None = None) -> str:
        """A figure as texts have it: with its unit, a dash where it has no value, and its range with the number of
        pairs that it hangs on."""
        return figure_words(figure, self.language, decimals=decimals, pairs=pairs)

    def share_of_whole(self, figure: Figure, pairs: int | None = None, decimals: int | None = None) -> str:
        """The same of a part of an indicator's own total."""
        return figure_words(figure, self.language, True, decimals or 0, pairs)

    def target(self, figure: Figure) -> str:
        """What was planned for a figure, with as many decimals as the figure."""
        definition = figure.definition
        return self.amount(figure.target, definition, decimals_beside_target(figure) - definition.row.decimals_shown)

    def reached(self, figure: Figure) -> str:
        """What part of its target a figure is, of a share how many percentage points it is away from it; a dash where
        that is not known. What falls short by little is not said to be all of it."""
        if figure.value is None or not figure.target:
            return "—"
        if figure.definition.row.unit == "%":
            return self.points(figure.value - figure.target)
        part = figure.value / figure.target
        decimals = next((count for count in range(6) if part >= 1 or cut(part * 100, count) < 100), 6)
        return percent_words(part, self.language, decimals)

    def amount(self, number: Fraction | None, definition: Definition, finer: int = 0) -> str:
        """A number of an indicator with its decimals (or so many more) and unit, without a range; a dash for none."""
        if number is None:
            return "—"
        write = percent_words if definition.row.unit == "%" else number_words
        return write(number, self.language, definition.row.decimals_shown + finer)

    def change(self, number: Fraction | None, definition: Definition, finer: int = 0) -> str:
        """The same with its sign; what comes to nought has none."""
        said = self.amount(number, definition, finer)
        return f"+{said}" if number is not None and number > 0 and any(one in "123456789" for one in said) else said

    def points(self, away: Fraction | float) -> str:
        """By how many percentage points one share is another: with as many decimals as it takes not to say none."""
        points = Fraction(away) * 100
        shown = next((said for count in range(1, 4) if (said := cut(points, count))), Decimal(0))
        return str(gettext("%(points)s points", points=f"{'+' if shown > 0 else ''}{self.number(shown)}"))

    def label(self, labels: Mapping[str, str]) -> str:
        """A label in this language, else in another."""
        return tied(labels.get(self.locale) or label_in(labels, self.language) or "")

    def period(self, period: Period) -> str:
        """A period with the days that it goes over; nothing for all time."""
        if period.start is None or period.end is None:
            return ""
        days = f"{self.day(period.start)} – {self.day(period.end)}"
        return days if "/" in period.text else f"{period_words(period, self.language)} ({days})"

    def day(self, value: dt.date | str | None) -> str:
        if value is None:
            return ""
        return _day(dt.date.fromisoformat(value) if isinstance(value, str) else value, self._written)

    def moment(self, value: dt.datetime | str | None, zone: str = "UTC", *, exact: bool = False) -> str:
        """A time in the project's time zone, to the minute; with `exact`, where the order of events matters, to the
        second."""
        if value is None:
            return ""
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
        there, locale = moment.astimezone(ZoneInfo(zone)), self._written
        pattern = str(get_datetime_format("medium", locale)).replace("{1}", _day(there.date(), locale))
        return pattern.replace("{0}", format_time(there, "medium" if exact else "short", locale=locale))

    def moment_as_told(self, moment: dt.datetime) -> str:
        """A time by the clock of whoever wrote it down."""
        return self.moment(moment.replace(tzinfo=dt.UTC), exact=True)


# A table says the same ones again and again, and to write one takes longer than all else that its row costs.
@lru_cache(maxsize=10_000, typed=True)
def _number(value: Any, locale: str) -> str:
    return format_decimal(value, locale=locale).replace("-", "−")


@lru_cache(maxsize=10_000)
def _day(day: dt.date, locale: str) -> str:
    """No line breaks in it."""
    return first_said(format_date(day, format="medium", locale=locale), locale).replace(" ", "\N{NO-BREAK SPACE}")


def words() -> Words:
    """For this visitor: the language of `?lang=`, else the one chosen last, else what the browser asks for."""
    if not has_request_context():
        return Words("en")
    for chosen in (request.args.get("lang"), request.cookies.get(_COOKIE)):
        if chosen in LANGUAGES:
            return Words(chosen)
    return Words(request.accept_languages.best_match(LANGUAGES) or "en")


def remember_language(response: Response) -> None:
    """Keep the language that was chosen on a page."""
    chosen = request.args.get("lang")
    if chosen in LANGUAGES and response.mimetype == "text/html":
        response.set_cookie(
            _COOKIE, chosen, max_age=_YEAR_SECONDS, secure=request.is_secure, httponly=True, samesite="Lax"
        )
