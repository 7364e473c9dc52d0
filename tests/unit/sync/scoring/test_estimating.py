"""What is learnt from a list alone: the same for any order, and never nonsense."""

import random

import pytest

from sync.dedup.scoring.clustering import partition
from sync.dedup.scoring.estimating import Trained, train
from sync.dedup.scoring.model import DEFAULT
from sync.dedup.scoring.profiles import Profile
from tests.support.lookalikes import a_profile, registered


def persons(trained: Trained, profiles: list[Profile]) -> dict[str, str]:
    links = {(a, b): found.probability for a, b, found in trained.matches()}
    standing = partition(links, {}, frozenset())
    return {one.id: standing[one.id].person if one.id in standing else one.id for one in profiles}


def test_the_same_records_in_any_order_teach_the_same() -> None:
    profiles = [profile for _, profile in registered(200)]
    shuffled = random.Random(3).sample(profiles, len(profiles))

    assert train(profiles) == train(shuffled)


def test_who_was_registered_twice_is_found_without_being_told_of_anybody() -> None:
    people = list(registered(600))
    profiles = [profile for _, profile in people]

    found = persons(train(profiles), profiles)

    who = {profile.id: person for person, profile in people}
    wrongly = {(who[one], who[person]) for one, person in found.items() if who[one] != who[person]}
    assert len(wrongly) < 6
    assert abs(len(set(found.values())) - 600) < 20


def test_it_explains_its_numbers() -> None:
    explanation = train([profile for _, profile in registered(200)]).explanation

    assert explanation["records"] == len(list(registered(200)))
    assert explanation["compared"] > 0
    assert set(explanation) >= {"expected_matches", "prior", "m", "u", "pairs"}
    assert sum(explanation["m"]["first_name"].values()) == pytest.approx(1, abs=0.001)


def test_from_a_handful_of_records_nothing_is_learnt_but_their_names() -> None:
    trained = train([a_profile(str(number)) for number in range(5)])

    assert trained.model == DEFAULT
    assert trained.terms[("", "first", "aua")] == 5
    assert train([]).terms == {}


@pytest.mark.parametrize("blank", ["phone", "village", "commune", "sex", "birth_year", "last_name"])
def test_a_list_that_lacks_a_field_does_not_lead_astray(blank: str) -> None:
    profiles = [a_profile(one.id, **{**one.written, blank: ""}) for _, one in registered(200)]

    model = train(profiles).model

    assert all(0 < p < 1 for levels in model.m.values() for p in levels.values())
    assert model.m["first_name"]["same"] > model.m["first_name"]["different"]


def test_a_village_where_all_have_one_name_does_not_become_one_person() -> None:
    profiles = [a_profile(f"{number:03}", birth_year=str(1950 + number % 60)) for number in range(150)]

    assert len(set(persons(train(profiles), profiles).values())) > 75
