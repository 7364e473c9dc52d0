"""Evidence: the rows behind a figure, what of each counts, page by page, and who may see them."""

import base64
import json
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator, Keep
from sync.errors import Forbidden, Unexpected
from sync.indicators.evidence import Evidence, evidence, evidence_apart, how_many_apart
from tests.support.figures import World, a_place
from tests.support.figures import a_contribution as row

TRAINED = Indicator("people_trained", aggregate="distinct", subject="people", by=("sex", "topic"))


@pytest.fixture
def world(session: Session) -> World:
    return World(session)


def behind(world: World, name: str, **asked: Any) -> Evidence:
    return evidence(world.reading(), name, sees_small_cells=True, **asked)


def counted(found: Evidence) -> list[tuple[str, Any]]:
    return [(one["date"], one["counted"]) for one in found.rows]


def test_a_row_says_where_it_comes_from_and_what_it_gives(world: World) -> None:
    world.publish(TRAINED)
    world.places(a_place("ML-2", "region", aliases=["Koulikoro"]))
    keys = ("female", ("governance", "marketing"))
    number = world.submit(row("people_trained", subject="awa", place="koulikoro", by=keys))
    at = world.now

    [shown] = behind(world, "people_trained").rows

    assert shown == {
        "submission": str(number),
        "instance_id": f"uuid:{number}",
        "form": "visit",
        "subject": "awa",
        "person": "awa",
        "date": "2026-05-01",
        "place": "ML-2",
        "by": {"sex": "female", "topic": ["governance", "marketing"]},
        "value": None,
        "counted": 1,
        "opened": {"event": world.event, "cause": "submitted", "at": at.isoformat()},
    }


def test_of_a_person_who_came_twice_the_later_visit_counts_and_both_are_shown(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("people_trained", "2026-05-01", subject="awa", by=("female", "marketing")))
    world.submit(row("people_trained", "2026-06-01", subject="awa two", by=("female", "marketing")))
    world.merge("awa two", person="awa")

    found = behind(world, "people_trained", cells={"topic": "marketing"})

    assert counted(found) == [("2026-05-01", None), ("2026-06-01", 1)]
    assert [one.get("counted_by") for one in found.rows] == [found.rows[1]["submission"], None]
    assert {one["person"] for one in found.rows} == {"awa"}


def test_a_spread_value_shows_itself_whole_beside_the_part_that_counts(world: World) -> None:
    world.publish(Indicator("days", aggregate="sum", value="${d}", until="${end}"))
    world.submit(row("days", "2026-03-30", until="2026-04-05", value=14))

    [shown] = behind(world, "days", period="2026-Q2").rows

    assert (shown["value"], shown["counted"], shown["until"]) == (14, 10, "2026-04-05")


def test_a_gain_stands_at_the_latest_row_with_its_baseline(world: World) -> None:
    world.publish(Indicator("gain", aggregate="mean", subject="people", value="${v}", per_subject="gain"))
    world.submit(
        row("gain", "2026-01-01", subject="a", value=10), row("gain", "2026-02-01", subject="a", value=25, ordinal=1)
    )
    world.submit(row("gain", "2026-01-01", subject="single", value=99))

    found = behind(world, "gain")

    assert [(one["value"], one["counted"], one["baseline"]) for one in found.rows] == [
        (10, None, None),
        (99, None, None),
        (25, 15, 10),
    ]


def test_a_ratio_shows_the_rows_of_its_numerator_then_those_of_its_denominator(world: World) -> None:
    world.publish(
        Indicator("women"),
        Indicator("all"),
        Indicator("share", aggregate="ratio", numerator="women", denominator="all"),
    )
    world.submit(row("women", "2026-06-01"), row("all", "2026-01-01"), row("all", "2026-02-01", ordinal=1))

    found = behind(world, "share")

    assert [(one["part"], one["date"]) for one in found.rows] == [
        ("numerator", "2026-06-01"),
        ("denominator", "2026-01-01"),
        ("denominator", "2026-02-01"),
    ]


