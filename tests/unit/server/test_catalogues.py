"""The texts of the pages: each is in French, none is left over, and a translation takes the same values."""

import re
from functools import cache
from pathlib import Path

import pytest
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po

import server
from server.language.catalogues import FOLDER, REFUSALS, catalogue_of

HERE = Path(server.__file__).parent
WAYS = [("translations/**", "ignore"), ("templates/**.html", "jinja2.ext:babel_extract"), ("**.py", "python")]
KEYWORDS = {**DEFAULT_KEYWORDS, "lazy_gettext": None, "lazy_ngettext": (1, 2)}
_VALUES = re.compile(r"%\((\w+)\)[sd]")


@cache
def said() -> frozenset[str]:
    """Every text that a template or a page says; of a plural its singular."""
    # With the options that the application's own templates are read with.
    options = {"templates/**.html": {"trimmed": "false", "silent": "false"}}
    found = extract_from_dir(HERE, WAYS, options, keywords=KEYWORDS, strip_comment_tags=True)
    return frozenset(text if isinstance(text, str) else text[0] for _, _, text, _, _ in found)


def written(language: str) -> dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """English → the file, the English texts (plural too) and the translations, of the pages."""
    texts = {}
    for path in sorted((FOLDER / language).glob("*.po")):
        if path.name.startswith(REFUSALS):
            continue
        with path.open("rb") as file:
            for message in read_po(file, locale=language):
                if message.id:
                    ids = message.id if isinstance(message.id, tuple | list) else (message.id,)
                    strings = message.string if isinstance(message.string, tuple | list) else (message.string,)
                    known = texts.setdefault(ids[0], (path.name, tuple(ids), tuple(strings)))
                    assert known[2] == tuple(strings), f"{ids[0]!r} is said otherwise in {known[0]} and {path.name}"
    return texts


def test_all_that_a_page_says_is_in_french() -> None:
    assert sorted(said() - written("fr").keys()) == []


@pytest.mark.parametrize("language", ["fr", "bm"])
def test_nothing_is_translated_that_no_page_says(language: str) -> None:
    assert sorted(written(language).keys() - said()) == []


@pytest.mark.parametrize("language", ["fr", "bm"])
def test_a_translation_is_there_whole_and_takes_the_values_of_the_english(language: str) -> None:
    for name, ids, strings in written(language).values():
        assert all(strings), (name, ids)
        known = set(_VALUES.findall("".join(ids)))
        for string in strings:
            assert set(_VALUES.findall(string)) <= known, (name, string)
        if len(ids) == 1:
            assert set(_VALUES.findall(strings[0])) == known, (name, ids)


def test_a_plural_has_as_many_forms_as_the_language() -> None:
    for language, count in (("fr", 2), ("bm", 1)):
        for name, ids, strings in written(language).values():
            assert len(strings) == (count if len(ids) > 1 else 1), (name, ids)


def test_french_makes_its_plurals_from_two_on() -> None:
    one, several = "%(num)s list", "%(num)s lists"

    said = [catalogue_of("fr").ngettext(one, several, number) for number in (0, 1, 2)]

    assert said[0] == said[1] != said[2]


def test_who_reads_bambara_reads_french_where_nobody_has_translated() -> None:
    catalogue = catalogue_of("bm")

    assert catalogue.gettext("Answers") == "Jaabiw"
    assert catalogue.gettext("Indicators") == "Indicateurs"
