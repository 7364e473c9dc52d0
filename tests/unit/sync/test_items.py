"""An item of every day is read as the schema reads it, whatever is odd about it."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from sync.intake import items
from sync.intake.items import read_item

ODD: list[Any] = [
    None,
    "",
    " ",
    "x",
    "é",
    "\x00",
    "\ud800",
    "x" * 250,
    "x" * 251,
    "é" * 700,
    "x" * 1001,
    7,
    True,
    [],
    {},
    b"x",
]
MOMENTS = [
    "2026-11-01T10:00:00.000+00:00",
    "2026-11-01T10:00:00Z",
    "2026-11-01 10:00",
    "2026-11-01",
    "20261101",
    "1969-12-31T23:59:59-12:00",
    "2201-01-01",
    "0001-01-01T00:00:00+14:00",
    "2026-13-01",
    "2026-W01",
]
VALUES = st.sampled_from([*ODD, *MOMENTS, "<data/>"])
NAMES = ["instance_id", "form", "version", "edits", "xml", "recorded_at", "answers", "attachments", "more"]


@settings(max_examples=400, deadline=None)
@example({"form": "f", "version": "1", "xml": "<data/>", "recorded_at": "2026-11-01T10:00:00"})
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_both_ways_of_reading_an_item_agree(raw: dict[str, Any]) -> None:
    with patch.object(items, "_of_short_texts", return_value=None):
        by_the_schema = read(raw)

    assert read(raw) == by_the_schema


def read(raw: dict[str, Any]) -> object:
    try:
        return read_item(raw)
    except ValueError as error:
        return str(error)
