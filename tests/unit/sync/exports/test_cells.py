"""Cells that no spreadsheet runs, and CSV that every reader reads back."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.exports.cells import csv_pieces, file_name, safe, unsafe

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=30)
STARTS = "=+-@\t\r\n\0＝＋－＠"


def read(data: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))


@pytest.mark.parametrize("first", STARTS)
@pytest.mark.parametrize("unseen", ["", "\ufeff", "\u200b", "\u00a0", "\u200b\u00a0"])
def test_what_a_spreadsheet_could_run_gets_an_apostrophe(first: str, unseen: str) -> None:
    text = f"{unseen}{first}cmd|' /C calc'!A0"

    assert safe(text) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    [
        *("-8", "+8", "-8.25", "-8,25", "-1e-7", "+223 76 12 34 56", "+22376123456", "+223-76-12-34"),
        *("-8.1 12.5", "-8.1 12.5 0 4.5", "-8.1 12.5 0 0; -8.2 12.6 0 0;", "Awa", "", " =1", "1=1", "é"),
    ],
)
def test_numbers_phone_numbers_points_and_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert safe(text) == text


@pytest.mark.parametrize("text", ["-", "+", "--1", "-8\n", "+1+1", "-8.1 12.5 =1", "+A1", "-1-1", "\u00a0-8"])
def test_what_only_looks_like_a_number_does_not_pass(text: str) -> None:
    assert safe(text) == f"'{text}"


@given(TEXTS)
def test_the_apostrophe_can_be_taken_off_again(text: str) -> None:
    made = safe(text)

    assert unsafe(made) == text
    assert made in (text, f"'{text}")


@given(st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=5))
def test_any_reader_gets_the_very_cells_back(rows: list[list[str]]) -> None:
    made = b"".join(csv_pieces(["a", "b", "c"], rows, guarded=False))

    assert read(made) == [["a", "b", "c"], *rows]
    assert made.endswith(b"\r\n")


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_no_guarded_cell_begins_as_a_formula(row: list[str]) -> None:
    (header, cells) = read(b"".join(csv_pieces(row, [row])))

    for made, text in [*zip(header, row, strict=True), *zip(cells, row, strict=True)]:
        assert unsafe(made) == text
        assert made == safe(text)


def test_a_line_with_one_blank_cell_is_still_a_line() -> None:
    assert b"".join(csv_pieces(["a"], [[None], ["x"]])) == b'a\r\n""\r\nx\r\n'


def test_a_bare_carriage_return_stands_in_quotes_and_blank_is_blank() -> None:
    made = b"".join(csv_pieces(["a", "b", "c"], [["x\ry", None, 1.5], ['"', 2, ","]], bom=True))

    assert made == b'\xef\xbb\xbfa,b,c\r\n"x\ry",,1.5\r\n"""",2,","\r\n'


@pytest.mark.parametrize(
    ("text", "named"),
    [("visit", "visit"), ("../../etc/passwd", "_.._etc_passwd"), ("=cmd", "_cmd"), ("", "_"), ("a:b*c", "a_b_c")],
)
def test_a_file_is_named_so_that_every_system_takes_it(text: str, named: str) -> None:
    assert file_name(text) == named
