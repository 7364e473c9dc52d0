"""What is read from a record, and that whatever stands in it is read somehow."""

import datetime as dt

import pytest

from sync.dedup.scoring.profiles import profile_of
from tests.support.lookalikes import ROLES, a_profile


def test_a_full_name_is_split_before_its_last_word() -> None:
    profile = a_profile(first_name="", last_name="", full_name="Fatoumata Bintou Traoré")

    assert (profile.first, profile.last) == (("fatumata", "bintu"), ("traore",))


def test_both_names_in_one_field_are_split_too() -> None:
    profile = a_profile(first_name="Awa Traoré", last_name="")

    assert (profile.first, profile.last) == (("aua",), ("traore",))


@pytest.mark.parametrize("written", ["70 11 22 33", "+223 70112233", "0022370112233", "70-11-22-33"])
def test_a_telephone_is_its_last_eight_digits(written: str) -> None:
    assert a_profile(phone=written).phone == "70112233"


def test_fewer_digits_are_no_telephone() -> None:
    assert a_profile(phone="7011").phone == ""


def test_a_year_that_was_given_counts_as_given() -> None:
    assert (a_profile(birth_year="1980-05-01").birth, a_profile().birth_given) == (1980, True)


def test_a_year_worked_out_from_an_age_counts_from_the_day_it_was_asked() -> None:
    asked = a_profile(birth_year="", age="40", asked_on="2024-06-01")
    unknown = profile_of("a", ROLES, {"age": "40"}, dt.date(2020, 1, 1))

    assert (asked.birth, asked.birth_given, unknown.birth) == (1984, False, 1980)


@pytest.mark.parametrize("age", ["", "beaucoup", "-", "999", "12345"])
def test_an_age_that_is_none_is_missing(age: str) -> None:
    assert a_profile(birth_year="", age=age).birth is None


@pytest.mark.parametrize(("written", "sex"), [("female", "f"), ("Femme", "f"), ("M", "m"), ("homme", "m"), ("?", "")])
def test_a_sex_is_read_in_french_and_in_english(written: str, sex: str) -> None:
    assert a_profile(sex=written).sex == sex


def test_values_that_are_no_texts_are_read_as_such() -> None:
    profile = profile_of("a", ROLES, {"first_name": None, "last_name": 7, "birth_year": 1980}, dt.date(2026, 1, 1))

    assert (profile.first, profile.birth) == ((), 1980)
