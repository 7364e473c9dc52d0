"""What a score is made of, and what people who only look alike come to."""

import json
import math
from itertools import pairwise

import pytest

from sync.dedup.scoring.comparing import compare, stratum_of
from sync.dedup.scoring.estimating import count_terms
from sync.dedup.scoring.model import COMMON, DEFAULT, Model, score, terms_wanted, weigh
from tests.support.lookalikes import FIRST, a_profile, registered

SURE = 0.9


def test_the_parts_add_up_to_the_weight() -> None:
    a, b = a_profile("a", phone="70112233"), a_profile("b", first_name="Hawa", phone="70112233")

    found = score(DEFAULT, {}, a, b)

    assert sum(part.weight for part in found.parts) == pytest.approx(found.weight)
    assert weigh(DEFAULT, {}, a, b, stratum_of(a, b), compare(a, b)) == pytest.approx(found.weight)


def test_more_that_agrees_is_more_probable() -> None:
    one = a_profile("a", phone="70112233", group="Benkadi")
    others = [
        a_profile("b", first_name="Kadia", last_name="Keïta", birth_year="1950", phone="66000000"),
        a_profile("b", birth_year="1999"),
        a_profile("b"),
        a_profile("b", phone="70112233"),
    ]

    found = [score(DEFAULT, {}, one, other).probability for other in others]

    assert found == sorted(found)
    assert found[0] < 0.01
    assert found[-1] > SURE


def test_a_name_that_everybody_has_says_less_than_a_rare_one() -> None:
    village = [a_profile(str(number), first_name="Awa", last_name="Traoré") for number in range(60)]
    village += [a_profile(f"r{number}", first_name="Nyéba", last_name="Wagué") for number in range(2)]
    terms = count_terms(village)

    common, rare = score(DEFAULT, terms, village[0], village[1]), score(DEFAULT, terms, village[-2], village[-1])

    assert rare.weight > common.weight + 5
    assert {part.a for part in common.parts if part.field == COMMON and part.weight < 0} == {"Awa", "Traoré"}


def test_the_smaller_the_village_the_likelier_are_two_records_one_person() -> None:
    def village(records: int) -> float:
        profiles = [a_profile(str(number), first_name=FIRST[number % 9]) for number in range(records)]
        return score(DEFAULT, count_terms(profiles), profiles[0], profiles[9]).parts[0].weight

    assert village(20) > village(200) > village(2000)


def test_under_another_first_name_the_telephone_of_a_household_speaks_for_nobody() -> None:
    assert all(weights["phone"]["household"] <= 0 for weights in DEFAULT.weights.values())


def test_the_counts_that_a_score_asks_for_are_the_ones_that_were_announced() -> None:
    profiles = [profile for _, profile in registered(60)]
    terms = count_terms(profiles)

    for a, b in pairwise(profiles):
        wanted = {term: terms.get(term, 0) for term in terms_wanted(a)}
        assert score(DEFAULT, wanted, a, b) == score(DEFAULT, terms, a, b)


def test_a_model_comes_back_from_where_it_is_kept() -> None:
    assert Model.from_json(json.loads(json.dumps(DEFAULT.to_json()))) == DEFAULT


def test_no_evidence_makes_certain() -> None:
    assert DEFAULT.probability(1000) == DEFAULT.probability(20) < 1
    assert DEFAULT.probability(-1000) > 0
    assert math.isclose(DEFAULT.probability(0), 0.5)


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ({"first_name": "Adama", "phone": "70112233"}, "twins"),
        ({"birth_year": "2004"}, "somebody named after an elder"),
        ({"last_name": "Coulibaly", "birth_year": "1988"}, "co-wives of one first name"),
        ({"last_name": "Coulibaly", "phone": "70112233"}, "co-wives of one first name, age and household"),
        ({"birth_year": "1981"}, "cousins of one name"),
        ({"birth_year": "", "age": "46", "group": "Benkadi"}, "cousins whose ages were guessed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_who_only_looks_like_somebody_is_never_nearly_sure(said: dict[str, str], what: str) -> None:
    # However rare their names are: what a family shares makes nobody sure.
    rare = {"first_name": "Nyéba", "last_name": "Wagué", "phone": "70112233", "group": "Benkadi"}
    terms = count_terms([profile for _, profile in registered(300)])
    one, other = a_profile("a", **rare), a_profile("b", **{**rare, "phone": "", **said})

    found = score(DEFAULT, terms, one, other)

    assert found.probability < SURE, what
    assert weigh(DEFAULT, terms, one, other, stratum_of(one, other), compare(one, other)) == pytest.approx(found.weight)
    assert sum(part.weight for part in found.parts) == pytest.approx(found.weight)
