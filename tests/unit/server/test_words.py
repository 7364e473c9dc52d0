"""Numbers and days are written as the visitor's language writes them."""

from server.words import Words


def test_numbers_and_days_are_written_as_the_language_writes_them() -> None:
    assert Words("en").number(7879) == "7,879"
    assert Words("fr").number(7879).replace("\N{NARROW NO-BREAK SPACE}", " ") == "7 879"
    assert Words("fr").day("2026-03-31") == "31 mars 2026"
    assert Words("en").number(None) == "—"


def test_what_is_said_in_bambara_is_written_as_mali_writes_it() -> None:
    assert Words("bm").number(7879) == Words("fr").number(7879)
    assert (Words("bm").locale, Words("bm").language) == ("bm", "fr")


def test_a_label_is_read_in_bambara_where_the_form_has_one() -> None:
    assert Words("bm").label({"fr": "Riz", "bm": "Malo"}) == "Malo"
    assert Words("bm").label({"fr": "Riz", "en": "Rice"}) == "Riz"
