"""Blocking keys as the table holds them: an entity's own, and who else has one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Connection, bindparam, column, delete, func, select, text, true
from sqlalchemy.dialects.postgresql import ARRAY

from sync.models import MatchKey
from sync.models.database import insert_rows
from sync.models.probing import rows_of, rows_of_keys, unseen

Held = tuple[int, str]  # key, entity
_AT_ONCE = 2000


def keys_of_entities(
    connection: Connection, project_id: int, list_name: str, entity_ids: Collection[str]
) -> dict[str, set[int]]:
    """The keys that these entities have, as far as they have any."""
    found: dict[str, set[int]] = defaultdict(set)
    for entity_id, key in _keys_held(connection, project_id, list_name, sorted(entity_ids)):
        found[entity_id].add(key)
    return found


def exchange_keys(
    connection: Connection, project_id: int, list_name: str, gone: Iterable[Held], new: Iterable[Held]
) -> None:
    """Take some keys from their entities, and give others to theirs."""
    of_list = {"project_id": project_id, "list_name": list_name}
    if leaving := [{"the_key": key, "the_entity": entity_id} for key, entity_id in gone]:
        connection.execute(_DELETE, [{"the_project": project_id, "the_list": list_name, **row} for row in leaving])
    rows = [{**of_list, "key": key, "entity_id": entity_id} for key, entity_id in new]
    insert_rows(connection, MatchKey.__table__, rows)  # type: ignore[arg-type]


def members(
    connection: Connection, project_id: int, list_name: str, keys: Collection[int], limit: int
) -> Mapping[int, Sequence[str]]:
    """Who has each of these keys; of one that more than `limit` have, some `limit` of them.

    The cost is that of what is found, however many have the key.
    """
    found: dict[int, list[str]] = defaultdict(list)
    postgres = connection.dialect.name == "postgresql"
    of_list = {"project": project_id, "list": list_name}
    ordered = sorted(keys)
    for start in range(0, len(ordered), _AT_ONCE):
        some = ordered[start : start + _AT_ONCE]
        if postgres:
            rows = rows_of(connection, _each_by_lateral(), {**of_list, "keys": some, "limit": limit})
        else:
            keys_as_json = orjson.dumps(some).decode()
            rows = rows_of(connection, _EACH_BY_JSON, {**of_list, "keys": keys_as_json, "last": limit - 1})
        for key, entity_id in rows:
            found[key].append(entity_id)
    return found


def _keys_held(connection: Connection, project_id: int, list_name: str, entity_ids: Sequence[str]) -> Iterator[Any]:
    if connection.dialect.name == "postgresql":
        yield from rows_of_keys(
            connection,
            [MatchKey.entity_id, MatchKey.key],
            [MatchKey.entity_id],
            [(entity_id,) for entity_id in entity_ids],
            (MatchKey.project_id, project_id),
            (MatchKey.list_name, list_name),
        )
        return
    of_list = {"project": project_id, "list": list_name}
    for start in range(0, len(entity_ids), _AT_ONCE):
        yield from connection.execute(_OF_ENTITIES, {**of_list, "entities": entity_ids[start : start + _AT_ONCE]})


@cache
def _each_by_lateral() -> Any:
    wanted = (
        func.unnest(unseen("keys", ARRAY(BigInteger))).table_valued(column("key", BigInteger)).render_derived("wanted")
    )
    probe = (
        select(MatchKey.entity_id)
        .where(
            MatchKey.project_id == bindparam("project"),
            MatchKey.list_name == bindparam("list"),
            MatchKey.key == wanted.c.key,
        )
        .limit(bindparam("limit"))
        .lateral()
    )
    return select(wanted.c.key, probe.c.entity_id).select_from(wanted.join(probe, true()))


# Left to choose, and without statistics, SQLite reads all keys of the project: the primary key holds every column that
# is asked for, and it takes one column that is given for as good as three.
_OF_ENTITIES = text(
    """
    SELECT entity_id, key FROM match_keys INDEXED BY ix_match_keys_entity
    WHERE project_id = :project AND list_name = :list AND entity_id IN :entities
    """
).bindparams(bindparam("entities", expanding=True))
# CROSS JOIN keeps the order: left to choose, SQLite goes through all keys of the list and looks for each among those
# that are wanted. What lies behind the last one that is wanted of a block is never read.
_EACH_BY_JSON = text(
    """
    SELECT wanted.value, found.entity_id
    FROM json_each(:keys) AS wanted CROSS JOIN match_keys AS found
    WHERE found.project_id = :project AND found.list_name = :list AND found.key = wanted.value
    AND found.entity_id <= coalesce(
        (
            SELECT behind.entity_id FROM match_keys AS behind
            WHERE behind.project_id = :project AND behind.list_name = :list AND behind.key = wanted.value
            ORDER BY behind.entity_id LIMIT 1 OFFSET :last
        ),
        '~'
    )
    """
).columns(MatchKey.key, MatchKey.entity_id)
_DELETE = delete(MatchKey).where(
    MatchKey.project_id == bindparam("the_project"),
    MatchKey.list_name == bindparam("the_list"),
    MatchKey.key == bindparam("the_key"),
    MatchKey.entity_id == bindparam("the_entity"),
)
