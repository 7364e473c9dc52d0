"""Figures by aggregate, subject, period, place and breakdown, now and as of an event."""

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal
from itertools import permutations, product
from typing import Any

import pytest
from sqlalchemy import event as happening
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from forms.indicators.sheets import Band, Breakdown, Indicator, Keep, Target
from sync.errors import NotFound, Unexpected
from sync.indicators import moments
from sync.indicators.definitions import definitions_at
from sync.indicators.figures import figures, read_cells
from sync.indicators.moments import resolve_as_of
from sync.models.database import begin_writing
from sync.models.indicators import IndicatorVersion
from sync.models.projects import Event
from tests.support.figures import World, a_place, keep_all
from tests.support.figures import a_contribution as row

TRAINED = Indicator("people_trained", aggregate="distinct", subject="people", by=("sex", "topic"), unit="people")


@pytest.fixture
def world(session: Session) -> World:
    return World(session, fiscal_year_start=4)


def an_indicator(aggregate: str = "sum", **given: Any) -> Indicator:
    """Called `it`, of people if `subject` is not None, with a value unless it only counts."""
    value = None if aggregate in ("count", "distinct") else "${v}"
    return Indicator("it", **{"aggregate": aggregate, "subject": "people", "value": value, "by": ("sex",), **given})


# Aggregates


@pytest.mark.parametrize("kept", [0, 50_000])
def test_what_one_answer_has_fetched_gives_the_same_figures_in_any_order(
    world: World, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.indicators.reading._MOST_ROWS", kept)
    world.places(a_place("R", "region"), a_place("C1", "cercle", "R"), a_place("C2", "cercle", "R"))
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="awa", place="C1", by=("female", ("governance", "marketing"))))
    world.submit(row("people_trained", subject="oumou", place="C2", by=("female", "marketing")))
    world.submit(row("people_trained", subject="seydou", place="C1", by=("male", "governance")))
    asked: list[dict[str, Any]] = [
        {},
        {"by": ("sex",)},
        {"by": ("topic",), "place": "C1"},
        {"by": ("place:cercle",)},
        {"cells": {"sex": "female"}, "by": ("topic",)},
        {"place": "R"},
    ]

    alone = [world.figures("people_trained", **one) for one in asked]

    for order in permutations(range(len(asked)), 3):
        reading = world.reading()
        together = [figures(reading, ["people_trained"], sees_small_cells=True, **asked[n]) for n in order]
        assert [[one.to_json() for one in some] for some in together] == [
            [one.to_json() for one in alone[n]] for n in order
        ]


def test_a_person_counts_once_however_often_they_come(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="awa", by=("female", ("governance", "marketing"))))
    world.submit(row("people_trained", subject="awa", by=("female", "marketing")))
    world.submit(row("people_trained", subject="seydou", by=("male", "marketing")))

    [total, women, men] = world.figures("people_trained", by=("sex",))

    assert (total.value, women.value, men.value) == (2, 1, 1)
    assert (total.n, women.n, men.n) == (3, 2, 1)


def test_ids_that_hold_any_character_are_told_apart(world: World) -> None:
    world.publish(TRAINED)
    for subject in ("a", "a\x1fb", "b", "\x1f", "é\n", "a\x1fb"):
        world.submit(row("people_trained", subject=subject, by=("female", "governance")))
    world.submit(row("people_trained", subject="a", by=("male", "governance")))

    assert world.value("people_trained") == 5
    assert world.by("people_trained", "sex") == {"female": 5, "male": 1}


@pytest.mark.parametrize("length", [10, 74, 500])  # of 74, they are just not too wide for the index
def test_rows_of_any_width_are_counted(world: World, length: int) -> None:
    chance = random.Random(1)  # what repeats itself would be pressed together in an index
    long = ["".join(chr(chance.randrange(0x10000, 0x20000)) for _ in range(length)) for _ in range(8)]
    world.publish(TRAINED)
    world.publish(Indicator("visits", by=("sex", "topic")), form_id="other")
    world.submit(row("people_trained", subject=long[0][:125], place=long[1][:125], by=(long[2], tuple(long[3:]))))
    world.submit(row("people_trained", subject="b", by=(long[2], long[3])))
    gone = world.submit(row("visits", by=(long[2], tuple(long[3:]))))
    before = world.event
    world.reject(gone)

    assert world.value("people_trained") == 2
    assert world.by("people_trained", "topic") == {key: 2 if key == long[3] else 1 for key in long[3:]}
    assert (world.value("visits", as_of=before), world.value("visits")) == (1, 0)


