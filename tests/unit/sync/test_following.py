"""Who may be whom follows every change of an entity, in the transaction of the change."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sync.dedup import yardsticks
from sync.dedup.scoring import bulk
from sync.entities.registers import add_property, make_list
from sync.entities.steps import Arrived, apply_actions
from sync.entities.writing import NewEntity, create_entities, delete_entities, restore_entities, update_entity
from sync.journal import CLOSED, Closed, Journal
from sync.models import EntityList
from tests.support.matching import (
    PEOPLE,
    a_people_registry,
    a_person,
    all_in,
    an_id,
    differences_in,
    keys_in,
    matches_in,
    members_in,
    with_roles,
)
from tests.support.registry import Registry, a_creation, an_update


@pytest.fixture
def registry(engine: Engine) -> Registry:
    return a_people_registry(engine)


@pytest.fixture
def at_most_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that three have finds nobody."""
    monkeypatch.setattr(yardsticks, "CAP", 2)
    monkeypatch.setattr(bulk, "CAP", 2)


def pairs_in(registry: Registry) -> set[tuple[int, int]]:
    """The matches, by the numbers of their people."""
    numbers = {an_id(number): number for number in range(100)}
    return {(numbers[a], numbers[b]) for a, b in matches_in(registry)}


def fields_of(registry: Registry) -> set[str]:
    """What was compared in the only match."""
    [(_, _, parts, *_)] = matches_in(registry).values()
    return {part[0] for part in parts}


def test_who_is_registered_twice_is_found_with_the_reasons(registry: Registry) -> None:
    registry.arrive(("one", a_person(1, "Djénéba", "Coulibaly", phone="70112233")))

    registry.arrive(("two", a_person(2, "Dieneba", "KOULIBALY", phone="+223 70 11 22 33")))

    [(weight, probability, parts, model, state)] = matches_in(registry).values()
    assert (model, state) == (0, "open")
    assert probability > 0.9
    assert sum(part[4] for part in parts) == pytest.approx(weight)
    assert ["first_name", "Djénéba", "Dieneba", "same"] in [part[:4] for part in parts]
    assert set(members_in(registry).values()) == {(an_id(1),) * 3}


def test_two_people_of_one_batch_are_compared_too(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))

    assert pairs_in(registry) == {(1, 2)}


def test_people_who_have_nothing_in_common_are_no_match(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2, "Moussa", "Keita", village="Kati", commune="Kati")))

    assert matches_in(registry) == {}
    assert {entity_id for entity_id, _ in keys_in(registry)} == {an_id(1), an_id(2)}


def test_a_list_without_roles_is_not_compared(engine: Engine) -> None:
    registry = Registry.make(engine)

    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    registry.change(lambda journal: delete_entities(journal, "people", [an_id(1)]))

    assert all_in(registry) == [set(), {}, {}]


def test_a_change_reopens_the_matches_of_whom_it_is_about(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)), ("three", a_person(3, "Fanta", "Keita")))

    registry.arrive(("visit", an_update(an_id(1), first_name="Fanta", last_name="Keita")))

    assert pairs_in(registry) == {(1, 3)}
    assert differences_in(registry) == []


def test_a_change_of_what_plays_no_role_changes_no_match(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    before = all_in(registry)

    registry.arrive(("visit", an_update(an_id(1), crop="millet")))

    assert all_in(registry) == before


def test_a_change_by_hand_is_followed(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)))
    registry.change(lambda journal: [add_property(journal, "people", name) for name in PEOPLE])
    data = {"first_name": "Awa", "last_name": "Diarra", "village": "Siby", "commune": "Siby"}
    registry.change(lambda journal: create_entities(journal, "people", [NewEntity("Awa", data, an_id(2))]))
    assert pairs_in(registry) == {(1, 2)}

    def change(journal):  # type: ignore[no-untyped-def]
        update_entity(journal, "people", an_id(2), data={"first_name": "Moussa", "last_name": "Keita"}, base_version=1)

    registry.change(change)

    assert pairs_in(registry) == set()