def test_pages_follow_each_other_without_gap_or_overlap(world: World) -> None:
    world.publish(Indicator("visits"))
    for number in range(7):
        world.submit(row("visits", f"2026-0{number % 3 + 1}-01"), row("visits", ordinal=1))

    pages, cursor = [], None
    while True:
        found = behind(world, "visits", limit=3, cursor=cursor)
        pages.append(len(found.rows))
        assert found.count == 14
        if (cursor := found.cursor) is None:
            break

    assert pages == [3, 3, 3, 3, 2]


def test_what_counts_stands_apart_from_what_does_not_and_the_newest_comes_first(world: World) -> None:
    world.publish(Indicator("gain", aggregate="mean", subject="people", value="${v}", per_subject="gain"))
    for month in range(1, 7):
        world.submit(
            *(row("gain", f"2026-0{month}-01", subject=f"p{number}", value=month, ordinal=number) for number in (1, 2))
        )
    reading = world.reading()
    counting, others = how_many_apart(reading, "gain", sees_small_cells=True)

    found = evidence_apart(reading, "gain", counts=True, count=counting, limit=2, sees_small_cells=True)
    first = evidence_apart(reading, "gain", counts=False, count=others, limit=9, sees_small_cells=True)
    second = evidence_apart(
        reading, "gain", counts=False, count=others, limit=9, cursor=first.cursor, sees_small_cells=True
    )

    assert (counted(found), found.cursor) == ([("2026-06-01", 5), ("2026-06-01", 5)], None)
    assert [len(page.rows) for page in (first, second)] == [9, 1]
    assert [one["date"] for one in (first.rows[0], second.rows[0])] == ["2026-05-01", "2026-01-01"]
    assert second.cursor is None