@pytest.mark.parametrize("columns", [["subject", "place", "by1", "by2"], ["opened", "by1", "value"]])
def test_heads_and_sums_are_counted_without_going_to_the_rows(world: World, columns: list[str]) -> None:
    world.publish(TRAINED)
    reading, connection = world.reading(), world.session.connection()
    trained, spring = reading.definition("people_trained"), reading.period("2026-Q2")
    still_open, *_ = reading.rows.each(trained, columns, reading.rows.between(trained, spring.start, spring.end))
    asked = str(still_open.compile(connection, compile_kwargs={"literal_binds": True}))
    lite = connection.dialect.name == "sqlite"
    if not lite:  # next to nothing is read soonest from the table
        connection.execute(text("SET LOCAL enable_seqscan = off"))
        connection.execute(text("SET LOCAL enable_bitmapscan = off"))

    plan = str(connection.exec_driver_sql(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{asked}").all())

    assert ("COVERING INDEX ix_contributions_open" if lite else "Index Only Scan using ix_contributions_open") in plan


def test_what_has_come_to_a_figure_since_is_found_by_an_index_of_its_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_all(monkeypatch)
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="awa", by=("female", "governance")))
    world.value("people_trained", period="2026-Q2")
    world.value("people_trained", period="2026-Q2")
    world.submit(row("people_trained", subject="oumou", by=("female", "governance")))
    lite, asked = world.session.get_bind().engine.dialect.name == "sqlite", []

    def note(connection: Any, cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "opened > 0" in statement:
            asked.append((statement, values))

    happening.listen(world.session.get_bind(), "before_cursor_execute", note)
    assert world.value("people_trained", period="2026-Q2") == 2
    happening.remove(world.session.get_bind(), "before_cursor_execute", note)

    [(statement, values)] = asked
    connection = world.session.connection()
    if not lite:  # next to nothing is read soonest from the table
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    cursor = connection.connection.cursor()
    cursor.execute(f"EXPLAIN {'QUERY PLAN ' if lite else ''}{statement}", values)
    assert "ix_contributions_opened" in str(cursor.fetchall())


def test_topics_overlap_and_the_total_counts_each_person_once(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="awa", by=("female", ("governance", "marketing"))))
    world.submit(row("people_trained", subject="seydou", by=("male", "marketing")))
    world.submit(row("people_trained", subject="oumou", by=("female", None)))

    assert world.by("people_trained", "topic") == {"governance": 1, "marketing": 2, None: 1}
    assert world.value("people_trained") == 3
    assert world.by("people_trained", "sex", "topic") == {
        ("female", "governance"): 1,
        ("female", "marketing"): 1,
        ("female", None): 1,
        ("male", "marketing"): 1,
    }


@pytest.mark.parametrize(
    ("aggregate", "expected"), [("sum", 16.5), ("mean", 4.125), ("median", 2.25), ("min", -0.5), ("max", 12.5)]
)
def test_numbers_are_aggregated_over_rows_without_a_subject(world: World, aggregate: str, expected: float) -> None:
    world.publish(an_indicator(aggregate, subject=None))
    for value in ("12.5", "1.5", "3", "-0.5"):
        world.submit(row("it", value=value))

    assert world.value("it") == expected


@pytest.mark.parametrize(
    ("aggregate", "expected"),
    [("count", 0), ("distinct", 0), ("sum", 0), ("mean", None), ("median", None), ("min", None), ("max", None)],
)
def test_over_nothing_there_is_zero_of_what_is_counted_and_no_value_of_what_is_measured(
    world: World, aggregate: str, expected: int | None
) -> None:
    world.publish(an_indicator(aggregate))

    [figure] = world.figures("it", by=("sex",))

    assert (figure.to_json()["value"], figure.n) == (expected, 0)


def test_sums_are_exact_and_pass_what_64_bits_hold(world: World) -> None:
    world.publish(an_indicator(subject=None))
    world.submit(*(row("it", value="0.1", ordinal=number) for number in range(10)))
    world.submit(*(row("it", value="999999999999.999999", ordinal=number) for number in range(15)))

    [figure] = world.figures("it")

    assert figure.value == Decimal("1") + 15 * Decimal("999999999999.999999")


# One subject's several values


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("latest", 5), ("first", 2), ("sum", 10), ("mean", 3.333333), ("min", 2), ("max", 5), ("gain", 4), ("growth", 5)],
)
def test_several_values_of_a_subject_become_one(world: World, rule: str, expected: float) -> None:
    world.publish(an_indicator(per_subject=rule))
    world.submit(row("it", "2026-03-01", subject="a", value=1))
    world.submit(row("it", "2026-05-01", subject="a", value=5))
    world.submit(row("it", "2026-04-10", subject="a", value=3))
    world.submit(row("it", "2026-04-01", subject="a", value=2))

    assert world.value("it", period="FY2026") == expected


