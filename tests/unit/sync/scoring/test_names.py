"""Names as they sound: what Malian and French hands write differently becomes one."""

import pytest

from sync.dedup.scoring.names import LONGEST, fold, skeleton, words


@pytest.mark.parametrize(
    "spellings",
    [
        "Djénéba Djeneba Dieneba Jeneba DJÉNÉBA Dyeneba",
        "Coulibaly Koulibaly Coulibali Kulibali",
        "Diallo Dialo Jallo Djallo",
        "Ouattara Wattara Ouatara",
        "Cissé Sissé Cise",
        "Touré Toure Tourré Ture",
        "Camara Kamara",
        "Dembélé Dembele Denbele",
    ],
)
def test_spellings_of_one_name_fold_to_one(spellings: str) -> None:
    assert len({fold(name) for name in spellings.split()}) == 1


@pytest.mark.parametrize(
    ("one", "other"), [("Awa", "Hawa"), ("Haïdara", "Aïdara"), ("N'Diaye", "Ndiaye"), ("Maïmouna", "Maymouna")]
)
def test_a_letter_that_is_not_heard_makes_no_difference(one: str, other: str) -> None:
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("Traoré", "Touré"), ("Koné", "Konaté"), ("Awa", "Adama")])
def test_other_names_stay_others(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_titles_and_what_only_says_whose_name_it_was_are_no_names() -> None:
    assert words("Mme Traoré née Diarra") == words("TRAORE, Diarra")


def test_a_title_alone_is_taken_for_a_name() -> None:
    assert words("Mr") == ("mr",)


def test_names_in_other_scripts_keep_their_letters() -> None:
    assert words("ߝߊ߬ߕߎ߬ فاطمة") == words("ߝߊ߬ߕߎ߬  فاطمة")
    assert words("فاطمة") != words("عائشة")


@pytest.mark.parametrize("text", ["", " ", "1234", "🙂", "--"])
def test_what_has_no_letter_has_no_words(text: str) -> None:
    assert words(text) == ()


def test_of_an_endless_name_only_the_beginning_is_looked_at() -> None:
    assert words("ab" * 5000) == words(("ab" * 5000)[:LONGEST])


def test_a_skeleton_is_the_same_however_the_vowels_were_heard() -> None:
    assert skeleton(fold("Fatoumata")) == skeleton(fold("Fatimata"))
    assert skeleton(fold("Sanogo")) == skeleton(fold("Sanoko"))
    assert skeleton("") == ""
