"""lists/NAME.csv: the entities that a list starts with."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass

from forms.tables import Row, Table, cut, read_table, require_columns

# Ids that are made from content must come out the same for ever: never change this.
_NAMESPACE = uuid.UUID("5b0c7a52-7d2e-5a43-9f0e-2f6c1d3a9b10")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# Names that the specification keeps for itself, in any case.
_RESERVED = frozenset({"name", "label"})
_PROPERTY = re.compile(r"[^\W\d][\w.-]*")


@dataclass(frozen=True, slots=True)
class ListRow:
    """One entity to start with. `entity_id` is as written, or made from the content where the file leaves it blank."""

    entity_id: str
    label: str
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class EntityListFile:
    """One file under lists/: its properties in the order of its columns, and its rows."""

    properties: tuple[str, ...]
    rows: tuple[ListRow, ...]


def read_entity_list(csv: bytes, list_name: str, place: str) -> tuple[EntityListFile, Table]:
    """The list, and the table whose findings say what is wrong with it. Blank values are left out of `data`.

    A blank or absent `name` becomes a UUID v5 of the list's name and the row's content, so that loading the file again
    makes nothing new.
    """
    table = read_table(csv, place)
    require_columns(table, ["label"])
    properties = tuple(column for column in table.columns if column not in ("name", "label"))
    for name in properties:
        _check_property(name, table)
    if "label" not in table.columns:
        return EntityListFile(properties, ()), table
    rows: dict[str, ListRow] = {}
    numbers: dict[str, int] = {}
    for row in table.rows:
        entity = _entity(row, list_name, properties, table)
        if entity.entity_id in rows:
            _same_twice(row, entity, numbers[entity.entity_id], table)
        rows[entity.entity_id] = entity
        numbers.setdefault(entity.entity_id, row.number)
    table.findings = cut(table.findings, place)
    return EntityListFile(properties, tuple(rows.values())), table


def _check_property(name: str, table: Table) -> None:
    if not name:
        return
    if name.lower() in _RESERVED or name.startswith("__"):
        table.fault(None, name, f"‘{name}’ is a name that entity lists keep for themselves.", "Call it otherwise.")
    elif not _PROPERTY.fullmatch(name):
        table.fault(
            None, name, f"‘{name}’ cannot be a property.", "Use letters, digits, points, hyphens and underscores."
        )


def _entity(row: Row, list_name: str, properties: tuple[str, ...], table: Table) -> ListRow:
    label = row.cells["label"]
    if not label:
        table.fault(row, "label", "The entity has no label.", "Fill it in: it is what people choose from.")
    values = {name: row.cells[name] for name in properties if row.cells[name]}
    written = row.cells.get("name", "")
    entity_id = written.lower().removeprefix("uuid:")
    if written and not _UUID.fullmatch(entity_id):
        table.fault(row, "name", f"‘{written}’ is not a UUID.", "Leave it blank, and one is made.")
    if not written:
        content = "\x1f".join([list_name, label, *(f"{key}={values[key]}" for key in sorted(values))])
        entity_id = str(uuid.uuid5(_NAMESPACE, content))
    return ListRow(entity_id, label, values)


def _same_twice(row: Row, entity: ListRow, first: int, table: Table) -> None:
    if row.cells.get("name"):
        table.fault(row, "name", f"The id {entity.entity_id} is taken by row {first}.", "Ids are unique.")
    else:
        table.fault(
            row, None, f"The row says the same as row {first}.", "Take it out, or give both an id in the column ‘name’."
        )
