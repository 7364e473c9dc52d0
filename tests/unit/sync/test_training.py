"""Learning how the people of a list are told apart, and what decisions say about how far that is to be believed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import pytest
from sqlalchemy import Engine, select

from sync.dedup.training import calibrate_list, train_list
from sync.errors import Unexpected
from sync.indicators.causes import cause_of
from sync.journal import Journal
from sync.models import Event, Match, MatchModel, MatchTerm
from sync.review.matches import decide
from tests.support.matching import (
    GROUPS,
    a_people_registry,
    a_person,
    all_in,
    an_id,
    differences_in,
    keys_in,
    matches_in,
    members_in,
)
from tests.support.registry import Registry

FIRST = ["Awa", "Fanta", "Moussa", "Oumar", "Bintou", "Sékou", "Djénéba", "Adama", "Kadiatou"]
LAST = ["Diarra", "Traoré", "Keita", "Coulibaly", "Sangaré", "Diallo", "Konaté"]


def villagers(count: int = 60) -> Iterator[tuple[str, object]]:
    """So many people of one village, every fifth of whom is somebody who was registered before."""
    for number in range(count):
        one = number - 4 if number % 5 == 4 else number
        born, phone = str(1950 + one * 7 % 50), f"7{one:07}"
        yield str(number), a_person(number, FIRST[one % 9], LAST[one % 7], born=born, phone=phone, sex="female")


@pytest.fixture
def registry(engine: Engine) -> Registry:
    registry = a_people_registry(engine)
    registry.arrive(*villagers())  # type: ignore[arg-type]
    return registry


def train(registry: Registry) -> None:
    registry.change(partial(train_list, list_name="people"))


def calibrate(registry: Registry) -> None:
    registry.change(partial(calibrate_list, list_name="people"))


def decide_first(registry: Registry, decision: str) -> None:
    def act(journal: Journal) -> None:
        match = journal.session.scalars(select(Match).where(Match.state == "open").order_by(Match.a, Match.b)).first()
        assert match is not None
        decide(journal, match.id, decision, match.event)

    registry.change(act)


def test_every_match_is_scored_anew_by_what_was_learnt(registry: Registry) -> None:
    before = matches_in(registry)

    train(registry)

    after = matches_in(registry)
    assert {row[3] for row in before.values()} == {0}
    assert {row[3] for row in after.values()} == {1}
    assert any(before[pair][0] != after[pair][0] for pair in before.keys() & after.keys())
    assert differences_in(registry) == []


def test_who_comes_after_the_training_is_scored_by_it(registry: Registry) -> None:
    train(registry)

    registry.arrive(("new", a_person(90, "Awa", "Diarra", phone="70000000")))

    assert {row[3] for pair, row in matches_in(registry).items() if an_id(90) in pair} == {1}
    assert differences_in(registry) == []


def test_the_same_people_in_another_order_teach_the_same(registry: Registry) -> None:
    other = a_people_registry(registry.engine)
    for one in reversed(list(villagers())):
        other.arrive(one)  # type: ignore[arg-type]

    train(registry)
    train(other)

    [one], [another] = registry.rows(MatchModel), other.rows(MatchModel)
    assert (one.model, one.explanation, one.records) == (another.model, another.explanation, 60)
    assert all_in(registry) == all_in(other)


def test_a_training_is_an_event_that_changes_what_figures_mean(registry: Registry) -> None:
    train(registry)

    kinds = [event.kind for event in registry.rows(Event)]
    assert kinds[-1] == "trained"
    assert cause_of("trained", {}) == "trained"


def test_a_decision_outlives_the_training(registry: Registry) -> None:
    decide_first(registry, "different")
    [held] = [pair for pair, row in matches_in(registry).items() if row[4] == "different"]

    train(registry)

    assert matches_in(registry)[held][4] == "different"
    standing = members_in(registry)
    assert all(one != other for one, other in zip(*(standing.get(id_, (id_,) * 3) for id_ in held), strict=True))


def test_counts_of_names_are_kept_for_the_model_in_force_alone(registry: Registry) -> None:
    train(registry)
    train(registry)

    assert [row.version for row in registry.rows(MatchModel)] == [1, 2]
    assert {row.version for row in registry.rows(MatchTerm)} == {2}


def test_decisions_change_probabilities_and_nothing_else_of_a_match(registry: Registry) -> None:
    train(registry)
    for _ in range(4):
        decide_first(registry, "different")
    keys, before = keys_in(registry), matches_in(registry)

    calibrate(registry)

    after = matches_in(registry)
    assert keys_in(registry) == keys
    assert {pair: (row[0], row[2], row[4]) for pair, row in after.items()} == {
        pair: (row[0], row[2], row[4]) for pair, row in before.items()
    }
    assert all(after[pair][1] < before[pair][1] for pair in before)
    assert differences_in(registry) == []


def test_what_was_calibrated_goes_on_by_the_same_counts(registry: Registry) -> None:
    train(registry)
    decide_first(registry, "same")
    calibrate(registry)

    registry.arrive(("new", a_person(90, "Awa", "Diarra", phone="70000000")))

    assert [(row.version, row.terms) for row in registry.rows(MatchModel)] == [(1, 1), (2, 1)]
    assert differences_in(registry) == []


def test_expectation_can_be_calibrated_without_training(registry: Registry) -> None:
    decide_first(registry, "same")

    calibrate(registry)

    assert [(row.version, row.terms, row.records) for row in registry.rows(MatchModel)] == [(1, 0, 1)]
    assert differences_in(registry) == []


def test_calibrating_again_gives_the_same_probabilities(registry: Registry) -> None:
    decide_first(registry, "same")
    calibrate(registry)
    before = [row[:3] for row in matches_in(registry).values()]

    calibrate(registry)

    assert [row[:3] for row in matches_in(registry).values()] == before


def test_a_list_of_nobody_can_be_trained(engine: Engine) -> None:
    registry = a_people_registry(engine)

    train(registry)
    registry.arrive(("one", a_person(1)), ("two", a_person(2)))

    assert len(matches_in(registry)) == 1
    assert differences_in(registry) == []


@pytest.mark.parametrize("roles", [{}, GROUPS])
def test_what_has_no_model_cannot_be_trained(engine: Engine, roles: dict[str, str]) -> None:
    registry = a_people_registry(engine, roles)

    for learn in (train, calibrate):
        with pytest.raises(Unexpected):
            learn(registry)
