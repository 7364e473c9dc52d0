"""Numbers and days are written as the visitor's language writes them."""

import datetime as dt
from fractions import Fraction
from typing import Any

import pytest

from forms.indicators.sheets import Indicator
from server.language.words import Words
from sync.indicators.definitions import Definition
from sync.indicators.figures import Figure
from sync.indicators.periods import ALL


def a_figure(value: str, target: str, **row: Any) -> Figure:
    amount = Fraction(value)
    definition = Definition(1, 1, Indicator("it", **row), {})
    return Figure(definition, ALL, None, {}, amount, amount, amount, 1, target=Fraction(target))


def test_numbers_and_days_are_written_as_the_language_writes_them() -> None:
    assert Words("en").number(7879) == "7,879"
    assert Words("fr").number(7879).replace("\N{NARROW NO-BREAK SPACE}", " ") == "7 879"
    assert Words("fr").day("2026-03-31") == "31\xa0mars\xa02026"
    assert Words("en").number(None) == "—"


def test_a_moment_is_told_to_the_minute_where_no_order_hangs_on_it() -> None:
    moment = dt.datetime(2026, 2, 28, 23, 59, 58, tzinfo=dt.UTC)

    assert Words("en").moment(moment) == "28\xa0Feb\xa02026, 23:59"
    assert Words("fr").moment(moment.isoformat(), "Africa/Lagos") == "1er\xa0mars\xa02026, 00:59"
    assert Words("fr").moment(moment, exact=True) == "28\xa0févr.\xa02026, 23:59:58"
    assert Words("fr").moment(None) == ""


def test_what_is_said_in_bambara_is_written_as_mali_writes_it() -> None:
    assert Words("bm").number(7879) == Words("fr").number(7879)
    assert (Words("bm").locale, Words("bm").language) == ("bm", "fr")


def test_a_label_is_read_in_bambara_where_the_form_has_one() -> None:
    assert Words("bm").label({"fr": "Riz", "bm": "Malo"}) == "Malo"
    assert Words("bm").label({"fr": "Riz", "en": "Rice"}) == "Riz"


@pytest.mark.parametrize(
    ("value", "target", "row", "said"),
    [
        ("59/200", "0.3", {"unit": "%"}, ("29.5%", "30.0%")),
        ("0.2999", "0.3", {"unit": "%"}, ("29.99%", "30.00%")),
        ("0.3", "0.3", {"unit": "%"}, ("30%", "30%")),
        ("0.302", "0.3", {"unit": "%"}, ("30.2%", "30.0%")),
        ("0.28", "0.3", {"unit": "%"}, ("28%", "30%")),
        ("99.96", "100", {"aggregate": "sum"}, ("99.96", "100.00")),
    ],
)
def test_a_figure_is_never_rounded_to_a_target_that_it_is_not(
    value: str, target: str, row: dict[str, Any], said: tuple[str, str]
) -> None:
    figure = a_figure(value, target, **{"aggregate": "ratio"} | row)

    assert (Words("en").figure(figure), Words("en").target(figure)) == said


@pytest.mark.parametrize(
    ("value", "said"), [("50", "50%"), ("99.6", "99.6%"), ("99.999999", "99.999999%"), ("100", "100%")]
)
def test_what_falls_short_of_a_target_is_not_all_of_it(value: str, said: str) -> None:
    assert Words("en").reached(a_figure(value, "100", aggregate="sum")) == said


@pytest.mark.parametrize(
    ("away", "said"), [(0.004, "+0.4 points"), (-0.0004, "−0.04 points"), (0.02, "+2 points"), (0, "0 points")]
)
def test_shares_are_points_apart_and_never_none_where_they_differ(away: float, said: str) -> None:
    assert Words("en").points(away) == said


@pytest.mark.parametrize("language", ["en", "fr", "bm"])
@pytest.mark.parametrize("row", [{"aggregate": "sum"}, {"aggregate": "ratio", "unit": "%"}])
def test_figures_targets_and_changes_have_one_minus_sign(language: str, row: dict[str, Any]) -> None:
    words, figure = Words(language), a_figure("-3", "-4", **row)

    said = [
        words.figure(figure),
        words.target(figure),
        words.amount(figure.value, figure.definition),
        words.change(figure.value, figure.definition),
        words.number(-3),
        words.fixed(-3, 1),
        words.reached(a_figure("-3", "4", **row)),
    ]

    assert [one[0] for one in said] == ["\N{MINUS SIGN}"] * len(said)
    assert figure.to_json()["value"] == -3
