"""Which pairs are never confirmed unseen, whatever their numbers say."""

import pytest

from sync.review.lookalikes import CO_WIVES, COUSINS, ELDER, TWINS, lookalike
from tests.support.lookalikes import a_profile

PHONE = {"phone": "70112233"}
GROUP = {"group": "Benkadi"}
DAY = {"birth_date": "1980-05-31"}


@pytest.mark.parametrize(
    ("one", "other", "pattern"),
    [
        ({"first_name": "Hassan", **PHONE}, {"first_name": "Hassana", **PHONE}, TWINS),
        ({"first_name": "Hassan"}, {"first_name": "Hassana", "village": "Sibi"}, TWINS),
        ({"birth_year": "1960", **PHONE}, {"birth_year": "1984", **PHONE}, ELDER),
        ({"last_name": "Keïta", **PHONE}, {"first_name": "Sira", "birth_year": "1985", **PHONE}, CO_WIVES),
        ({}, {"birth_year": "1981"}, COUSINS),
        ({}, {}, COUSINS),
        (GROUP, {**GROUP, "birth_year": "1981"}, COUSINS),
        ({"birth_date": "1980-01-01"}, {"birth_date": "1980-01-01"}, COUSINS),
    ],
)
def test_two_people_who_look_like_one_are_left_for_somebody_to_look_at(
    one: dict[str, str], other: dict[str, str], pattern: str
) -> None:
    a, b = a_profile("a", **one), a_profile("b", **other)

    assert lookalike(a, b) == lookalike(b, a) == pattern


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (PHONE, {**PHONE, "birth_year": "1982"}),
        (GROUP, GROUP),
        (DAY, DAY),
        ({"first_name": "Hassan", "id_number": "ML-123"}, {"first_name": "Hassana", "id_number": "ML 123"}),
    ],
)
def test_what_is_a_persons_own_settles_it(one: dict[str, str], other: dict[str, str]) -> None:
    assert lookalike(a_profile("a", **one), a_profile("b", **other)) is None
