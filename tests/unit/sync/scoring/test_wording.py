"""Every reason can be told, in French and in English."""

import pytest

from sync.dedup.scoring.comparing import LEVELS, STRATA
from sync.dedup.scoring.model import DEFAULT, Part, score
from sync.dedup.scoring.wording import sentences
from tests.support.lookalikes import a_profile


@pytest.mark.parametrize("language", ["fr", "en", "bm"])
def test_there_are_words_for_each_level_of_each_field(language: str) -> None:
    parts = [Part(name, "x", "", level, 1.0) for name, levels in LEVELS.items() for level in levels]
    parts += [Part("alike", "", "", "", -1.0), Part("common", "Awa", "Hawa", "first_name", 1.0)]
    parts += [Part("place", "", "", stratum, -1.0) for stratum in STRATA]

    said = sentences(parts, language)

    assert len(said) == len(parts)
    assert all(words.strip() for words in said)


def test_reasons_read_as_a_waterfall() -> None:
    a, b = a_profile("a", phone="70112233"), a_profile("b", first_name="Hawa", phone="66000000")

    assert "first name same (Awa, Hawa) +4.1" in sentences(score(DEFAULT, {}, a, b).parts, "en")
    assert "téléphone différent (70112233, 66000000) −1,8" in sentences(score(DEFAULT, {}, a, b).parts, "fr")


def test_a_value_that_is_not_there_is_called_none() -> None:
    assert sentences([Part("group", "Benkadi", "", "different", -1.0)], "en") == ["group differs (Benkadi, none) −1.0"]


@pytest.mark.parametrize(
    ("other", "said"),
    [
        # Written the other way about; then so that the last name of the first record is the nearer one.
        ({"first_name": "Traore", "last_name": "Hawa"}, ["the same (Awa, Hawa)", "the same (Traoré, Traore)"]),
        (
            {"first_name": "Traoré", "last_name": "Awaba"},
            ["the same (Traoré)", "one is part of the other (Awa, Awaba)"],
        ),
    ],
)
def test_of_names_in_each_others_place_it_is_told_what_was_compared_with_what(
    other: dict[str, str], said: list[str]
) -> None:
    a, b = a_profile("a"), a_profile("b", **other)

    found = [sentences(score(DEFAULT, {}, *pair).parts, "en") for pair in ((a, b), (b, a))]
    french = sentences(score(DEFAULT, {}, a, b).parts, "fr")

    of_names = [[one for one in told if one.startswith("first name of the one, last name")] for told in found]
    assert [one.split(": ")[1].rpartition(" ")[0] for one in of_names[0]] == said
    assert [words.rpartition(" ")[2] for words in of_names[0]] == [words.rpartition(" ")[2] for words in of_names[1]]
    assert any(one.startswith("prénom de l’une et nom de l’autre\N{NO-BREAK SPACE}: les mêmes") for one in french)


def test_a_value_that_is_written_in_two_ways_is_told_in_both() -> None:
    a, b = a_profile("a", phone="70 11 22 33"), a_profile("b", first_name="Hawa", phone="70112233")

    said = sentences(score(DEFAULT, {}, a, b).parts, "fr")

    assert any(one.startswith("même prénom (Awa, Hawa) ") for one in said)
    assert any(one.startswith("même nom (Traoré) ") for one in said)
    assert any(one.startswith("même téléphone (70 11 22 33, 70112233) ") for one in said)


@pytest.mark.parametrize(
    "whole",
    [
        {"first_name": "", "last_name": "", "full_name": "Awa Traoré"},
        {"first_name": "Awa Traoré", "last_name": ""},
        {"first_name": "", "full_name": "Awa Traoré"},
    ],
)
def test_of_a_name_that_is_written_as_one_that_part_is_told_which_was_compared(whole: dict[str, str]) -> None:
    said = sentences(score(DEFAULT, {}, a_profile("a"), a_profile("b", **whole)).parts, "en")

    assert any(one.startswith("first name same (Awa) ") for one in said)
    assert any(one.startswith("last name same (Traoré) ") for one in said)
