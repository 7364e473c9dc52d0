"""The same visit saved twice counts once; two visits on one day that say different things both count."""

import datetime as dt
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from sync.dedup.doubles import Former, settle_doubles
from sync.models import Submission
from tests.support.registry import NOW, Registry

SAME = b"a" * 16
OTHER = b"b" * 16
DAY = dt.date(2026, 11, 20)


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return Registry.make(engine)


def test_of_a_visit_saved_twice_the_earlier_one_counts(registry: Registry) -> None:
    save(registry, "late", hours=2)
    save(registry, "early", hours=0)

    assert counting(registry) == {"early": True, "late": False}
    assert registry.submissions()["late"].double_of == registry.ids["early"]
    assert codes(registry) == {"early": [], "late": ["double_save"]}


def test_of_two_saved_at_one_moment_the_instance_id_decides(registry: Registry) -> None:
    save(registry, "b", hours=0)
    save(registry, "a", hours=0)

    assert counting(registry) == {"a": True, "b": False}


def test_a_day_apart_is_a_double_and_a_moment_more_is_not(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "a day later", hours=24)
    save(registry, "more than a day later", hours=24.001)

    assert counting(registry) == {"first": True, "a day later": False, "more than a day later": True}


def test_a_day_is_counted_from_a_visit_that_counts(registry: Registry) -> None:
    for name, hours in (("0", 0), ("20", 20), ("30", 30), ("50", 50), ("60", 60)):
        save(registry, name, hours=hours)

    assert counting(registry) == {"0": True, "20": False, "30": True, "50": False, "60": True}


@pytest.mark.parametrize(
    ("first", "second", "double"),
    [
        ({"actor_id": 7}, {"actor_id": 7, "device": "b"}, True),
        ({"actor_id": 7, "device": "tablet"}, {"actor_id": 8, "device": "tablet"}, True),
        ({"actor_id": 7}, {"actor_id": 8}, False),
        ({"actor_id": 7, "device": ""}, {"actor_id": 8, "device": ""}, False),
        ({"form_id": "sale"}, {"form_id": "visit"}, False),
        ({"fingerprint": None}, {"fingerprint": None}, False),
        ({"fingerprint": SAME}, {"fingerprint": OTHER}, False),
    ],
)
def test_a_double_is_of_the_same_form_answers_and_device_or_collector(
    registry: Registry, first: dict[str, Any], second: dict[str, Any], double: bool
) -> None:
    save(registry, "first", hours=0, **first)
    save(registry, "second", hours=1, **second)

    assert counting(registry) == {"first": True, "second": not double}


def test_when_the_first_is_rejected_the_other_counts(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1)

    changed = put(registry, "first", review_state="rejected")

    assert changed == {registry.ids["first"], registry.ids["second"]}
    assert counting(registry) == {"first": False, "second": True}
    assert codes(registry) == {"first": [], "second": []}


def test_when_it_is_restored_the_first_counts_again(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1)
    put(registry, "first", review_state="rejected")

    put(registry, "first", review_state=None)

    assert counting(registry) == {"first": True, "second": False}


def test_a_deleted_submission_does_not_count_and_hides_nobody(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1)

    put(registry, "first", deleted_at=NOW)

    assert counting(registry) == {"first": False, "second": True}


def test_where_only_approved_ones_count_a_double_does_not_count_either(engine: Engine) -> None:
    registry = Registry.make(engine, counts="approved")
    save(registry, "first", hours=0, review_state="approved")
    save(registry, "second", hours=1, review_state="approved")
    save(registry, "unseen", hours=100)

    assert counting(registry) == {"first": True, "second": False, "unseen": False}


def test_an_edit_that_changes_the_answers_frees_those_that_were_its_doubles(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1)

    changed = put(registry, "first", former=[Former(SAME, None, None)], fingerprint=OTHER)

    assert changed == {registry.ids["second"]}
    assert counting(registry) == {"first": True, "second": True}


def test_any_order_of_arrival_ends_the_same(engine: Engine) -> None:
    visits = {"a": 0, "b": 10, "c": 30, "d": 53}

    ends = []
    for order in permutations(visits):
        registry = Registry.make(engine)
        for name in order:
            save(registry, name, hours=visits[name], subject="people/6a", day=DAY)
        ends.append((counting(registry), codes(registry)))

    assert ends == [({"a": True, "b": False, "c": True, "d": False}, ends[0][1])] * 24


def test_a_batch_is_settled_as_its_items_one_by_one(engine: Engine) -> None:
    registry = Registry.make(engine)
    visits = {"a": 0, "b": 10, "c": 30, "d": 53}
    for name, hours in visits.items():
        store(registry, name, hours=hours)

    registry.change(lambda journal: settle_doubles(journal, list(registry.ids.values()), journal.last_event))

    assert counting(registry) == {"a": True, "b": False, "c": True, "d": False}


