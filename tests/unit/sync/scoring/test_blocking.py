"""By which keys records find each other."""

import pytest

from sync.dedup.scoring.blocking import keys_of
from sync.dedup.scoring.bulk import Compared
from sync.dedup.scoring.estimating import count_terms
from tests.support.lookalikes import a_profile, registered

PHONE = "70112233"


@pytest.mark.parametrize(
    "said",
    [
        {"first_name": "Hawa", "last_name": "Traore"},
        {"first_name": "Traoré", "last_name": "Awa"},
        {"last_name": "Diarra"},
        {"first_name": "A."},
        {"first_name": "Kadia"},
        {"village": ""},
        {"commune": "Mandé"},
        {"first_name": "Kani", "last_name": "Diarra", "village": "Niono", "commune": "Niono", "phone": PHONE},
        {"birth_year": "", "age": "44"},
    ],
    ids=str,
)
def test_a_record_of_the_same_person_is_found(said: dict[str, str]) -> None:
    assert set(keys_of(a_profile("a", phone=PHONE))) & set(keys_of(a_profile("b", **said)))


def test_a_house_is_found_by_its_number_and_its_street_however_the_names_are_spelt() -> None:
    one = a_profile("a", first_name="Kany", last_name="Sow", address="7 boulevardde lIndependance")
    other = a_profile("b", first_name="Mah", last_name="Cissé", address="7, boulevard de l’Indépendance")

    assert set(keys_of(one)) & set(keys_of(other))


def test_somebody_else_elsewhere_is_not_looked_at() -> None:
    other = a_profile("b", first_name="Oumou", last_name="Keïta", village="Niono", commune="Niono", birth_year="1999")

    assert not set(keys_of(a_profile("a"))) & set(keys_of(other))


def test_a_key_is_the_same_number_for_ever() -> None:
    # What is stored was worked out long ago: another way of hashing would find nobody.
    assert keys_of(a_profile(last_name="", birth_year="", village="", commune="", sex="")) == (
        -3440697862858690344,
        7791695321163330406,
        8673077111791488589,
    )


def test_keys_are_signed_numbers_of_64_bits() -> None:
    assert all(-(2**63) <= key < 2**63 for _, profile in registered(50) for key in keys_of(profile))


def test_nearly_all_that_are_one_person_are_compared() -> None:
    people = list(registered(600))
    who = {profile.id: person for person, profile in people}

    profiles = [profile for _, profile in people]
    pairs = Compared(profiles, count_terms(profiles))

    ids = sorted(who)
    compared = {(ids[a], ids[b]) for a, b in zip(pairs.a, pairs.b, strict=True)}
    true = {(a, b) for at, a in enumerate(ids) for b in ids[at + 1 :] if who[a] == who[b]}
    assert len(true & compared) / len(true) > 0.97
    assert len(compared) < 20 * len(people)
