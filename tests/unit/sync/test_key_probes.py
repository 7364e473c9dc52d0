"""However long a list has grown, who is alike is looked up by indexes: nothing reads the list."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Connection, Engine, event, text

from sync.dedup.keys import exchange_keys, keys_of_entities, members
from sync.dedup.pairs import pairs_among, pairs_of, ties_of
from sync.models import Match, probing
from sync.models.database import execute_plainly, insert_rows
from tests.support.matching import a_people_registry, a_person, an_id
from tests.support.projects import a_desk
from tests.support.registry import an_update

IDS = [an_id(number) for number in range(3)]
PROBES: dict[str, tuple[Callable[[Connection], object], set[str]]] = {
    "who has a key": (lambda connection: members(connection, 1, "people", [7, 1007, 99_999_999], 201), {"key"}),
    "which keys one has": (lambda connection: keys_of_entities(connection, 1, "people", IDS[:1]), {"entity_id"}),
    "which keys several have": (lambda connection: keys_of_entities(connection, 1, "people", IDS), {"entity_id"}),
    "with whom one is a pair": (lambda connection: pairs_of(connection, 1, "people", IDS[:1]), {"a", "b"}),
    "with whom several are pairs": (lambda connection: pairs_of(connection, 1, "people", IDS), {"a", "b"}),
    "what hangs together": (lambda connection: ties_of(connection, 1, "people", IDS), {"a", "b"}),
    "which pairs are among several": (lambda connection: pairs_among(connection, 1, "people", IDS), {"a"}),
}
_COMPARED = re.compile(r"\b(key|entity_id|a|b)\s?=")


@contextmanager
def statements_of(connection: Connection | Engine) -> Iterator[list[tuple[str, Any]]]:
    """What is sent to the database meanwhile, with its parameters."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        sent.append((statement, parameters))

    def noting(connection: Connection, statement: str, values: Any = (), **how: bool) -> Any:
        sent.append((statement, values))
        return execute_plainly(connection, statement, values, **how)

    event.listen(connection, "before_cursor_execute", note)
    with patch.object(probing, "execute_plainly", noting):
        yield sent
    event.remove(connection, "before_cursor_execute", note)


def grow(connection: Connection, first: int, last: int) -> None:
    """So many entities: five to a family, each in a block of its own beside that of the family and the one of all."""
    rows = range(first, last)
    held = [(key, an_id(n)) for n in rows for key in (7, 1000 + n // 5, 10_000_000 + n)]
    exchange_keys(connection, 1, "people", (), held)
    pairs = [
        {
            "project_id": 1,
            "id": n,
            "list_name": "people",
            "a": an_id(n),
            "b": an_id(n + 1),
            "weight": 1.0,
            "probability": 0.5,
            "parts": [],
            "model": 0,
            "state": "open",
            "event": 1,
        }
        for n in rows
    ]
    insert_rows(connection, Match.__table__, pairs)  # type: ignore[arg-type]


def reads(connection: Connection, statement: str, parameters: Any) -> list[str]:
    """How each table is read: for an index what is looked up in it."""
    explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    ask = connection.exec_driver_sql if isinstance(parameters, dict) else partial(execute_plainly, connection)
    lines = [str(row[-1]).strip() for row in ask(explain + statement, parameters).fetchall()]
    if connection.dialect.name == "sqlite":
        return [line for line in lines if line.startswith(("SCAN", "SEARCH")) and "VIRTUAL TABLE" not in line]
    return [line for line in lines if "Seq Scan" in line or line.startswith("Index Cond")]


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_is_looked_up_in_an_index_from_the_first_record_on(engine: Engine, name: str) -> None:
    probe, compared = PROBES[name]
    a_people_registry(engine)
    grown = 0
    with engine.connect() as connection:
        for size, counted in ((0, False), (2_000, False), (2_000, True), (8_000, False), (8_000, True)):
            grow(connection, grown, size)
            grown = size
            if counted:
                connection.execute(text("ANALYZE"))
            with statements_of(connection) as sent:
                probe(connection)

            told = [line for statement, parameters in sent for line in reads(connection, statement, parameters)]

            assert told, (size, counted)
            for line in told:
                assert line.startswith(("SEARCH", "Index Cond")), (size, counted, told)
                assert _COMPARED.search(line), (size, counted, told)
            assert {found for line in told for found in _COMPARED.findall(line)} >= compared, (size, counted, told)


def test_of_a_block_that_everybody_is_in_no_more_is_read_than_asked_for(engine: Engine) -> None:
    a_people_registry(engine)
    with engine.connect() as connection:
        grow(connection, 0, 3_000)
        found = members(connection, 1, "people", [7, 1000, 99_999_999], 201)

    assert {key: len(ids) for key, ids in found.items()} == {7: 201, 1000: 5}


def test_who_arrives_or_changes_has_no_list_read(engine: Engine) -> None:
    registry = a_people_registry(engine)
    with engine.begin() as connection:
        grow(connection, 100, 3_000)

    with statements_of(engine) as sent:
        registry.arrive(("one", a_person(1, phone="70112233")), ("two", a_person(2, phone="70112233")))
        registry.arrive(("visit", an_update(an_id(1), first_name="Fanta")))
        registry.withdraw("two")

    asked = [(statement, given) for statement, given in sent if statement.lstrip().startswith(("SELECT", "UPDATE"))]
    with engine.connect() as connection:
        for statement, given in asked:
            if any(f" {table}" in statement for table in ("match_keys", "matches", "memberships")):
                for line in reads(connection, statement, given[0] if isinstance(given, list) else given):
                    assert _COMPARED.search(line) or re.search(r"\bid ?=", line), (statement, line)


def test_a_record_that_was_emptied_has_none_of_the_others_read(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk(engine, tmp_path)
    emptied = [{"instance_id": f"uuid:{n}", "form": "sale", "version": "1", "xml": ""} for n in range(2_001)]
    desk.send(emptied[:-1])

    with statements_of(engine) as sent:
        desk.send(emptied[-1:])

    asked = [(statement, given) for statement, given in sent if "FROM quarantine" in statement]
    with engine.connect() as connection:
        told = [line for statement, given in asked for line in reads(connection, statement, given)]
    assert told
    assert all("instance_id" in line for line in told), told
