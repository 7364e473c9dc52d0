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

    assert "first name same (Awa) +4.1" in sentences(score(DEFAULT, {}, a, b).parts, "en")
    assert "téléphone différent (70112233, 66000000) −1,8" in sentences(score(DEFAULT, {}, a, b).parts, "fr")


def test_a_value_that_is_not_there_is_called_none() -> None:
    assert sentences([Part("group", "Benkadi", "", "different", -1.0)], "en") == ["group differs (Benkadi, none) −1.0"]