def test_a_double_is_told_with_the_event_that_made_it_one(registry: Registry) -> None:
    save(registry, "late", hours=2)
    before = registry.submissions()["late"].event

    save(registry, "early", hours=0)

    assert registry.submissions()["late"].event > before


def test_what_has_not_changed_is_left_alone(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1)
    before = {name: row.event for name, row in registry.submissions().items()}

    changed = put(registry, "second")

    assert changed == set()
    assert {name: row.event for name, row in registry.submissions().items()} == before


def test_other_answers_on_one_subject_on_one_day_are_flagged_and_both_count(registry: Registry) -> None:
    save(registry, "late", hours=2, fingerprint=OTHER, subject="people/6a", day=DAY)
    save(registry, "early", hours=0, subject="people/6a", day=DAY)

    assert counting(registry) == {"early": True, "late": True}
    assert codes(registry) == {"early": [], "late": ["same_day"]}


def test_those_of_which_only_flags_change_are_told_apart_from_those_that_count_otherwise(registry: Registry) -> None:
    of_the_day: dict[str, Any] = {"subject": "people/6a", "day": DAY}
    first = store(registry, "first", hours=0, **of_the_day)
    other = store(registry, "other", hours=1, fingerprint=OTHER, **of_the_day)
    again = store(registry, "again", hours=2, **of_the_day)

    settled = registry.change(
        lambda journal: settle_doubles(journal, [first, other, again], journal.record("submitted", again))
    )

    assert settled == ({again: first}, {other})


@pytest.mark.parametrize(
    "differing",
    [{"subject": "people/6b"}, {"day": dt.date(2026, 11, 21)}, {"form_id": "visit"}, {"fingerprint": SAME}],
)
def test_same_day_means_one_form_subject_and_day_with_other_answers(
    registry: Registry, differing: dict[str, Any]
) -> None:
    usual = {"fingerprint": OTHER, "subject": "people/6a", "day": DAY, "actor_id": 8}
    save(registry, "first", hours=0, subject="people/6a", day=DAY)
    save(registry, "second", hours=1, **usual | differing)

    assert codes(registry) == {"first": [], "second": []}


def test_a_second_copy_does_not_speak_of_the_day_until_it_counts(registry: Registry) -> None:
    of_the_day: dict[str, Any] = {"subject": "people/6a", "day": DAY}
    save(registry, "first", hours=0, fingerprint=OTHER, **of_the_day)
    save(registry, "second", hours=1, **of_the_day)
    save(registry, "third", hours=2, **of_the_day)
    before = codes(registry)

    put(registry, "second", review_state="rejected")

    assert before == {"first": [], "second": ["same_day"], "third": ["double_save"]}
    assert codes(registry) == {"first": [], "second": [], "third": ["same_day"]}


def test_an_edit_that_moves_a_visit_to_another_day_leaves_no_flag_behind(registry: Registry) -> None:
    of_the_day: dict[str, Any] = {"subject": "people/6a", "day": DAY}
    save(registry, "first", hours=0, **of_the_day)
    save(registry, "second", hours=1, fingerprint=OTHER, **of_the_day)

    put(registry, "first", former=[Former(SAME, "people/6a", DAY)], day=dt.date(2026, 11, 19))

    assert codes(registry) == {"first": [], "second": []}


def test_flags_of_the_check_stay_beside_those_of_the_neighbours(registry: Registry) -> None:
    save(registry, "first", hours=0)
    save(registry, "second", hours=1, flags=[["constraint", "/data/age", "too old"]])
    before = codes(registry)

    put(registry, "first", review_state="rejected")

    assert before["second"] == ["constraint", "double_save"]
    assert codes(registry)["second"] == ["constraint"]


def store(registry: Registry, name: str, hours: float, **values: Any) -> int:
    return registry.store(
        name, **{"recorded_at": NOW + dt.timedelta(hours=hours), "fingerprint": SAME, "counts": True} | values
    )


def save(registry: Registry, name: str, hours: float, **values: Any) -> None:
    """A submission arrives and is settled."""
    id_ = store(registry, name, hours, **values)
    registry.change(lambda journal: settle_doubles(journal, [id_], journal.record("submitted", id_)))


def put(registry: Registry, name: str, former: list[Former] | None = None, **values: Any) -> set[int]:
    """A submission changes and is settled; gives the ids of those that count differently."""
    id_ = registry.ids[name]
    if values:
        with Session(registry.engine) as session:
            session.execute(update(Submission).where(Submission.id == id_).values(**values))
            session.commit()
    changed, _ = registry.change(
        lambda journal: settle_doubles(journal, [id_], journal.record("reviewed", id_), former or [])
    )
    return set(changed)


def counting(registry: Registry) -> dict[str, bool]:
    return {name: row.counts for name, row in registry.submissions().items()}


def codes(registry: Registry) -> dict[str, list[str]]:
    return {name: [flag[0] for flag in row.flags] for name, row in registry.submissions().items()}
