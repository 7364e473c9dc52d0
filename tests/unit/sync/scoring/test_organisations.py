"""Organisations and households: by the words of their names, acronyms, numbers and places."""

import pytest

from sync.dedup.scoring.organisations import Organisation, cap_of, keys_of, organisation_of, score
from sync.dedup.scoring.wording import sentences

ROLES = {name: name for name in ("name", "id_number", "village", "commune", "phone")}


def an_organisation(name: str, id_: str = "a", **said: str) -> Organisation:
    return organisation_of(id_, ROLES, {"name": name, **said})


def alike(one: str, other: str, **said: str) -> float:
    return score(an_organisation(one, **said), an_organisation(other, "b", **said)).probability


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Coopérative des productrices de karité de Siby", "COOPERATIVE PRODUCTRICES KARITE SIBY"),
        ("Fédération nationale des associations de santé communautaire", "FNASC"),
        ("Coopérative Benkadi", "Benkadi"),
    ],
)
def test_one_organisation_under_two_names_is_proposed(one: str, other: str) -> None:
    assert alike(one, other, village="Siby") > 0.5


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Coopérative Benkadi", "Coopérative Jigiya"),
        ("", ""),
        ("ASACO Siby", "ASACO Niono"),
        ("CSCom Siby 1", "CSCom Siby 2"),
    ],
)
def test_what_is_only_of_one_kind_is_not(one: str, other: str) -> None:
    assert alike(one, other) < 0.05


def test_the_same_registration_number_outweighs_the_name() -> None:
    one, other = (
        an_organisation("Benkadi", id_number="ML-2019/55"),
        an_organisation("Jigi", "b", id_number="ml 2019 55"),
    )

    assert score(one, other).probability > 0.1
    assert score(one, an_organisation("Benkadi", "c", id_number="ML-2020/99")).probability < 0.3


def test_the_score_is_the_same_for_both_orders_and_says_why() -> None:
    one, other = an_organisation("Benkadi", village="Siby"), an_organisation("Benkadi Siby", "b", village="Siby")

    assert score(one, other).weight == score(other, one).weight
    assert "one name is part of the other (Benkadi, Benkadi Siby) +5.5" in sentences(score(one, other).parts, "en")


def test_all_are_found_by_all_and_by_the_words_of_their_names() -> None:
    benkadi, jigiya = keys_of(an_organisation("Benkadi")), keys_of(an_organisation("Jigiya", "b"))
    other = keys_of(an_organisation("Union Benkadi", "c", village="Niono"))

    [of_all] = set(benkadi) & set(jigiya)
    assert set(benkadi) <= set(other)
    assert len(set(benkadi) - {of_all}) == 1
    assert all(cap_of(key) > 0 for key in benkadi)
