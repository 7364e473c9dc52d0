"""The words of the pages: none is missing, in either language."""

import re
from pathlib import Path

import server
from server.words import CATALOGUE, LANGUAGES, Words

FOLDER = Path(server.__file__).parent
USED = re.compile(r"""\bt\(\s*['"](\w+)['"]""")


def test_every_word_that_a_page_says_is_in_the_catalogue() -> None:
    said = {word for page in FOLDER.glob("templates/*.html") for word in USED.findall(page.read_text())}

    assert {word for word in said if not word.endswith("_")} <= set(CATALOGUE)
    assert {f"state_{state}" for state in ("null", "edited", "hasIssues", "rejected", "approved")} <= set(CATALOGUE)


def test_every_word_takes_the_same_values_in_each_language() -> None:
    for word, texts in CATALOGUE.items():
        assert len(texts) == len(LANGUAGES)
        assert len({tuple(sorted(re.findall(r"\{(\w+)", text))) for text in texts}) == 1, word


def test_numbers_and_days_are_written_as_the_language_writes_them() -> None:
    assert Words("en").number(7879) == "7,879"
    assert Words("fr").number(7879).replace("\N{NARROW NO-BREAK SPACE}", " ") == "7 879"
    assert Words("fr").day("2026-03-31") == "31 mars 2026"
    assert Words("en").number(None) == "—"


def test_no_word_is_kept_that_no_page_says() -> None:
    pages = [*FOLDER.glob("templates/*.html"), *FOLDER.glob("pages/*.py")]
    told = "".join(page.read_text() for page in pages)

    plain = [word for word in CATALOGUE if not word.startswith(("state_", "flag_", "reason_"))]
    assert [word for word in plain if not re.search(rf"['\"]{word}['\"]", told)] == []
