"""Why a figure changed: before, after, and what each kind of event did to it."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from sync.errors import Forbidden, Unexpected
from sync.indicators.changes import Changes, changes
from tests.support.figures import World, a_place
from tests.support.figures import a_contribution as row

TRAINED = Indicator("it", aggregate="distinct", subject="people", by=("sex",))


@pytest.fixture
def world(session: Session) -> World:
    return World(session, fiscal_year_start=4)


def told(world: World, since: int, name: str = "it", until: int | None = None, **asked: Any) -> Changes:
    return changes(world.reading(since), world.reading(until), name, sees_small_cells=True, **asked)


def effects(found: Changes) -> dict[str, tuple[int, Any]]:
    return {cause["cause"]: (cause["contributions"], cause["effect"]) for cause in found.to_json()["causes"]}


def test_each_kind_of_event_has_its_effect_and_they_add_up(world: World) -> None:
    world.publish(TRAINED)
    first = world.submit(row("it", subject="awa"), row("it", subject="seydou", ordinal=1))
    since = world.event
    second = world.submit(row("it", subject="oumou"), row("it", subject="oumou 2", ordinal=1))
    same = row("it", subject="oumou")
    world.submit(same, row("it", subject="kadia", ordinal=1), submission_id=second, recorded_at=world.now)
    world.reject(first)
    world.submit(row("it", subject="awa"), submission_id=first, kind="restored")
    world.merge("kadia", person="oumou")

    found = told(world, since)

    assert (found.before, found.after) == (2, 2)
    assert effects(found) == {
        "submitted": (2, 2),
        "edited": (1, 0),
        "rejected": (2, -2),
        "restored": (1, 1),
        "merged": (1, -1),
    }
    assert [event["cause"] for event in found.events] == ["submitted", "edited", "rejected", "restored", "merged"]


def test_each_visit_is_told_its_own_effect_where_a_figure_adds_up_or_counts_heads(world: World) -> None:
    world.publish(TRAINED, Indicator("days", aggregate="sum", value="${v}"))
    first = world.submit(row("it", subject="awa"), row("days", value=3))
    since = world.event
    world.submit(row("it", subject="awa"), row("it", subject="oumou", ordinal=1), row("days", value=2))
    second = world.event
    world.submit(row("it", subject="oumou"), row("days", value=10))
    third = world.event
    world.submit(row("it", subject="kadia"), row("days", value=1), submission_id=first)
    edited = world.event

    heads, days = told(world, since), told(world, since, "days")

    assert heads.effects == {second: 1, third: 0, edited: 1}
    assert days.effects == {second: 2, third: 10, edited: -2}
    assert [event["effect"] for event in days.to_json()["events"]] == [2, 10, -2]


def test_a_visit_that_goes_and_comes_back_is_told_each_time_and_the_effects_run_up_to_the_figure(
    world: World,
) -> None:
    world.publish(TRAINED, Indicator("days", aggregate="sum", value="${v}"))
    since = world.event
    visit = world.submit(row("it", subject="awa"), row("days", value=3), kind="restored")
    approved = world.event
    world.submit(submission_id=visit, kind="edited")
    edited = world.event
    other = world.submit(row("it", subject="awa"), row("days", value=1), kind="restored")
    world.submit(row("it", subject="awa"), row("days", value=5), submission_id=visit, kind="restored")
    again = world.event
    world.reject(other)

    for name in ("it", "days"):
        found, running = told(world, since, name), 0
        for event in found.events:
            running += found.effects[event["event"]]
            assert running == world.value(name, as_of=event["event"])

    assert [told(world, since).effects[one] for one in (approved, edited, again)] == [1, -1, 0]
    assert effects(told(world, since)) == {"edited": (1, -1), "rejected": (1, 0), "restored": (2, 2)}
    assert effects(told(world, since, "days")) == {"edited": (1, -3), "rejected": (1, -1), "restored": (2, 9)}


def test_of_records_that_are_found_to_be_one_person_the_effect_of_each_is_told_one_after_the_other(
    world: World,
) -> None:
    world.publish(TRAINED)
    world.submit(*(row("it", subject=name, ordinal=number) for number, name in enumerate(("awa", "oumou", "kadia"))))
    since = world.event
    first = world.merge("oumou", person="awa")
    second = world.merge("kadia", person="awa")
    third = world.merge("sira", person="awa")  # of whom no visit tells

    found = told(world, since)

    assert effects(found) == {"merged": (2, -2)}
    assert found.effects == {first: -1, second: -1}
    assert third not in found.effects


def test_a_visit_that_registers_somebody_who_was_there_already_takes_away_what_it_adds(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("it", subject="awa"))
    since = world.event
    world.submit(row("it", subject="oumou"), row("it", subject="kadia", ordinal=1))
    both = world.event
    alike = world.stand({"oumou": ("awa", "awa", "awa")}, kind="submitted")

    found = told(world, since)

    assert found.effects == {both: 2, alike: -1}
    assert effects(found)["submitted"][1] == 1


def test_a_mean_is_attributed_too(world: World) -> None:
    world.publish(Indicator("it", aggregate="mean", value="${v}"))
    first = world.submit(row("it", value=10))
    since = world.event
    world.submit(row("it", value=20))
    world.submit(row("it", value=40), submission_id=first)

    found = told(world, since)

    assert (found.before, found.after) == (10, 30)
    assert effects(found) == {"submitted": (1, 5), "edited": (1, 15)}


def test_a_new_definition_a_moved_place_and_another_fiscal_year_are_causes_of_their_own(world: World) -> None:
    world.places(a_place("N", "region"), a_place("S", "region"), a_place("V", "village", "N"))
    world.publish(Indicator("it", aggregate="sum", value="${v}", subject="people"))
    world.settings(fiscal_year_start=4)
    world.submit(row("it", "2026-02-01", subject="a", value=1, place="V"))
    world.submit(row("it", "2026-03-01", subject="a", value=10, place="V"))
    since = world.event

    world.publish(Indicator("it", aggregate="sum", value="${v}", subject="people", per_subject="sum"))
    redefined = world.event
    assert effects(told(world, since)) == {"definition": (0, 1)}

    world.places(a_place("N", "region"), a_place("S", "region"), a_place("V", "village", "S"))
    moved = world.event
    assert effects(told(world, redefined, place="N")) == {"definition": (0, -11)}
    assert effects(told(world, redefined)) == {}

    world.settings(fiscal_year_start=1)
    assert effects(told(world, moved, period="FY2025")) == {"definition": (0, -11)}


def test_only_what_lies_within_the_figure_counts(world: World) -> None:
    world.publish(TRAINED)
    since = world.event
    world.submit(row("it", "2026-05-01", subject="awa", by=("female",)))
    world.submit(row("it", "2025-05-01", subject="fanta", by=("female",)))
    world.submit(row("it", "2026-05-01", subject="seydou", by=("male",)))

    assert effects(told(world, since, period="2026", cells={"sex": "female"})) == {"submitted": (1, 1)}


def test_what_happened_to_other_cells_is_not_told(world: World) -> None:
    world.publish(TRAINED)
    since = world.event
    woman = world.submit(row("it", subject="awa", by=("female",)))
    man = world.submit(row("it", subject="seydou", by=("male",)))
    world.reject(man)

    found = told(world, since, cells={"sex": "female"})

    assert effects(found) == {"submitted": (1, 1)}
    assert [event["submission"] for event in found.events] == [str(woman)]


def test_a_subject_that_leaves_a_cell_is_told(world: World) -> None:
    world.publish(Indicator("it", aggregate="sum", value="${v}", subject="people", by=("sex",)))
    world.submit(row("it", "2026-05-01", subject="awa", value=5, by=("female",)))
    since = world.event
    world.submit(row("it", "2026-06-01", subject="awa", value=7, by=("male",)))

    found = told(world, since, cells={"sex": "female"})

    assert (found.before, found.after) == (5, 0)
    assert effects(found) == {"submitted": (0, -5)}
    assert len(found.events) == 1


def test_an_indicator_that_was_not_there_before_begins_at_nought_and_its_effects_add_up(world: World) -> None:
    since = world.settings()
    world.publish(Indicator("it", aggregate="sum", value="${v}", subject="people"))
    world.submit(row("it", "2026-02-01", subject="awa", value=1))
    world.submit(row("it", "2026-03-01", subject="awa", value=10))
    world.publish(Indicator("it", aggregate="sum", value="${v}", subject="people", per_subject="sum"))

    found = told(world, since)

    assert (found.before, found.after) == (None, 11)
    assert effects(found) == {"submitted": (2, 10), "definition": (0, 1)}


def test_a_mean_of_nothing_begins_at_nought_and_ends_there(world: World) -> None:
    world.publish(Indicator("it", aggregate="mean", value="${v}"))
    since = world.event
    first = world.submit(row("it", value=10))
    world.reject(first)

    assert effects(told(world, since, until=world.event - 1)) == {"submitted": (1, 10)}
    assert effects(told(world, world.event - 1)) == {"rejected": (1, -10)}
    assert effects(told(world, since)) == {"submitted": (1, 10), "rejected": (1, -10)}


def test_a_list_has_no_number_that_anything_could_change(world: World) -> None:
    world.publish(Indicator("it", aggregate="list", value="${v}"))
    since = world.event
    world.submit(row("it", text="Certified."))

    assert effects(told(world, since)) == {"submitted": (1, None)}


def test_the_events_come_in_pages(world: World) -> None:
    world.publish(TRAINED)
    since = world.event
    for number in range(5):
        world.submit(row("it", subject=f"person {number}"))

    first = told(world, since, limit=3)
    second = told(world, since, limit=3, cursor=first.cursor)

    assert [len(first.events), len(second.events), second.cursor] == [3, 2, None]
    assert first.events[0]["submission"] is not None


def test_changes_that_end_before_they_begin_are_refused(world: World) -> None:
    world.publish(TRAINED)
    world.submit(row("it", subject="awa"))

    with pytest.raises(Unexpected):
        told(world, world.event, until=1)
    with pytest.raises(Unexpected):
        told(world, 1, cursor="x")


def test_changes_of_small_cells_are_for_those_who_may_see_them(world: World) -> None:
    world.publish(Indicator("it", minimum_cell=5))

    with pytest.raises(Forbidden):
        changes(world.reading(1), world.reading(), "it", sees_small_cells=False)
