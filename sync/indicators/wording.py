"""Numbers, dates and the few phrases of a statement as French and English write them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from math import floor

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_decimal

from sync.indicators.figures import Figure
from sync.indicators.periods import Period

GAP = "—"
MOST_DECIMALS = 6  # figures are exact to so many
# Bambara writes numbers and dates as French does, which Bambara speakers in offices read.
_WRITTEN_LIKE = {"bm": "fr", "en": "en_GB"}
_PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "hidden": "fewer than {minimum}",
        "withheld": "not shown",
        "range": "{value} ({low} to {high})",
        "range_of_pair": "{value} ({low} to {high}, depending on one pair not reviewed)",
        "range_of_pairs": "{value} ({low} to {high}, depending on {pairs} pairs not reviewed)",
        "person": "person",
        "people": "people",
        "all": "the whole time",
        "span": "{start} to {end}",
        "quarter": "quarter {quarter} of {year}",
        "fiscal": "fiscal year {year}",
        "fiscal_quarter": "quarter {quarter} of fiscal year {year}",
        "received": "All submissions count, except rejected ones and second copies of the same visit; "
        "{waiting} of them wait for review.",
        "received_one": "All submissions count, except rejected ones and second copies of the same visit; "
        "{waiting} of them waits for review.",
        "approved": "Only approved submissions count; {waiting} others wait for review.",
        "approved_one": "Only approved submissions count; {waiting} other waits for review.",
        "as_of": "As of {date}, event {event}.",
        "issue": "issue no. {number}, “{title}”, issued on {date}",
        "and": "and",
        "notes": "Where the figures come from",
        "period_of_all": "Period of all figures: {period}.",
        "note": "{about}: {how}.",
        "note_of": "{about}: {how}; {behind}.",
        "contribution": "1 contribution",
        "contributions": "{n} contributions",
        "how_count": "visits are counted",
        "how_distinct": "each is counted once, however many visits",
        "how_sum": "values are added up",
        "how_mean": "mean of the values",
        "how_median": "median of the values",
        "how_min": "smallest value",
        "how_max": "largest value",
        "how_list": "listed one by one",
        "how_share": "as a share of the whole",
        "how_n": "how many contributions there are",
        "how_without": "cases left out, because there is nothing to compare their value with",
        "each_latest": "of each the last value",
        "each_latest_known": "of each the last value that is known",
        "each_first": "of each the first value",
        "each_sum": "of each the sum of the values",
        "each_mean": "of each the mean of the values",
        "each_min": "of each the smallest value",
        "each_max": "of each the largest value",
        "each_gain": "of each the last value less the one at the start",
        "each_growth": "of each the last value divided by the one at the start",
        "kept": "only where it is {keep}",
    },
    "fr": {
        "hidden": "moins de {minimum}",
        "withheld": "non communiqué",
        "range": "{value} (de {low} à {high})",
        "range_of_pair": "{value} (de {low} à {high}, selon une paire non vérifiée)",
        "range_of_pairs": "{value} (de {low} à {high}, selon {pairs} paires non vérifiées)",
        "person": "personne",
        "people": "personnes",
        "all": "toute la durée",
        "span": "du {start} au {end}",
        "quarter": "trimestre {quarter} de {year}",
        "fiscal": "exercice {year}",
        "fiscal_quarter": "trimestre {quarter} de l’exercice {year}",
        "received": "Toutes les fiches comptent, sauf celles qui ont été rejetées et les doublons d’une même visite ; "
        "{waiting} d’entre elles attendent une vérification.",
        "received_one": "Toutes les fiches comptent, sauf celles qui ont été rejetées et les doublons d’une même "
        "visite ; {waiting} d’entre elles attend une vérification.",
        "approved": "Seules les fiches approuvées comptent ; {waiting} autres attendent une vérification.",
        "approved_one": "Seules les fiches approuvées comptent ; {waiting} autre attend une vérification.",
        "as_of": "État au {date}, événement {event}.",
        "issue": "édition n°\N{NO-BREAK SPACE}{number}, «\N{NO-BREAK SPACE}{title}\N{NO-BREAK SPACE}», émise le {date}",
        "and": "et",
        "notes": "D’où viennent les chiffres",
        "period_of_all": "Période de tous les chiffres : {period}.",
        "note": "{about} : {how}.",
        "note_of": "{about} : {how} ; {behind}.",
        "contribution": "1 contribution",
        "contributions": "{n} contributions",
        "how_count": "visites comptées",
        "how_distinct": "comptage sans double, quel que soit le nombre de visites",
        "how_sum": "valeurs additionnées",
        "how_mean": "moyenne des valeurs",
        "how_median": "médiane des valeurs",
        "how_min": "plus petite valeur",
        "how_max": "plus grande valeur",
        "how_list": "énumération",
        "how_share": "part dans l’ensemble",
        "how_n": "nombre de contributions",
        "how_without": "cas laissés de côté, faute d’une valeur à laquelle les comparer",
        "each_latest": "à chaque fois la dernière valeur",
        "each_latest_known": "à chaque fois la dernière valeur connue",
        "each_first": "à chaque fois la première valeur",
        "each_sum": "à chaque fois la somme des valeurs",
        "each_mean": "à chaque fois la moyenne des valeurs",
        "each_min": "à chaque fois la plus petite valeur",
        "each_max": "à chaque fois la plus grande valeur",
        "each_gain": "à chaque fois la dernière valeur moins celle du départ",
        "each_growth": "à chaque fois la dernière valeur divisée par celle du départ",
        "kept": "seulement si elle est {keep}",
    },
}


@dataclass(frozen=True, slots=True)
class Noun:
    """What is counted, as one and as several."""

    one: str
    several: str

    def for_(self, count: Fraction, language: str) -> str:
        """The one that goes with a count; in French, none and one and a half are still one."""
        french = _WRITTEN_LIKE.get(language, language).partition("-")[0] == "fr"
        return self.one if count == 1 or (french and abs(count) < 2) else self.several


def locale_of(language: str) -> Locale:
    """Babel's locale for a language code; that of English for one that it does not know."""
    try:
        return Locale.parse(_WRITTEN_LIKE.get(language, language).replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_GB")


def phrase(name: str, language: str, **filled: object) -> str:
    """One of the phrases; in English where there is none in the language."""
    phrases = _PHRASES.get(_WRITTEN_LIKE.get(language, language).partition("_")[0], _PHRASES["en"])
    return phrases[name].format(**filled)


def number_words(number: Fraction | Decimal | int, language: str, decimals: int = 0) -> str:
    """With the language's groups and decimal sign and a minus that is no hyphen, halves rounded up."""
    places = f".{'0' * decimals}" if decimals else ""
    said = format_decimal(cut(Fraction(number), decimals), format=f"#,##0{places}", locale=locale_of(language))
    return said.replace("-", "−")


def percent_words(share: Fraction | Decimal | int, language: str, decimals: int = 0) -> str:
    """A fraction as a percentage: 0.66 is `66%`, `66 %` in French."""
    locale = locale_of(language)
    pattern = locale.percent_formats[None].pattern.rstrip("%").replace("#,##0", "")
    return f"{number_words(Fraction(share) * 100, language, decimals)}{pattern}%"


def date_words(day: dt.date, language: str) -> str:
    """`31 March 2026`, `31 mars 2026`, `1er mars 2026`."""
    return first_said(format_date(day, "long", locale=locale_of(language)), language)


def first_said(written: str, language: str) -> str:
    """A date as French writes it: 1er of the first of a month, where the locale data say 1."""
    return f"1er{written[1:]}" if language == "fr" and written.startswith("1 ") else written


def period_words(period: Period, language: str) -> str:
    """`2026`, `March 2026`, `quarter 3 of 2026`, `fiscal year 2025–2026`, `1 January 2026 to 30 June 2026`."""
    if period.start is None or period.end is None:
        return phrase("all", language)
    name, _, quarter = period.text.partition("-Q")
    if name.startswith("FY"):
        year = name[2:] if period.start.month == 1 and not quarter else _fiscal_name(int(name[2:]))
        return phrase("fiscal_quarter" if quarter else "fiscal", language, year=year, quarter=quarter)
    if quarter:
        return phrase("quarter", language, year=name, quarter=quarter)
    if len(period.text) == 4:
        return period.text
    if "/" not in period.text:
        return format_date(period.start, "LLLL y", locale=locale_of(language))
    return phrase("span", language, start=date_words(period.start, language), end=date_words(period.end, language))


def figure_words(
    figure: Figure,
    language: str,
    percent: bool | None = None,
    decimals: int | None = None,
    pairs: int | None = None,
    noun: Noun | None = None,
    ranged: bool = True,
) -> str:
    """A figure as it stands in a text and on a page: with as many decimals as it takes to tell it from its target,
    unless they are told; a visible gap without a value, `fewer than 5` if it is hidden, its range (where
    it may be `ranged`) if that is not one number: `4,012 people (3,960 to 4,090, depending on 61 pairs not reviewed)`,
    where there is a `noun` and the number of `pairs` is known. `percent` is what its unit says unless told otherwise.
    """
    row = figure.definition.row
    if figure.items is not None and not figure.hidden:
        items = (f"{item.text} ({date_words(dt.date.fromisoformat(item.date), language)})" for item in figure.items)
        return "; ".join(items) or GAP
    if figure.hidden:
        if row.aggregate in ("count", "distinct") and row.minimum_cell:
            return phrase("hidden", language, minimum=number_words(row.minimum_cell, language))
        return phrase("withheld", language)
    if figure.value is None or figure.low is None or figure.high is None:
        return GAP
    shown = decimals_beside_target(figure) if decimals is None else decimals
    write = percent_words if (row.unit == "%" if percent is None else percent) else number_words
    value, low, high = (write(one, language, shown) for one in (figure.value, figure.low, figure.high))
    if noun is not None:
        value = f"{value} {noun.for_(figure.value, language)}"
    if low == high or not ranged:
        return value
    name = "range_of_pairs" if pairs and pairs > 1 else "range_of_pair" if pairs else "range"
    return phrase(name, language, value=value, low=low, high=high, pairs=number_words(pairs or 0, language))


def decimals_beside_target(figure: Figure) -> int:
    """How many decimals it takes to see that a figure is not its target: those of its indicator, or more."""
    row, value, target = figure.definition.row, figure.value, figure.target
    usual = row.decimals_shown
    if value is None or target is None:
        return usual
    scale = 100 if row.unit == "%" else 1
    enough = range(usual, MOST_DECIMALS + 1)
    return next((count for count in enough if cut(value * scale, count) != cut(target * scale, count)), usual)


def _fiscal_name(year: int) -> str:
    return f"{year}–{year + 1}"


def cut(number: Fraction, decimals: int) -> Decimal:
    """With so many decimals, halves rounded up."""
    scaled = floor(number * 10**decimals + Fraction(1, 2))
    return Decimal(scaled).scaleb(-decimals)
