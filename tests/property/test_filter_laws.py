"""A filter in SQL keeps just the rows that a plain evaluation of it keeps, nulls and odd answers included."""

from __future__ import annotations

import datetime as dt
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from sync.exports.fields import tables_of
from sync.exports.pages import Sought, submission_page
from sync.models import Submission, SubmissionVersion
from tests.support.projects import NOON, a_desk

FORM = """
    | survey                |       |       |
    | type                  | name  | label |
    | integer               | n     | N     |
    | decimal               | d     | D     |
    | text                  | t     | T     |
    | date                  | day   | Day   |
    | dateTime              | at    | At    |
    | select_multiple crops | crops | Crops |
    | choices               |       |       |
    | list_name             | name  | label |
    | crops                 | rice  | Rice  |
    | crops                 | maize | Maize |
"""
TEXTS = ["", "Siby", "siby", "é'a", "100%", "a_b", "zz"]
DAYS = ["2026-01-31", "2026-02-01", "2024-02-29"]
MOMENTS = ["2026-11-01T10:00:00.000+00:00", "2026-11-01T11:30:00+02:00", "2026-10-31T23:59:59.999Z"]
ANSWERS: dict[str, list[Any]] = {
    "n": [None, 0, 1, -3, 7, 2**40, "abc"],
    "d": [None, 0.5, 2, -1.25, 7.0, "1e5"],
    "t": [None, *TEXTS[1:], 5],
    "day": [None, *DAYS, "2026-02-31", "2026-01-31T08:00:00", "soon"],
    "at": [None, *MOMENTS, "2026-11-01T10:00", "2026-13-01T10:00:00Z", "later"],
    "crops": [None, ["rice"], ["rice", "maize"], ["maize"], "rice"],
}
Said = dict[str, Any]
Evaluate = Callable[[Said], Any]


@dataclass(frozen=True)
class Asked:
    """A filter as text, and what it means."""

    text: str
    of: Evaluate


def read(name: str, said: Said) -> Any:
    """The typed value of an answer; None for what is not of the question's type."""
    value = said.get(name)
    match name:
        case "n" | "d":
            return value if isinstance(value, int | float) else None
        case "t":
            return None if value is None else str(value)
        case "day":
            try:
                day = dt.date.fromisoformat(str(value)[:10])
            except ValueError:
                return None
            return day.isoformat() if re.fullmatch(r".{10}(T.*)?", str(value)) else None
        case "at":
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*(Z|[+-]\d\d:\d\d)", str(value)):
                return None
            try:
                return dt.datetime.fromisoformat(str(value))
            except ValueError:
                return None
    return " ".join(value) if isinstance(value, list) else None


def compared(name: str, operator: str, text: str, value: Any) -> Asked:
    def evaluate(said: Said) -> bool:
        left = read(name, said)
        if operator == "eq":
            return left == value  # type: ignore[no-any-return]
        if operator == "ne":
            return left != value  # type: ignore[no-any-return]
        if left is None or value is None:
            return False
        found: dict[str, bool] = {
            "gt": left > value,
            "ge": left >= value,
            "lt": left < value,
            "le": left <= value,
        }
        return found[operator]

    return Asked(f"{name} {operator} {text}", evaluate)


def of_text(name: str, function: str, part: str) -> Asked:
    def evaluate(said: Said) -> bool | None:
        left = read(name, said)
        if left is None:
            return None
        return bool(
            {"contains": part in left, "startswith": left.startswith(part), "endswith": left.endswith(part)}[function]
        )

    return Asked(f"{function}({name}, '{part.replace(chr(39), chr(39) * 2)}')", evaluate)


def negated(one: Asked) -> Asked:
    def evaluate(said: Said) -> bool | None:
        found = one.of(said)
        return None if found is None else not found

    return Asked(f"not ({one.text})", evaluate)


def joined(one: Asked, word: str, other: Asked) -> Asked:
    def evaluate(said: Said) -> bool | None:
        left, right = one.of(said), other.of(said)
        decides = word == "or"
        if decides in (left, right):
            return decides
        return None if None in (left, right) else not decides

    return Asked(f"({one.text}) {word} ({other.text})", evaluate)


