"""French is written as it is printed: spaces before signs break no line, and apostrophes are bent."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import forms
import server
import sync
from server.language import sentences
from server.language.catalogues import catalogue_of
from tests.unit.server.test_catalogues import written

PACKAGES = [Path(str(package.__file__)).parent for package in (forms, sync, server)]
LOOSE = re.compile(
    r"(?<=\S) (?=[:;!?»](?!=)|%(?![(}]))|« |\b(?:[cdjlmnst]|\w*qu|aujourd)'(?=[aeiouyhâàéèêîôœ])", re.IGNORECASE
)
ONLY_FRENCH = re.compile("[éèêàçœ]")


def loose(texts: Iterator[str]) -> list[str]:
    return [text for text in texts if LOOSE.search(text)]


def test_in_what_pages_say() -> None:
    french = catalogue_of("fr")

    def said() -> Iterator[str]:
        for _, (one, *several), _ in written("fr").values():
            yield from (french.ngettext(one, more, count) for more in several for count in (1, 2))
            yield from [] if several else [french.gettext(one)]

    assert loose(said()) == []


def test_in_refusals_findings_and_flags() -> None:
    assert loose(said for _, said in sentences._written("fr")) == []
    quoted = sentences.said_in("fr", "‘patient’ is not a list; known are ‘people’, ‘centres’.")
    assert not LOOSE.search(quoted)


def test_in_what_is_said_in_its_languages_where_it_is_made() -> None:
    def constants() -> Iterator[str]:
        for package in PACKAGES:
            for path in package.rglob("*.py"):
                for node in ast.walk(ast.parse(path.read_text())):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str):
                        yield node.value

    assert loose(text for text in constants() if ONLY_FRENCH.search(text)) == []


def test_in_the_statements_that_come_along() -> None:
    texts = [path.read_text() for path in (PACKAGES[0] / "definitions" / "statements").glob("*.fr.md")]
    assert texts

    prose = (re.sub(r"\{\{.*?\}\}|\{%.*?%\}", "…", text, flags=re.DOTALL) for text in texts)

    assert loose(prose) == []
