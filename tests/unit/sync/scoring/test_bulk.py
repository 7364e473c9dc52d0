"""A list matched from scratch comes to what its pairs come to one by one."""

from itertools import combinations

import pytest

from sync.dedup.scoring import bulk
from sync.dedup.scoring.blocking import keys_of
from sync.dedup.scoring.estimating import count_terms, train
from sync.dedup.scoring.model import FLOOR, score
from tests.support.lookalikes import a_profile, registered


@pytest.mark.parametrize("portion", [bulk._AT_ONCE, 7])
def test_all_at_once_and_one_by_one_give_the_same(portion: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "_AT_ONCE", portion)
    profiles = sorted((profile for _, profile in registered(120)), key=lambda one: one.id)
    trained = train(profiles)
    model, terms = trained.model, trained.terms

    found = list(bulk.Compared(profiles, terms).matches(model))

    expected = [
        (a.id, b.id, score(model, terms, a, b))
        for a, b in combinations(profiles, 2)
        if set(keys_of(a)) & set(keys_of(b)) and score(model, terms, a, b).weight >= FLOOR
    ]
    assert found == expected
    assert found == list(bulk.Compared(reversed(profiles), terms).matches(model))


def test_a_key_that_too_many_have_finds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "CAP", 4)
    alike = [a_profile(str(number)) for number in range(5)]

    assert bulk.Compared(alike, count_terms(alike)).size == 0
    assert bulk.Compared(alike[:4], count_terms(alike[:4])).size == 6


def test_fifty_thousand_of_one_name_village_and_year_are_compared_with_nobody() -> None:
    alike = [a_profile(f"{number:05}") for number in range(50_000)]

    trained = train(alike)

    assert trained.compared.size == 0
    assert list(trained.matches()) == []