OPERATORS = st.sampled_from(["eq", "ne", "gt", "ge", "lt", "le"])
NUMBERS = st.sampled_from([None, 0, 1, -3, 7, 0.5, -1.25, 2**40, 10**30])
SIMPLE = st.one_of(
    st.builds(
        lambda name, operator, value: compared(name, operator, "null" if value is None else str(value), value),
        st.sampled_from(["n", "d"]),
        OPERATORS,
        NUMBERS.filter(lambda value: value != 10**30),
    ),
    st.builds(
        lambda name, operator, value: compared(name, operator, "'" + value.replace("'", "''") + "'", value),
        st.sampled_from(["t", "crops"]),
        OPERATORS,
        st.sampled_from([*TEXTS, "rice", "rice maize"]),
    ),
    st.builds(lambda operator, day: compared("day", operator, day, day), OPERATORS, st.sampled_from(DAYS)),
    st.builds(
        lambda operator, moment: compared("at", operator, moment, dt.datetime.fromisoformat(moment)),
        OPERATORS,
        st.sampled_from(MOMENTS),
    ),
    st.builds(
        of_text,
        st.sampled_from(["t", "crops"]),
        st.sampled_from(["contains", "startswith", "endswith"]),
        st.sampled_from([*TEXTS, "i", "%", "_", "rice"]),
    ),
)
FILTERS = st.recursive(
    SIMPLE,
    lambda inner: st.one_of(st.builds(negated, inner), st.builds(joined, inner, st.sampled_from(["and", "or"]), inner)),
    max_leaves=6,
)


@pytest.fixture
def stored(engine: Engine, tmp_path: Path) -> Iterator[tuple[Session, int, dict[int, Said]]]:
    """Sixty submissions with answers of all kinds, put there past the front door, which would refuse some."""
    desk = a_desk(engine, tmp_path)
    desk.publish("odd", "1", FORM)
    chance = random.Random(1)
    said = {number: {name: chance.choice(values) for name, values in ANSWERS.items()} for number in range(1001, 1061)}
    session = desk.sessions()
    for number, answers in said.items():
        kept = {name: value for name, value in answers.items() if value is not None or chance.random() < 0.5}
        row = {"project_id": desk.project_id, "form_id": "odd", "form_version": "1", "actor_id": 7, "event": 1}
        row |= {"received_at": NOON, "recorded_at": NOON, "instance_id": f"uuid:{number}"}
        session.add(
            Submission(**row, id=number, current_instance_id=f"uuid:{number}", updated_at=NOON, flags=[], counts=True)
        )
        session.flush()
        session.add(
            SubmissionVersion(
                **row, submission_id=number, number=1, xml=b"", sha256=b"", canonical_sha256=b"", answers=kept
            )
        )
    session.commit()
    yield session, desk.project_id, said
    session.close()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=FILTERS)
def test_a_filter_keeps_what_a_plain_evaluation_keeps(
    stored: tuple[Session, int, dict[int, Said]], asked: Asked
) -> None:
    session, project_id, said = stored
    tables = tables_of(session, project_id, "odd")
    sought = Sought(limit=100, now=NOON, filter=asked.text, count=True)

    page = submission_page(session, project_id, "odd", tables, sought, lambda row: row.id)

    expected = [number for number in sorted(said, reverse=True) if asked.of(said[number]) is True]
    assert (page.rows, page.count) == (expected, len(expected))


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["n", "d", "t", "day", "at", "crops"]), down=st.booleans(), size=st.integers(1, 25))
def test_pages_in_any_order_are_the_whole_in_that_order(
    stored: tuple[Session, int, dict[int, Said]], name: str, down: bool, size: int
) -> None:
    session, project_id, said = stored
    tables = tables_of(session, project_id, "odd")
    seen: list[int] = []
    after: dict[str, Any] | None = None
    while True:
        order = f"{name} desc" if down else name
        sought = Sought(limit=size, now=NOON, orderby=order, after=after)
        page = submission_page(session, project_id, "odd", tables, sought, lambda row: row.id)
        seen += page.rows
        after = page.next
        if after is None:
            break

    values = {number: read(name, answers) for number, answers in said.items()}
    blank = [number for number in sorted(said, reverse=True) if values[number] is None]
    full = [number for number in sorted(said, reverse=True) if values[number] is not None]
    full.sort(key=lambda number: values[number], reverse=down)
    assert seen == (full + blank if down else blank + full)