def test_a_page_looks_at_so_many_rows_and_the_next_one_looks_further(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.indicators.evidence._MOST_LOOKED_AT", 4)
    world.publish(Indicator("first", aggregate="sum", subject="people", value="${v}", per_subject="first"))
    for month in range(1, 7):
        world.submit(row("first", f"2026-0{month}-01", subject="awa", value=month))

    pages, cursor = [], None
    while True:
        page = evidence_apart(world.reading(), "first", counts=True, count=1, cursor=cursor, sees_small_cells=True)
        pages.append(counted(page))
        if (cursor := page.cursor) is None:
            break

    assert pages == [[("2026-01-01", 1)]]


def test_pages_of_what_counts_end_with_the_last_of_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.indicators.evidence._MOST_LOOKED_AT", 4)
    world.publish(Indicator("last", aggregate="sum", subject="people", value="${v}", per_subject="latest"))
    for month in range(1, 7):
        for name in ("awa", "bintou", "coumba"):
            world.submit(row("last", f"2026-0{month}-01", subject=name, value=month))

    pages, cursor = [], None
    while True:
        page = evidence_apart(
            world.reading(), "last", counts=True, count=3, limit=2, cursor=cursor, sees_small_cells=True
        )
        pages.append(len(page.rows))
        if (cursor := page.cursor) is None:
            break

    assert pages == [2, 1]


def test_what_is_rare_is_looked_for_page_by_page(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.indicators.evidence._MOST_LOOKED_AT", 4)
    world.publish(Indicator("kept", aggregate="sum", value="${v}", keep=Keep("=", Decimal(1))))
    for month in range(1, 7):
        world.submit(row("kept", f"2026-0{month}-01", value=month))

    pages, cursor = [], None
    while True:
        page = evidence_apart(world.reading(), "kept", counts=True, count=1, cursor=cursor, sees_small_cells=True)
        pages.append(counted(page))
        if (cursor := page.cursor) is None:
            break

    assert pages == [[], [("2026-01-01", 1)]]


def test_what_is_seldom_is_found_among_many(world: World) -> None:
    world.publish(TRAINED, Indicator("gain", aggregate="mean", subject="people", value="${v}", per_subject="gain"))
    world.places(a_place("ML-1", "region"), a_place("ML-2", "region"))
    for number in range(1, 29):
        seldom = number in (9, 28)
        place, sex = ("ML-2", "male") if seldom else ("ML-1", "female")
        world.submit(
            row("people_trained", f"2026-05-{number:02}", subject=f"p{number}", place=place, by=(sex, None)),
            row("gain", f"2026-05-{number:02}", subject=f"p{number % 14}", place="ML-2", value=number),
        )

    first = behind(world, "people_trained", place="ML-2", cells={"sex": "male"}, limit=1)
    second = behind(world, "people_trained", place="ML-2", cells={"sex": "male"}, limit=1, cursor=first.cursor)
    gains = behind(world, "gain", period="2026-05-20/2026-05-21", limit=1)

    assert [(one.count, one.rows[0]["date"]) for one in (first, second)] == [(2, "2026-05-09"), (2, "2026-05-28")]
    assert second.cursor is None
    assert (gains.count, gains.rows[0]["baseline"], gains.rows[0]["counted"]) == (2, 6, 14)


def test_whoever_writes_a_place_or_a_cell_in_another_way_is_found_as_well(world: World) -> None:
    world.publish(TRAINED)
    world.places(
        a_place("ML-1", "region"), a_place("ML-2", "region", aliases=["Koulikoro"]), a_place("K", "cercle", "ML-2")
    )
    for day, place, topics in (
        ("2026-05-01", "KOULIKORO", ("marketing", "governance")),
        ("2026-05-02", "K", "marketing"),
        ("2026-05-03", "K", "marketing_2"),
        ("2026-05-04", "ML-1", "marketing"),
        ("2026-05-05", "Nowhere", "marketing"),
        ("2026-05-06", "K", None),
    ):
        world.submit(row("people_trained", day, subject=day, place=place, by=("female", topics)))

    def days(**asked: Any) -> list[str]:
        return [one["date"] for one in behind(world, "people_trained", **asked).rows]

    assert days(place="ML-2", cells={"topic": "marketing"}) == ["2026-05-01", "2026-05-02"]
    assert days(cells={"place:region": "ML-2", "topic": "marketing"}) == ["2026-05-01", "2026-05-02"]
    assert days(cells={"place:region": None}) == ["2026-05-05"]
    assert days(place="K", cells={"topic": None}) == ["2026-05-06"]


def test_evidence_of_the_past_is_as_it_was(world: World) -> None:
    world.publish(TRAINED)
    first = world.submit(row("people_trained", "2026-05-02", subject="awa"))
    world.submit(row("people_trained", "2026-05-01", subject="fanta"))
    before = world.event
    world.submit(row("people_trained", "2026-05-03", subject="awa"), submission_id=first)

    then = evidence(world.reading(before), "people_trained", sees_small_cells=True)
    now = behind(world, "people_trained")

    assert [one["date"] for one in then.rows] == ["2026-05-01", "2026-05-02"]
    assert [one["date"] for one in now.rows] == ["2026-05-01", "2026-05-03"]
    assert then.count == now.count == 2


def written(*position: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "x", "AAAA", "bnVsbA", "W10", "WzEsMiwzLDQsNV0", "é"),
        written(0, "2026-01-01", 2**70, 1, 1, 1),
        written(0, "2026-01-01", 1, 1, 1, 2**63),
        written(0, "2026-01-01", 1e300, 1, 1, 1),
        written(0, "2026-01-01", float("inf"), 1, 1, 1),
    ],
)
def test_what_is_no_cursor_is_refused(world: World, cursor: str) -> None:
    world.publish(Indicator("visits"))

    with pytest.raises(Unexpected):
        behind(world, "visits", cursor=cursor)


def test_evidence_is_as_of_the_event(world: World) -> None:
    world.publish(Indicator("visits"))
    number = world.submit(row("visits", "2026-01-01"))
    then = world.event
    world.submit(row("visits", "2026-02-01"), submission_id=number)

    before = evidence(world.reading(then), "visits", sees_small_cells=True)

    assert [one["date"] for one in before.rows] == ["2026-01-01"]
    assert [(one["date"], one["opened"]["cause"]) for one in behind(world, "visits").rows] == [("2026-02-01", "edited")]


def test_single_rows_of_an_indicator_with_small_cells_are_for_those_who_may_see_them(world: World) -> None:
    world.publish(
        Indicator("ill", minimum_cell=5),
        Indicator("all"),
        Indicator("share", aggregate="ratio", numerator="ill", denominator="all"),
    )

    for name in ("ill", "share"):
        with pytest.raises(Forbidden):
            evidence(world.reading(), name, sees_small_cells=False)
    assert evidence(world.reading(), "all", sees_small_cells=False).count == 0