def test_the_value_recorded_later_wins_its_date_then_that_of_the_later_event(world: World) -> None:
    world.publish(an_indicator())
    noon = world.now
    world.submit(row("it", subject="a", value=3), recorded_at=noon.replace(hour=12))
    world.submit(row("it", subject="a", value=4), recorded_at=noon.replace(hour=11))
    world.submit(row("it", subject="b", value=10), recorded_at=noon)
    world.submit(row("it", subject="b", value=20), recorded_at=noon)

    assert world.value("it") == 3 + 20


def test_who_has_a_single_value_has_no_growth_and_the_figure_says_how_many(world: World) -> None:
    world.publish(an_indicator("distinct", value="${v}", per_subject="growth", keep=Keep(">=", Decimal(2))))
    for subject, values in {"doubled": (10, 20), "grew": (10, 19), "once": (50,), "from nothing": (0, 9)}.items():
        for month, value in enumerate(values, start=1):
            world.submit(row("it", f"2026-0{month}-01", subject=subject, value=value))

    [figure] = world.figures("it")

    assert (figure.value, figure.without, figure.n) == (1, 2, 7)


def test_a_baseline_may_lie_before_the_period_and_a_stated_one_goes_before_it(world: World) -> None:
    world.publish(an_indicator(per_subject="gain"))
    world.submit(
        row("it", "2024-01-01", subject="a", value=10), row("it", "2026-05-01", subject="a", value=25, ordinal=1)
    )

    assert world.value("it", period="2026") == 15

    world.publish(an_indicator(per_subject="gain", baseline="${before}"))
    world.submit(row("it", "2026-06-01", subject="a", value=30, baseline=29))

    assert world.value("it", period="2026") == 1


def test_the_latest_known_value_is_carried_forward_but_not_back(world: World) -> None:
    world.publish(an_indicator(per_subject="latest_known"))
    world.submit(row("it", "2025-06-01", subject="centre", value=9000))
    world.submit(row("it", "2026-06-01", subject="centre", value=11000))

    values = [world.value("it", period=period) for period in ("2024", "2025", "2026-Q1", "2026-Q2", "2027", "all")]

    assert values == [0, 9000, 9000, 11000, 11000, 11000]


def test_a_subject_with_a_value_stands_in_the_cell_of_its_latest_row_alone(world: World) -> None:
    world.publish(an_indicator("distinct", value="${v}", by=("level",)))
    world.submit(row("it", "2026-01-01", subject="a", value=1, by=("low",)))
    world.submit(row("it", "2026-07-01", subject="a", value=1, by=("high",)))

    assert world.by("it", "level") == {"high": 1}
    assert world.by("it", "level", period="2026-Q1") == {"low": 1}
    assert world.value("it", cells={"level": "low"}) == 0


# Time


def test_what_lies_on_a_single_day_before_the_period_is_cut_like_what_lies_on_several(world: World) -> None:
    world.publish(an_indicator(until="${end}", subject="mandate", per_subject="latest_known"))
    world.submit(row("it", "2026-01-10", subject="m", value=5))
    world.submit(row("it", "2026-01-10", until="2026-01-11", subject="n", value=4))

    assert [world.value("it", period=period) for period in ("2026-01", "2026-02")] == [9, 0]


def test_days_that_pass_the_end_of_a_year_are_counted_where_they_lie(world: World) -> None:
    world.publish(an_indicator(until="${end}", subject="mandate"))
    world.submit(row("it", "2026-03-30", until="2026-04-05", subject="m", value=7))

    assert [world.value("it", period=period) for period in ("FY2025", "FY2026", "2026-04-02/2026-04-03")] == [2, 5, 2]


def test_parts_of_a_value_add_up_to_it_whatever_the_periods(world: World) -> None:
    world.publish(an_indicator(until="${end}", subject=None))
    world.submit(row("it", "2026-01-15", until="2026-11-20", value="1000.000001"))

    months = [world.figures("it", period=f"2026-{month:02}")[0].value for month in range(1, 13)]

    assert sum(value or 0 for value in months) == Decimal("1000.000001")


def test_one_mandate_reported_twice_counts_once(world: World) -> None:
    world.publish(an_indicator(until="${end}", subject="mandate"))
    world.submit(row("it", "2026-02-01", until="2026-02-28", subject="m", value=28))
    world.submit(row("it", "2026-02-01", until="2026-02-14", subject="m", value=14))

    assert world.value("it") == 14