def test_who_is_withdrawn_or_deleted_takes_no_part(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    before = all_in(registry)

    registry.withdraw("one")
    assert (pairs_in(registry), members_in(registry)) == (set(), {})
    registry.restore("one", a_person(1))
    assert all_in(registry) == before

    registry.change(lambda journal: delete_entities(journal, "people", [an_id(2)]))
    assert (pairs_in(registry), members_in(registry)) == (set(), {})
    registry.arrive(("visit", an_update(an_id(2), phone="70112233")))
    assert (pairs_in(registry), members_in(registry)) == (set(), {})
    registry.change(lambda journal: restore_entities(journal, "people", [an_id(2)]))
    assert pairs_in(registry) == {(1, 2)}
    assert differences_in(registry) == []


def test_a_key_that_too_many_come_to_have_loses_its_pairs(registry: Registry, at_most_two: None) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    assert pairs_in(registry) == {(1, 2)}

    registry.arrive(("three", a_person(3)))

    assert pairs_in(registry) == set()
    assert members_in(registry) == {}
    assert differences_in(registry) == []


def test_pairs_that_share_another_key_stay(registry: Registry, at_most_two: None) -> None:
    registry.arrive(("one", a_person(1, phone="70112233")), ("two", a_person(2, phone="70112233")))

    registry.arrive(("three", a_person(3)))

    assert pairs_in(registry) == {(1, 2)}
    assert differences_in(registry) == []


def test_a_key_that_few_enough_have_again_gets_its_pairs_back(registry: Registry, at_most_two: None) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)), ("three", a_person(3)))
    assert pairs_in(registry) == set()

    registry.withdraw("three")

    assert pairs_in(registry) == {(1, 2)}
    assert differences_in(registry) == []


def test_keys_that_find_nobody_any_more_are_told_to_whoever_commits(registry: Registry, at_most_two: None) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))
    told: list[Closed] = []

    def arrive(number: int, *, taken_back: bool = False) -> None:
        def act(journal: Journal) -> Session:
            mark = journal.mark()
            with journal.session.begin_nested() as savepoint:
                event = journal.record("submitted", journal.new_id())
                apply_actions(journal, [Arrived(number, event, [a_person(number)])])
                if taken_back:
                    savepoint.rollback()
                    journal.return_to(mark)
            return journal.session

        told.append(registry.change(act).info[CLOSED])

    arrive(3, taken_back=True)
    arrive(3)
    arrive(4)

    everybody_has = len({key for _, key in keys_in(registry)})
    assert [(one.project_id, one.outgrown) for one in told] == [
        (registry.project_id, {}),
        (registry.project_id, {"people": everybody_has}),
        (registry.project_id, {}),
    ]


def test_other_roles_compare_the_whole_list_anew(registry: Registry) -> None:
    registry.arrive(("one", a_person(1, "Awa", "Diarra", tel="70112233")))
    registry.arrive(("two", a_person(2, "Awa", "Diarra", tel="70112233")))
    assert "phone" not in fields_of(registry)

    with_roles(registry, {"tel": "phone"})

    assert "phone" in fields_of(registry)
    assert differences_in(registry) == []


def test_people_who_were_there_before_anybody_compared_them_are_compared(engine: Engine) -> None:
    registry = Registry.make(engine)
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))

    with_roles(registry, PEOPLE)

    assert pairs_in(registry) == {(1, 2)}
    assert differences_in(registry) == []


def test_a_list_made_anew_has_nobody_of_before(registry: Registry) -> None:
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))

    def anew(journal):  # type: ignore[no-untyped-def]
        journal.session.get_one(EntityList, (registry.project_id, "people")).deleted_at = journal.now
        journal.session.flush()
        make_list(journal, "people")

    registry.change(anew)

    assert all_in(registry) == [set(), {}, {}]


@pytest.mark.parametrize("name", ["", " ", "x", "ߒߞߏ", "🌍🌍", "a" * 10_000, "o\u200b", "'; DROP", "1990"])
def test_any_name_is_taken(registry: Registry, name: str) -> None:
    registry.arrive(("one", a_person(1, name, name)), ("two", a_person(2, name, name)))
    registry.arrive(("three", a_person(3, name, "")), ("four", a_creation(an_id(4), "-", first_name=name)))

    assert differences_in(registry) == []


def test_roles_are_those_of_the_last_workbook(registry: Registry) -> None:
    with_roles(registry, {**PEOPLE, "tel": "phone"})

    registry.arrive(("one", a_person(1, tel="70112233")), ("two", a_person(2, "Moussa", "Keita", tel="70112233")))

    assert differences_in(registry) == []
