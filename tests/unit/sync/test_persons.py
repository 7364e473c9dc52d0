"""Persons follow matches and decisions: which entities are one, and since which event."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Engine, select

from forms.xforms.entities import EntityAction
from sync.dedup.persons import settle, settle_all
from sync.entities.writing import delete_entities, restore_entities
from sync.journal import Journal
from sync.models import Event, Match, Membership
from sync.review.matches import decide, decide_pair
from tests.support.matching import (
    GROUPS,
    a_people_registry,
    a_person,
    all_in,
    an_id,
    differences_in,
    matches_in,
    members_in,
)
from tests.support.registry import Registry, a_creation, an_update

FIRST = an_id(1)
ONE = (FIRST, FIRST, FIRST)


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return a_people_registry(engine)


def a_stranger(number: int) -> EntityAction:
    """Somebody who looks like nobody here."""
    return a_person(number, "Moussa", "Keita", village="Kati", commune="Kati", born="1951")


def decided(registry: Registry, one: int, other: int, decision: str) -> None:
    """A coordinator who has just looked says it, whether the machine proposed the pair or not."""

    def act(journal: Journal) -> None:
        a, b = sorted((an_id(one), an_id(other)))
        match = journal.session.scalar(select(Match).where(Match.a == a, Match.b == b))
        if match is None:
            decide_pair(journal, "people", a, b, decision)
        else:
            decide(journal, match.id, decision, match.event)

    registry.change(act)


def apart(registry: Registry) -> int:
    """How many people there are in the value, of those that are one in some way."""
    return len({person for person, _, _ in members_in(registry).values()})


def test_who_is_nearly_sure_is_one_in_the_value_and_in_both_bounds(registry: Registry) -> None:
    registry.arrive(("one", a_person(1, phone="70112233")), ("two", a_person(2, phone="70112233")))

    assert members_in(registry) == {an_id(2): ONE}


def test_who_may_be_one_is_one_in_the_low_bound_alone(registry: Registry) -> None:
    registry.arrive(("one", a_person(1, sex="female")), ("two", a_person(2, sex="female", born="1975")))

    [(_, probability, *_)] = matches_in(registry).values()
    assert 0.05 <= probability < 0.5
    assert members_in(registry) == {an_id(2): (an_id(2), FIRST, an_id(2))}


def test_a_decision_merges_and_taken_back_it_leaves_no_trace(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2, born="1975")), ("three", a_stranger(3)))
    before = all_in(registry)

    decided(registry, 1, 2, "same")
    assert members_in(registry)[an_id(2)] == ONE
    decided(registry, 1, 2, "different")
    assert members_in(registry) == {}
    decided(registry, 1, 2, "open")

    assert all_in(registry) == before


def test_two_who_were_no_match_can_be_one_by_decision(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_stranger(2)))
    before = all_in(registry)

    decided(registry, 1, 2, "same")
    assert members_in(registry) == {an_id(2): ONE}
    decided(registry, 1, 2, "open")

    assert all_in(registry) == before


def test_a_decision_outlives_what_becomes_of_the_match(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    decided(registry, 1, 2, "same")

    registry.arrive(("visit", an_update(an_id(2), first_name="Fanta", last_name="Keita", village="X", commune="X")))

    assert list(matches_in(registry).values()) == [(None, None, [], 0, "same")]
    assert members_in(registry) == {an_id(2): ONE}
    assert differences_in(registry) == []


def test_who_is_gone_is_nobody_whatever_was_decided_and_is_somebody_again(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)), ("three", a_stranger(3)))
    decided(registry, 1, 2, "same")
    decided(registry, 2, 3, "same")
    before = all_in(registry)

    registry.change(lambda journal: delete_entities(journal, "people", [an_id(2)]))
    gone = members_in(registry)
    registry.change(lambda journal: restore_entities(journal, "people", [an_id(2)]))

    assert gone == {}
    assert all_in(registry) == before
    assert differences_in(registry) == []


def test_whom_people_hold_apart_is_two_whatever_hangs_together(registry: Registry) -> None:
    for number in (1, 2, 3):
        registry.arrive((f"{number}", a_person(number, phone="70112233")))
    assert apart(registry) == 1

    decided(registry, 1, 2, "different")

    standing = {FIRST: ONE} | members_in(registry)
    for bound in range(3):
        assert standing.get(an_id(1), ONE)[bound] != standing.get(an_id(2), (an_id(2),) * 3)[bound]
    assert differences_in(registry) == []


def test_a_membership_says_since_when_and_until_when(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)))
    registry.arrive(("two", a_person(2)))
    decided(registry, 1, 2, "different")

    [row] = registry.rows(Membership)

    assert row.entity_id == an_id(2)
    assert row.opened < row.closed


def test_who_is_one_since_a_batch_is_so_by_the_visit_that_brought_a_record_of_hers(registry: Registry) -> None:
    registry.arrive(("old", a_person(2)))
    registry.arrive(
        ("other", a_stranger(8)),
        ("new", a_person(1)),
        ("again", a_stranger(9)),
        ("visit", an_update(an_id(2), note="x")),
    )

    assert {row.entity_id: brought(registry, row.opened) for row in registry.rows(Membership)} == {
        an_id(2): "new",
        an_id(9): "again",
    }


def test_who_is_two_since_a_batch_is_so_by_the_visit_that_corrected_a_record_of_hers(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    registry.arrive(("one", a_person(1, "Fanta", "Keita", born="1950")), ("other", a_stranger(8)))

    [row] = registry.rows(Membership)

    assert brought(registry, row.closed) == "one"


def test_who_may_be_one_since_a_batch_may_be_so_by_the_visit_that_brought_or_corrected_the_other(
    registry: Registry,
) -> None:
    registry.arrive(("old", a_person(2, sex="female")))
    registry.arrive(("new", a_person(1, sex="female", born="1975")), ("other", a_stranger(8)))
    registry.arrive(("new", a_person(1, "Fanta", "Keita", born="1950")), ("another", a_stranger(9)))

    [row] = [row for row in registry.rows(Membership) if row.entity_id == an_id(2)]

    assert (row.person_id, row.fewest_id) == (an_id(2), FIRST)
    assert [brought(registry, event) for event in (row.opened, row.closed)] == ["new", "new"]


def brought(registry: Registry, event: int) -> str:
    """Which submission the event was about."""
    [submission_id] = [row.submission_id for row in registry.rows(Event) if row.number == event]
    return {id_: name for name, id_ in registry.ids.items()}[submission_id]


def test_what_one_event_opens_and_closes_was_never_there(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    before = [(row.entity_id, row.opened, row.closed) for row in registry.rows(Membership)]

    def there_and_back(journal: Journal) -> None:
        event = journal.record("merged")
        match = journal.session.scalars(select(Match)).one()
        for state in ("different", "open"):
            match.state = state
            journal.session.flush()
            assert settle(journal, "people", [match.a, match.b], event)

    registry.change(there_and_back)

    assert [(row.entity_id, row.opened, row.closed) for row in registry.rows(Membership)] == before


def test_settling_again_changes_nothing(registry: Registry) -> None:
    for number in range(1, 5):
        registry.arrive((f"{number}", a_person(number)))
    decided(registry, 1, 2, "different")
    before = all_in(registry)

    several: list[Callable[[Journal], bool]] = [
        lambda journal: settle(journal, "people", [an_id(3)], journal.record("merged")),
        lambda journal: settle_all(journal, "people", journal.record("merged")),
    ]
    for again in several:
        assert registry.change(again) is False

    assert all_in(registry) == before


def test_organisations_are_merged_by_people_alone(engine: Engine) -> None:
    registry = a_people_registry(engine, GROUPS)
    data = {"group_name": "Coopérative Jigiya", "village": "Siby", "number": "123456"}
    registry.arrive(("one", a_creation(an_id(1), **data)), ("two", a_creation(an_id(2), **data)))
    [(_, probability, *_)] = matches_in(registry).values()
    assert probability > 0.99

    assert members_in(registry) == {an_id(2): (an_id(2), FIRST, an_id(2))}
    decided(registry, 1, 2, "same")

    assert members_in(registry) == {an_id(2): ONE}
    assert differences_in(registry) == []