def test_a_fiscal_year_is_read_by_the_settings_of_the_time(world: World) -> None:
    world.publish(an_indicator("count", subject=None))
    world.settings(fiscal_year_start=4)
    world.submit(row("it", "2026-02-01"))
    then = world.event
    world.settings(fiscal_year_start=1)

    assert world.value("it", period="FY2025") == 0
    assert world.value("it", period="FY2025", as_of=then) == 1


def test_as_of_an_event_a_time_or_a_date_a_figure_is_what_it_was(world: World) -> None:
    world.publish(TRAINED)
    first = world.submit(row("people_trained", subject="awa", by=("female", None)))
    then, moment = world.event, world.now
    world.submit(row("people_trained", subject="seydou", by=("male", None)))
    world.reject(first)

    assert world.value("people_trained") == 1
    assert world.value("people_trained", as_of=then) == 1
    assert world.value("people_trained", as_of=then + 1) == 2
    assert world.value("people_trained", as_of=moment.isoformat()) == 1
    assert world.value("people_trained", as_of="2026-01-01") == 1
    assert world.by("people_trained", "sex", as_of=then) == {"female": 1}


def test_as_of_a_day_nothing_is_missing_because_a_clock_once_ran_ahead(world: World) -> None:
    world.publish(TRAINED)
    right = world.now
    world.now += dt.timedelta(hours=5)
    world.submit(row("people_trained", subject="awa"))
    world.now = right
    world.submit(row("people_trained", subject="seydou"))

    assert world.value("people_trained") == world.value("people_trained", as_of="2100-01-01") == 2


@pytest.mark.parametrize("text", ["99999", "-1", "yesterday", "2026-13-01", "2026-01-01T10:00:00", "9" * 40, "1e5"])
def test_what_is_no_moment_of_the_project_is_refused(world: World, text: str) -> None:
    with pytest.raises(Unexpected):
        resolve_as_of(world.session, 1, text, world.now)


def test_a_time_whose_plus_came_as_a_space_is_understood(world: World) -> None:
    world.publish(TRAINED)

    assert resolve_as_of(world.session, 1, "2026-01-01T09:00:00 00:00", world.now).event == 1
    assert resolve_as_of(world.session, 1, "2025-01-01T09:00:00Z", world.now).event == 0


def test_a_moment_is_the_last_event_up_to_it_by_number_however_the_clock_went(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "_PART", 3)
    monkeypatch.setattr(moments, "_MOST_MOMENTS", 2)
    days = (0, 1, 9, 2, 3, 3, 12, 4, 5, 1, 6, 7, 8, 30, 10, 11)
    for world.now in [world.now + dt.timedelta(days=day) for day in days]:
        world.settings()
        world.session.commit()
        journal = world.session.execute(select(Event.number, Event.at)).all()
        for moment in {event.at for event in journal}:
            last = max(event.number for event in journal if event.at <= moment)
            assert resolve_as_of(world.session, 1, moment.isoformat(), world.now).event == last


def test_an_unknown_project_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        resolve_as_of(world.session, 99, None, world.now)


def test_before_an_indicator_was_defined_there_was_none(world: World) -> None:
    world.settings()
    world.publish(TRAINED)

    with pytest.raises(Unexpected):
        world.figures("people_trained", as_of=1)


# Places


def test_a_place_includes_everything_below_under_any_of_its_names(world: World) -> None:
    world.publish(an_indicator("count", subject=None))
    world.places(
        a_place("ML", "country"),
        a_place("ML-2", "region", "ML"),
        a_place("ML-21", "cercle", "ML-2", aliases=["Kati", "Káti ville"]),
        a_place("ML-3", "region", "ML"),
    )
    for number, place in enumerate(["ML-21", "kati", "KATI  VILLE", "ML-2", "ml-3", "elsewhere", None]):
        world.submit(row("it", place=place, ordinal=number))

    asked = {place: world.value("it", place=place) for place in ("ML", "ML-2", "Kati", "ML-3")}

    assert asked == {"ML": 5, "ML-2": 4, "Kati": 3, "ML-3": 1}
    assert world.by("it", "place:region") == {"ML-2": 4, "ML-3": 1, None: 2}
    assert world.value("it", cells=read_cells("place:cercle:ML-21")) == 3


def test_a_place_that_moved_lies_where_it_lay_at_the_time(world: World) -> None:
    world.publish(TRAINED)
    country, north, south = a_place("ML", "country"), a_place("N", "region", "ML"), a_place("S", "region", "ML")
    world.places(country, north, south, a_place("V", "village", "N"))
    world.submit(row("people_trained", subject="awa", place="V", by=("female", None)))
    then = world.event
    world.places(country, north, south, a_place("V", "village", "S"))

    assert (world.value("people_trained", place="N"), world.value("people_trained", place="S")) == (0, 1)
    assert (world.value("people_trained", place="N", as_of=then), world.value("people_trained", place="ML")) == (1, 1)


