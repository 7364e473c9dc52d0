"""The levels at which two records agree."""

import pytest

from sync.dedup.scoring.comparing import COMMUNE, ELSEWHERE, VILLAGE, compare, stratum_of
from tests.support.lookalikes import a_profile


@pytest.mark.parametrize(
    ("first", "level"),
    [("Hawa", "same"), ("Awa Bintou", "short"), ("Assetou", "different"), ("A", "short"), ("", None)],
)
def test_first_names_agree_by_degrees(first: str, level: str | None) -> None:
    assert compare(a_profile("a"), a_profile("b", first_name=first)).get("first_name") in {level, "near"}


def test_a_short_form_is_part_of_the_long_one() -> None:
    pattern = compare(a_profile("a", first_name="Fatoumata"), a_profile("b", first_name="Fatou"))

    assert pattern["first_name"] == "short"


def test_names_in_each_others_place_are_recognised() -> None:
    pattern = compare(a_profile("a"), a_profile("b", first_name="Traore", last_name="Awa"))

    assert (pattern["order"], pattern["first_name"], pattern["last_name"]) == ("swapped", "same", "same")


@pytest.mark.parametrize(("year", "level"), [("1980", "same"), ("1981", "1"), ("1983", "3"), ("1990", "far")])
def test_years_that_were_given_are_compared_as_such(year: str, level: str) -> None:
    assert compare(a_profile("a"), a_profile("b", birth_year=year))["birth_year"] == level


@pytest.mark.parametrize(
    ("age", "level"), [("46", "same"), ("44", "close"), ("42", "near"), ("40", "apart"), ("20", "far")]
)
def test_an_age_is_a_guess_and_compared_as_one(age: str, level: str) -> None:
    pattern = compare(a_profile("a"), a_profile("b", birth_year="", age=age))

    assert (pattern["age"], pattern.get("birth_year")) == (level, None)


def test_three_years_are_more_between_the_young_than_between_the_old() -> None:
    def level(one: str, other: str) -> str:
        return compare(*(a_profile(id_, birth_year="", age=age) for id_, age in (("a", one), ("b", other))))["age"]

    assert (level("20", "23"), level("70", "73")) == ("near", "close")


@pytest.mark.parametrize(
    ("one", "other"),
    [("Boubacar", "Boubecar"), ("Sanogo", "Sanoko"), ("Salimata", "Slaimata"), ("Moussokoura", "Moussokora")],
)
def test_one_slip_or_other_vowels_leave_a_name_close(one: str, other: str) -> None:
    assert compare(a_profile("a", first_name=one), a_profile("b", first_name=other))["first_name"] == "close"


def test_the_telephone_is_the_households() -> None:
    one = a_profile("a", phone="70112233")

    assert compare(one, a_profile("b", phone="+22370112233"))["phone"] == "same"
    assert compare(one, a_profile("b", phone="70112233", first_name="Kadiatou"))["phone"] == "household"
    assert (
        compare(
            a_profile("a", phone="70112233", first_name="Bréhima"),
            a_profile("b", phone="70112233", first_name="Bourama"),
        )["phone"]
        == "same"
    )
    assert compare(one, a_profile("b", phone="70112234"))["phone"] == "typo"
    assert compare(one, a_profile("b", phone="66000000"))["phone"] == "different"


def test_a_group_may_be_called_by_its_own_name_alone() -> None:
    one = a_profile("a", group="Coopérative de karité Benkadi")

    assert compare(one, a_profile("b", group="Benkadi"))["group"] == "same"
    assert compare(one, a_profile("b", group="Coopérative de karité Jigiya"))["group"] == "different"


@pytest.mark.parametrize(
    ("village", "commune", "stratum"),
    [
        ("Siby", "Siby", VILLAGE),
        ("SIBI", "Siby", VILLAGE),
        ("Guéna", "Siby", COMMUNE),
        ("", "Siby", COMMUNE),
        ("Siby", "Mandé", ELSEWHERE),
    ],
)
def test_two_records_stand_in_one_village_one_commune_or_neither(village: str, commune: str, stratum: str) -> None:
    assert stratum_of(a_profile("a"), a_profile("b", village=village, commune=commune)) == stratum


def test_what_one_of_the_two_does_not_say_is_not_compared() -> None:
    nothing = dict.fromkeys(("first_name", "last_name", "sex", "birth_year", "village", "commune"), "")

    assert compare(a_profile("a"), a_profile("b", **nothing)) == {}


@pytest.mark.parametrize(
    ("date", "level"),
    [("1980-05-31", "same"), ("1980-05-30", "close"), ("1980-03-12", "year"), ("1999-01-01", "different")],
)
def test_a_date_of_birth_stands_for_its_year(date: str, level: str) -> None:
    pattern = compare(a_profile("a", birth_date="1980-05-31"), a_profile("b", birth_date=date))

    assert (pattern["birth_date"], pattern.get("birth_year")) == (level, None)


def test_day_and_month_in_each_others_place_are_nearly_the_same_date() -> None:
    pattern = compare(a_profile("a", birth_date="1980-05-11"), a_profile("b", birth_date="1980-11-05"))

    assert pattern["birth_date"] == "close"


@pytest.mark.parametrize(
    ("address", "level"),
    [
        ("Rue 40, porte 12, Badalabougou", "same"),
        ("Rue 40 porte 12", "close"),
        ("rue40 porte 12 Badala bougou", "close"),
        ("40, av. de l’OUA, p. 12, Sogoniko", "near"),
        ("40, av. de l’OUA, p. 21, Sogoniko", "different"),
        ("Rue 7, Hamdallaye", "different"),
    ],
)
def test_addresses_agree_by_degrees(address: str, level: str) -> None:
    one = a_profile("a", address="rue 40 porte 12 badalabougou")

    assert compare(one, a_profile("b", address=address))["address"] == level
