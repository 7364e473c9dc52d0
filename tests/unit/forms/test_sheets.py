"""Our own sheets once read: their JSON, what defines an indicator, what its cells are called."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.indicators.sheets import (
    AGGREGATES,
    OPERATORS,
    PER_SUBJECT,
    Band,
    Breakdown,
    Indicator,
    Keep,
    Matching,
    Sheets,
    Target,
    language_code,
    plain_reference,
)

TEXTS = st.text(max_size=12)
SOME_TEXTS = st.none() | st.text(min_size=1, max_size=12)
LABELS = st.dictionaries(TEXTS, st.text(min_size=1, max_size=12), max_size=2)
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**9), max_value=10**9)
NAMES = st.lists(st.text(min_size=1, max_size=8), max_size=3).map(tuple)
INDICATORS = st.builds(
    Indicator,
    name=st.text(min_size=1, max_size=12),
    labels=LABELS,
    descriptions=LABELS,
    unit=TEXTS,
    each=SOME_TEXTS,
    where=SOME_TEXTS,
    subject=SOME_TEXTS,
    value=SOME_TEXTS,
    per_subject=st.sampled_from(PER_SUBJECT),
    keep=st.none() | st.builds(Keep, st.sampled_from(OPERATORS), NUMBERS),
    aggregate=st.sampled_from(AGGREGATES),
    numerator=SOME_TEXTS,
    denominator=SOME_TEXTS,
    date=SOME_TEXTS,
    until=SOME_TEXTS,
    place=SOME_TEXTS,
    baseline=SOME_TEXTS,
    by=NAMES,
    minimum_cell=st.none() | st.integers(0, 99),
    decimals=st.none() | st.integers(0, 6),
    codes=NAMES,
)
BANDS = st.builds(Band, TEXTS, st.none() | NUMBERS, st.none() | NUMBERS)
SHEETS = st.builds(
    Sheets,
    form_id=TEXTS,
    indicators=st.lists(INDICATORS, max_size=2).map(tuple),
    breakdowns=st.lists(
        st.builds(Breakdown, TEXTS, LABELS, TEXTS, st.lists(BANDS, max_size=2).map(tuple)), max_size=2
    ).map(tuple),
    targets=st.lists(
        st.builds(Target, TEXTS, TEXTS, SOME_TEXTS, LABELS, st.none() | NUMBERS, st.none() | NUMBERS, TEXTS),
        max_size=2,
    ).map(tuple),
    matching=st.lists(st.builds(Matching, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    renames=LABELS,
    fields=LABELS,
)


@given(SHEETS)
def test_sheets_come_back_from_json_as_they_were(sheets: Sheets) -> None:
    stored = json.loads(json.dumps(sheets.to_json()))

    assert Sheets.from_json(stored) == sheets


def test_a_new_label_does_not_change_what_an_indicator_means() -> None:
    before = Indicator("trained", labels={"French (fr)": "Formés"}, aggregate="distinct", subject="people")
    after = Indicator(
        "trained", labels={"French (fr)": "Personnes"}, aggregate="distinct", subject="people", decimals=2
    )

    assert after.definition == before.definition


@pytest.mark.parametrize(
    "change", [{"where": "${a} > 1"}, {"unit": "t"}, {"by": ("sex",)}, {"keep": Keep(">", Decimal(0))}]
)
def test_another_filter_unit_or_breakdown_is_another_definition(change: dict[str, object]) -> None:
    before = Indicator("trained")

    assert Indicator("trained", **change).definition != before.definition  # type: ignore[arg-type]


def test_other_bands_are_another_definition_of_the_indicators_that_use_them() -> None:
    indicator = Indicator("trained", by=("age",))
    young = Sheets("f", (indicator,), (Breakdown("age", {}, "${age}", (Band("0-14", Decimal(0), Decimal(14)),)),))
    old = Sheets("f", (indicator,), (Breakdown("age", {}, "${age}", (Band("0-17", Decimal(0), Decimal(17)),)),))

    assert young.definition_of(indicator) != old.definition_of(indicator)


def test_two_workbooks_may_differ_in_where_value_subject_date_and_place_only() -> None:
    rice = Indicator(
        "tonnes", aggregate="sum", value="${sacks}", where="${a} > 1", date="${d}", place="${p}", subject="x"
    )
    shea = Indicator("tonnes", aggregate="sum", value="${kilos}")
    other = Indicator("tonnes", aggregate="mean", value="${kilos}")

    assert rice.common() == shea.common()
    assert other.common() != shea.common()


@pytest.mark.parametrize(
    ("operator", "passing"),
    [("<", {1}), ("<=", {1, 2}), ("=", {2}), ("!=", {1, 3}), (">=", {2, 3}), (">", {3})],
)
def test_keep_compares_as_it_reads(operator: str, passing: set[int]) -> None:
    keep = Keep(operator, Decimal(2))

    assert {number for number in (1, 2, 3) if keep.passes(Decimal(number))} == passing


@pytest.mark.parametrize(("age", "held"), [("0", True), ("14", True), ("14.99", True), ("15", False), ("-1", False)])
def test_a_band_of_ages_holds_until_the_next_birthday(age: str, held: bool) -> None:
    assert Band("0-14", Decimal(0), Decimal(14)).holds(Decimal(age)) is held


def test_an_open_band_has_no_end() -> None:
    assert Band("36-", Decimal(36), None).holds(Decimal(120))


@pytest.mark.parametrize(
    ("indicator", "decimals"),
    [
        (Indicator("a", aggregate="count"), 0),
        (Indicator("a", aggregate="ratio", unit="%"), 0),
        (Indicator("a", aggregate="sum"), 1),
        (Indicator("a", aggregate="sum", decimals=3), 3),
    ],
)
def test_decimals_shown_follow_the_kind_of_figure(indicator: Indicator, decimals: int) -> None:
    assert indicator.decimals_shown == decimals


def test_a_language_is_known_by_its_code() -> None:
    assert language_code("English (en)") == "en"
    assert language_code("Bamanankan") == "Bamanankan"


@pytest.mark.parametrize(
    ("text", "name"), [("${age}", "age"), (" ${ age } ", "age"), ("${age} + 1", None), ("age", None)]
)
def test_a_plain_reference_is_one_name_and_nothing_else(text: str, name: str | None) -> None:
    assert plain_reference(text) == name