def test_an_unknown_place_breakdown_or_level_is_refused_with_the_nearest(world: World) -> None:
    world.publish(TRAINED)
    world.places(a_place("ML-2", "region"))

    for asked, remedy in (
        ({"place": "ML-20"}, "‘ML-2’"),
        ({"by": ("sexe",)}, "‘sex’"),
        ({"by": ("place:regions",)}, "‘region’"),
    ):
        with pytest.raises(Unexpected) as refused:
            world.figures("people_trained", **asked)
        assert remedy in refused.value.findings[0].remedy


# People


def test_two_entities_of_one_person_count_once_from_the_merge_on(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="awa 1", by=("female", None)))
    world.submit(row("people_trained", subject="awa 2", by=("female", "marketing")))
    before = world.event
    world.merge("awa 2", person="awa 1")

    assert world.value("people_trained") == 1
    assert world.by("people_trained", "sex", "topic") == {("female", "marketing"): 1, ("female", None): 1}
    assert world.value("people_trained", as_of=before) == 2


def test_a_merge_in_another_list_changes_nothing(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="x"), row("people_trained", subject="y", ordinal=1))
    world.merge("x", person="y", list_name="organisations")

    assert world.value("people_trained") == 2


# Ratios, lists and targets


def test_a_ratio_is_a_fraction_in_each_cell_and_null_over_nothing(world: World) -> None:
    world.publish(
        Indicator("women", aggregate="distinct", subject="people", by=("sex",)),
        Indicator("all", aggregate="distinct", subject="people", by=("sex", "topic")),
        Indicator("share", aggregate="ratio", numerator="women", denominator="all", unit="%"),
    )
    assert world.value("share") is None
    world.submit(row("women", subject="a", by=("female",)), row("all", subject="a", by=("female", None)))
    world.submit(*(row("all", subject=name, by=("male", None), ordinal=at) for at, name in enumerate(["b", "c", "b"])))

    [total, women, men] = world.figures("share", by=("sex",))

    assert (total.to_json()["value"], women.to_json()["value"], men.to_json()["value"]) == (0.333333, 1, 0)
    assert (total.n, total.to_json()["unit"]) == (4, "%")
    with pytest.raises(Unexpected):
        world.figures("share", by=("topic",))


def test_a_list_has_dated_items_one_for_each_event_told_of(world: World) -> None:
    milestone = Indicator("it", aggregate="list", subject="event", value="${what}", by=("level",))
    world.publish(milestone)
    first = world.submit(row("it", "2026-05-01", subject="fair trade", text="Applied", by=("national",)))
    second = world.submit(row("it", "2026-06-01", subject="fair trade", text="Certified", by=("national",)))
    world.submit(row("it", "2026-02-01", subject="shop", text="A shop", place="ML-2"))

    shown = world.figures("it")[0].to_json()

    assert shown["items"] == [
        {"text": "A shop", "date": "2026-02-01", "place": "ML-2", "submission": str(second + 1), "by": {"level": None}},
        {
            "text": "Certified",
            "date": "2026-06-01",
            "place": None,
            "submission": str(second),
            "by": {"level": "national"},
        },
    ]
    assert (shown["value"], shown["n"]) == (None, 3)
    assert first != second


def test_a_target_belongs_to_its_own_period_place_and_cell_however_they_are_written(world: World) -> None:
    world.places(a_place("ML-2", "region", aliases=["Koulikoro"]))
    world.publish(
        TRAINED,
        targets=[
            Target("people_trained", "FY2026", None, {"sex": "female"}, Decimal("1.5"), Decimal(2640)),
            Target("people_trained", "2026", "Koulikoro", {}, None, Decimal(10)),
        ],
    )

    [women] = world.figures("people_trained", period="2026-04-01/2027-03-31", cells={"sex": "female"})
    [region] = world.figures("people_trained", period="2026", place="ML-2")
    [total] = world.figures("people_trained", period="FY2026")

    assert (women.to_json()["target"], women.to_json()["baseline"]) == (2640, 1.5)
    assert (region.to_json()["target"], total.target) == (10, None)


def test_cells_come_in_the_order_of_the_choices_and_bands_with_null_last(world: World) -> None:
    ages = Breakdown("ages", {}, "${age}", (Band("0-14", None, None), Band("15-35", None, None)))
    world.publish(an_indicator("count", subject=None, by=("ages", "sex")), breakdowns=[ages])
    for number, keys in enumerate([(None, "male"), ("15-35", "female"), ("0-14", None), ("15-35", "other")]):
        world.submit(row("it", by=keys, ordinal=number))

    assert list(world.by("it", "ages")) == ["0-14", "15-35", None]
    assert list(world.by("it", "sex")) == ["female", "male", "other", None]


def test_totals_can_be_left_out_and_cells_picked(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", subject="a", by=("female", "marketing")))
    world.submit(row("people_trained", subject="b", by=("male", "marketing")))

    cells = world.figures("people_trained", by=("sex",), totals=False)
    picked = world.figures("people_trained", by=("topic",), cells=read_cells("sex:female"))
    missing = world.figures("people_trained", cells=read_cells("sex:null"))

    assert [figure.by for figure in cells] == [{"sex": "female"}, {"sex": "male"}]
    assert [(dict(figure.by), figure.value) for figure in picked] == [
        ({"sex": "female"}, 1),
        ({"sex": "female", "topic": "marketing"}, 1),
    ]
    assert [(dict(figure.by), figure.value) for figure in missing] == [({"sex": None}, 0)]


@pytest.mark.parametrize("text", ["sex", "sex:female,sex:male", "a,b"])
def test_cells_that_are_written_wrongly_are_refused(text: str) -> None:
    with pytest.raises(Unexpected):
        read_cells(text)


# Definitions


def test_a_definition_that_was_taken_back_is_not_remembered(world: World) -> None:
    world.publish(an_indicator(labels={"English (en)": "Old"}))

    begin_writing(world.session)
    world.session.execute(update(IndicatorVersion).values(closed=world.event + 1))
    closed = definitions_at(world.session, 1, None)
    world.session.rollback()

    assert closed == {}
    assert definitions_at(world.session, 1, None)["it"].label("en") == "Old"


def test_two_workbooks_feed_one_indicator_and_one_may_stop(world: World) -> None:
    changed = world.publish(TRAINED, form_id="visit")
    again = world.publish(TRAINED, form_id="visit")
    other = world.publish(TRAINED, form_id="training")
    then = world.event
    stopped = world.publish(form_id="visit")
    parts = definitions_at(world.session, 1, None)["people_trained"].parts
    world.publish(form_id="training")

    assert (changed, again, other, stopped) == ({"people_trained"}, set(), {"people_trained"}, {"people_trained"})
    assert set(parts) == {"training"}
    assert definitions_at(world.session, 1, None) == {}
    assert set(definitions_at(world.session, 1, then)["people_trained"].parts) == {"visit", "training"}


def test_new_labels_make_a_new_version_but_nothing_to_count_anew(world: World) -> None:
    world.publish(an_indicator(labels={"English (en)": "Old"}))
    old = world.event

    assert world.publish(an_indicator(labels={"English (en)": "New", "Français (fr)": "Nouveau"})) == set()
    assert definitions_at(world.session, 1, old)["it"].label("en") == "Old"
    assert [definitions_at(world.session, 1, None)["it"].label(code) for code in ("en", "fr", "bm")] == [
        "New",
        "Nouveau",
        "New",
    ]
    assert world.publish(an_indicator(where="${sex} != ''")) == {"it"}


# Small cells


def people(world: World, minimum: int, **counts: int) -> None:
    """So many people of each sex, no more."""
    world.publish(
        Indicator("it", aggregate="distinct", subject="people", by=("sex", "topic"), minimum_cell=minimum),
        Indicator("women", aggregate="distinct", subject="people", by=("sex",)),
        Indicator("share", aggregate="ratio", numerator="it", denominator="women"),
    )
    keys = {"unknown": None}
    rows = [(keys.get(sex, sex), f"{sex} {number}") for sex, count in counts.items() for number in range(count)]
    world.submit(*(row("it", subject=name, by=(sex, None), ordinal=at) for at, (sex, name) in enumerate(rows)))
    world.submit(*(row("women", subject=name, by=(sex,), ordinal=at) for at, (sex, name) in enumerate(rows)))


def shown(world: World, *by: str, **asked: Any) -> dict[Any, Any]:
    found = world.figures("it", by=by, viewer=True, **asked)
    return {tuple(figure.by.values()): "hidden" if figure.hidden else figure.value for figure in found}


def test_a_small_cell_is_hidden_together_with_the_one_that_would_give_it_away(world: World) -> None:
    people(world, 5, female=40, male=3, unknown=12)

    assert shown(world, "sex") == {(): 55, ("female",): 40, ("male",): "hidden", (None,): "hidden"}
    [small] = [one for one in world.figures("it", by=("sex",), viewer=True) if one.by == {"sex": "male"}]
    assert small.to_json() | {"indicator": "it"} == {
        "indicator": "it",
        "period": "all",
        "place": None,
        "by": {"sex": "male"},
        "value": None,
        "low": None,
        "high": None,
        "n": None,
        "unit": None,
        "target": None,
        "baseline": None,
        "hidden": True,
    }


@pytest.mark.parametrize(
    "few",
    [
        an_indicator("distinct", value="${v}", keep=Keep(">", Decimal(5))),
        an_indicator("distinct", value="${v}", per_subject="gain"),
    ],
)
def test_a_nought_of_few_is_hidden_as_it_tells_how_few_they_are(world: World, few: Indicator) -> None:
    world.publish(replace(few, minimum_cell=5))
    for sex, count, values in (("female", 9, (1, 9)), ("male", 3, (1,)), (None, 6, (1,))):
        for number, (name, value) in enumerate(product(range(count), values)):
            day = f"2026-01-0{value}"
            world.submit(row("it", day, subject=f"{sex} {name}", value=value, by=(sex,), ordinal=number))

    assert shown(world, "sex") == {(): 9, ("female",): 9, ("male",): "hidden", (None,): "hidden"}
    assert world.by("it", "sex") == {"female": 9, "male": 0, None: 0}


def test_a_nought_of_few_is_no_cover_for_the_value_of_a_small_cell(world: World) -> None:
    world.publish(an_indicator("distinct", value="${v}", keep=Keep(">", Decimal(5)), minimum_cell=5))
    for sex, count, value in (("female", 9, 9), ("male", 3, 9), (None, 2, 1)):
        for number in range(count):
            world.submit(row("it", subject=f"{sex} {number}", value=value, by=(sex,)))

    assert shown(world, "sex") == {(): 12, ("female",): "hidden", ("male",): "hidden", (None,): "hidden"}


def test_small_cells_that_hide_each_other_need_no_third(world: World) -> None:
    people(world, 5, female=40, male=3, unknown=4)

    assert shown(world, "sex") == {(): 47, ("female",): 40, ("male",): "hidden", (None,): "hidden"}


def test_hidden_cells_whose_sum_is_small_take_another_with_them(world: World) -> None:
    people(world, 5, female=40, male=1, unknown=2)

    assert shown(world, "sex") == {(): 43, ("female",): "hidden", ("male",): "hidden", (None,): "hidden"}


def test_a_picked_cell_is_hidden_as_it_is_in_its_table_and_so_is_a_small_total(world: World) -> None:
    people(world, 5, female=40, male=3, unknown=12)

    assert shown(world, cells={"sex": None}) == {(None,): "hidden"}
    assert shown(world, cells={"sex": "female"}) == {("female",): 40}
    assert shown(world, period="2020") == {(): 0}
    world.publish(Indicator("it", aggregate="distinct", subject="people", by=("sex", "topic"), minimum_cell=56))
    assert shown(world) == {(): "hidden"}


def test_a_ratio_built_on_a_hidden_count_is_hidden(world: World) -> None:
    people(world, 5, female=40, male=3, unknown=12)

    found = world.figures("share", by=("sex",), viewer=True)

    assert [(figure.by.get("sex", "total"), figure.hidden) for figure in found] == [
        ("total", False),
        ("female", False),
        ("male", True),
        (None, True),
    ]


def test_who_may_see_small_cells_sees_all(world: World) -> None:
    people(world, 5, female=40, male=3, unknown=12)

    assert world.by("it", "sex") == {"female": 40, "male": 3, None: 12}


def test_a_cell_that_is_empty_is_hidden_too_where_it_would_give_another_away(world: World) -> None:
    world.publish(Indicator("it", minimum_cell=5, by=("sex", "level")))
    counts = {("female", "low"): 6, ("female", "high"): 1, ("male", "high"): 5}
    for (sex, level), count in counts.items():
        world.submit(*(row("it", by=(sex, level), ordinal=number) for number in range(count)))

    assert shown(world, "sex") == {(): 12, ("female",): 7, ("male",): 5}
    assert set(shown(world, "sex", "level", totals=False).values()) == {"hidden"}
    assert len(shown(world, "sex", "level", totals=False)) == 4


REGIONS = (
    a_place("south", "region"),
    a_place("north", "region"),
    a_place("near", "circle", "south"),
    a_place("far", "circle", "south"),
    a_place("wet", "circle", "north"),
)


def rows_at(world: World, minimum: int, aggregate: str = "count", **counts: int) -> None:
    world.places(*REGIONS)
    subject = "people" if aggregate == "distinct" else None
    world.publish(Indicator("it", aggregate=aggregate, subject=subject, by=("sex",), minimum_cell=minimum))
    for written, count in counts.items():
        place, _, sex = written.partition("_")
        names = [f"{written} {number}" if subject else None for number in range(count)]
        world.submit(
            *(row("it", place=place, subject=name, by=(sex or None,), ordinal=at) for at, name in enumerate(names))
        )


@pytest.mark.parametrize("aggregate", ["count", "distinct"])
def test_a_small_place_cannot_be_worked_out_from_the_places_beside_it(world: World, aggregate: str) -> None:
    rows_at(world, 5, aggregate, near=3, far=20, wet=30)

    assert shown(world) == {(): 53}
    assert shown(world, place="near") == {(): "hidden"}
    assert shown(world, place="far") == {(): "hidden"}
    assert (shown(world, place="south"), shown(world, place="north")) == ({(): 23}, {(): 30})
    assert shown(world, "place:circle") == {(): 53, ("far",): "hidden", ("near",): "hidden", ("wet",): 30}
    assert shown(world, cells={"place:circle": "far"}) == {("far",): "hidden"}


def test_few_who_count_at_a_place_by_rows_before_their_latest_cannot_be_worked_out_there(world: World) -> None:
    world.places(*REGIONS)
    world.publish(Indicator("it", aggregate="sum", subject="people", value="${v}", by=("sex",), minimum_cell=5))
    women, men = [f"woman {n}" for n in range(3)], [f"man {n}" for n in range(17)]
    those = [
        *((name, "female", "near", "2026-01-01") for name in women),
        *((name, "male", "near", "2026-01-01") for name in men),
    ]
    those += [(name, "female", "far", "2026-02-01") for name in women]
    those += [(f"other {n}", "female", "far", "2026-02-01") for n in range(20)]
    world.submit(
        *(
            row("it", date, place=place, subject=name, value=10, by=(sex,), ordinal=at)
            for at, (name, sex, place, date) in enumerate(those)
        )
    )

    assert shown(world, "sex", place="near") == {(): 200, ("female",): "hidden", ("male",): "hidden"}


def test_a_place_that_covers_a_small_one_is_covered_in_the_places_inside_it_too(world: World) -> None:
    rows_at(world, 5, wet=3, near=20, far=30)

    assert shown(world, "place:region") == {(): 53, ("north",): "hidden", ("south",): "hidden"}
    assert shown(world, "place:circle") == {(): 53, ("far",): 30, ("near",): "hidden", ("wet",): "hidden"}
    assert shown(world, place="near") == {(): "hidden"}


def test_a_breakdown_of_a_place_is_hidden_as_it_is_in_the_table_of_all_places(world: World) -> None:
    rows_at(world, 5, near_female=2, near_male=20, far_female=9, far_male=10, wet_female=11, wet_male=12)

    assert shown(world, "sex") == {(): 64, ("female",): 22, ("male",): 42}
    by_place = shown(world, "place:circle", "sex", totals=False)
    for place in ("near", "far", "wet"):
        assert shown(world, "sex", place=place, totals=False) == {
            (sex,): by_place[place, sex] for sex in ("female", "male")
        }
    assert [place for place in ("far", "near", "wet") if by_place[place, "female"] == "hidden"] == ["far", "near"]


def test_rows_outside_the_places_of_a_level_are_hidden_with_what_they_cover(world: World) -> None:
    rows_at(world, 5, near=3, south=8, wet=30)

    assert shown(world, "place:circle") == {(): 41, ("near",): "hidden", ("wet",): 30, (None,): "hidden"}
    assert shown(world, place="south") == {(): 11}


def test_the_order_in_which_breakdowns_are_asked_for_decides_nothing(world: World) -> None:
    world.publish(Indicator("it", minimum_cell=5, by=("sex", "level")))
    counts = {("female", "low"): 9, ("female", "high"): 2, ("male", "high"): 9, ("male", "low"): 9}
    for (sex, level), count in counts.items():
        world.submit(*(row("it", by=(sex, level), ordinal=number) for number in range(count)))

    one, other = shown(world, "sex", "level", totals=False), shown(world, "level", "sex", totals=False)
    assert one == {(sex, level): value for (level, sex), value in other.items()}


def test_whoever_has_moved_is_hidden_where_he_was_as_well(world: World) -> None:
    world.places(*REGIONS)
    world.publish(Indicator("it", aggregate="sum", subject="people", value="1", per_subject="latest", minimum_cell=5))
    rows = [row("it", "2026-01-01", place="near", subject=f"p{at}", value="1", ordinal=at) for at in range(3)]
    world.submit(*rows)
    world.submit(*(row("it", "2026-02-01", place="wet", subject=f"p{at}", value="1", ordinal=at) for at in range(9)))

    assert shown(world, place="near") == {(): "hidden"}
    assert shown(world, "place:circle") == {(): 9, ("wet",): 9}
