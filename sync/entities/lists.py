"""Secondary instances out of the database: entity lists, and the lists in files that forms have attached."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, overload

from lxml import etree
from sqlalchemy import ColumnElement, Text, cast, func, select
from sqlalchemy.orm import Session

from forms.attachedlists import KINDS, list_in
from forms.xforms.corrections import OWN_LISTS
from sync.models import Entity, EntityList, FormFile
from sync.models.probing import rows_of_ids

WHOLE_AT_MOST = 20_000  # rows: beyond this a list can only be looked into
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


class DatabaseLists:
    """`forms.form.Lists` over a project, for one batch: what was looked up once is remembered.

    `read` gives the content of an attached file by its SHA-256. An item of an entity list has `name` (the id),
    `label`, `__version` and the properties of its list; withdrawn entities are not in it. A list of more than
    `WHOLE_AT_MOST` rows is never given whole: `whole` then answers None, as for a list that does not exist.
    """

    def __init__(self, session: Session, project_id: int, read: Callable[[str], bytes]) -> None:
        self._session = session
        self._project_id = project_id
        self._read = read
        self._properties: dict[str, list[str]] | None = None
        self._tables: dict[str, _Rows | None] = {}
        self._found: dict[tuple[str, str, str], Sequence[etree._Element]] = {}
        self._whole: dict[str, etree._Element | None] = {}

    def is_entities(self, list_name: str) -> bool:
        """A device's own lists are entities too: what was chosen from them may have left them since."""
        return list_name in OWN_LISTS or list_name in self._lists()

    def find(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]:
        key = (list_name, column, value)
        if key not in self._found:
            self._found[key] = self._look_up(list_name, column, value)
        return self._found[key]

    def whole(self, list_name: str) -> etree._Element | None:
        if list_name not in self._whole:
            self._whole[list_name] = self._gather(list_name)
        return self._whole[list_name]

    def columns(self, list_name: str, *columns: str) -> list[tuple[str, ...]]:
        """Some columns of all rows of a file's list; none of one that is not here, or too long to be given whole."""
        table = self._table(list_name)
        if table is None or len(table.rows) > WHOLE_AT_MOST:
            return []
        return [tuple(_NOT_IN_XML.sub("", cells.get(column, "")) for column in columns) for cells in table.rows]

    def preload(self, list_name: str, ids: Collection[str]) -> None:
        """Fetch these entities of a list in one go, so that `find` by `name` need not ask for each."""
        if list_name not in self._lists():
            return
        wanted = [id_ for id_ in dict.fromkeys(ids) if (list_name, "name", id_) not in self._found]
        for id_ in wanted:
            self._found[(list_name, "name", id_)] = ()
        properties = self._lists()[list_name]
        for columns in self._columns_of_ids(list_name, wanted):
            self._found[(list_name, "name", columns[0])] = _Entity(partial(_entity, properties, columns))

    def _lists(self) -> Mapping[str, Sequence[str]]:
        if self._properties is None:
            rows = self._session.execute(
                select(EntityList.name, EntityList.properties).where(
                    EntityList.project_id == self._project_id, EntityList.deleted_at.is_(None)
                )
            )
            self._properties = {row.name: row.properties for row in rows}
        return self._properties

    def _look_up(self, list_name: str, column: str, value: str) -> Sequence[etree._Element]:
        if list_name in OWN_LISTS:
            return ()
        if self.is_entities(list_name):
            if column == "name":
                return self._entities_of_ids(list_name, [value])
            return self._entities(list_name, _where(column, value))
        table = self._table(list_name)
        return [_item(table.columns, cells) for cells in table.find(column, value)] if table else ()

    def _gather(self, list_name: str) -> etree._Element | None:
        items: Sequence[etree._Element]
        if list_name in OWN_LISTS:
            return None
        if self.is_entities(list_name):
            items = self._entities(list_name, limit=WHOLE_AT_MOST + 1)
        elif (table := self._table(list_name)) is not None and len(table.rows) <= WHOLE_AT_MOST:
            items = [_item(table.columns, cells) for cells in table.rows]
        else:
            return None
        if len(items) > WHOLE_AT_MOST:
            return None
        root = etree.Element("root")
        root.extend(items)
        return root

    def _entities_of_ids(self, list_name: str, ids: Sequence[str]) -> list[etree._Element]:
        properties = self._lists()[list_name]
        return [_entity(properties, columns) for columns in self._columns_of_ids(list_name, ids)]

    def _columns_of_ids(self, list_name: str, ids: Sequence[str]) -> list[Sequence[Any]]:
        fixed = [(Entity.project_id, self._project_id), (Entity.list_name, list_name)]
        columns = [*_COLUMNS, Entity.withdrawn, Entity.deleted_at]
        rows = rows_of_ids(self._session.connection(), columns, fixed, Entity.id, ids)
        return [found for *found, withdrawn, deleted_at in rows if not (withdrawn or deleted_at)]

    def _entities(
        self, list_name: str, which: ColumnElement[bool] | None = None, limit: int | None = None
    ) -> list[etree._Element]:
        query = (
            select(*_COLUMNS)
            .where(
                Entity.project_id == self._project_id,
                Entity.list_name == list_name,
                Entity.withdrawn.is_(False),
                Entity.deleted_at.is_(None),
            )
            .order_by(Entity.id)
            .limit(limit)
        )
        if which is not None:
            query = query.where(which)
        properties = self._lists()[list_name]
        return [_entity(properties, row) for row in self._session.execute(query)]

    def _table(self, list_name: str) -> _Rows | None:
        if list_name not in self._tables:
            file = self._session.execute(
                select(FormFile.name, FormFile.sha256)
                .where(
                    FormFile.project_id == self._project_id,
                    FormFile.name.in_([f"{list_name}{kind}" for kind in KINDS]),
                    FormFile.sha256.is_not(None),
                )
                .order_by(FormFile.event.desc(), FormFile.name)
                .limit(1)
            ).one_or_none()
            self._tables[list_name] = _parsed.get(file.sha256, file.name, self._read) if file else None
        return self._tables[list_name]


class _Entity(Sequence[etree._Element]):
    """One entity that was found. Most often nobody wants to know more; only then it is made into an item."""

    def __init__(self, make: Callable[[], etree._Element]) -> None:
        self._make = make
        self._items: tuple[etree._Element, ...] = ()

    def __len__(self) -> int:
        return 1

    @overload
    def __getitem__(self, index: int) -> etree._Element: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[etree._Element]: ...
    def __getitem__(self, index: int | slice) -> etree._Element | Sequence[etree._Element]:
        if not self._items:
            self._items = (self._make(),)
        return self._items[index]


class _Rows:
    """A file as read, with an index for each column that somebody has asked by. Threads may share it."""

    def __init__(self, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
        self.columns = columns
        self.rows = rows
        self._indexes: dict[str, dict[str, list[Mapping[str, str]]]] = {}

    def find(self, column: str, value: str) -> Sequence[Mapping[str, str]]:
        index = self._indexes.get(column)
        if index is None:
            index = {}
            for cells in self.rows:
                index.setdefault(cells.get(column, ""), []).append(cells)
            self._indexes[column] = index
        return index.get(value, ())


class _Parsed:
    """The files that this process has read, by their hash: the last ones, up to so many rows in all."""

    def __init__(self, rows: int) -> None:
        self._bound = rows
        self._kept: OrderedDict[str, _Rows] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, sha256: str, name: str, read: Callable[[str], bytes]) -> _Rows:
        with self._lock:
            if sha256 in self._kept:
                self._kept.move_to_end(sha256)
                return self._kept[sha256]
        rows = _Rows(*list_in(read(sha256), name))
        with self._lock:
            self._kept[sha256] = rows
            while len(self._kept) > 1 and sum(len(kept.rows) for kept in self._kept.values()) > self._bound:
                self._kept.popitem(last=False)
        return rows


_COLUMNS = [Entity.id, Entity.label, Entity.version, Entity.data]
_parsed = _Parsed(rows=300_000)


def _where(column: str, value: str) -> ColumnElement[bool]:
    if column == "label":
        return Entity.label == value
    if column == "__version":
        return cast(Entity.version, Text) == value
    return func.coalesce(Entity.data[column].as_string(), "") == value


def _entity(properties: Sequence[str], columns: Sequence[Any]) -> etree._Element:
    id_, label, version, data = columns
    cells = {**dict.fromkeys(properties, ""), **data, "name": id_, "label": label, "__version": str(version)}
    return _item(("name", "label", "__version", *properties), cells)


def _item(columns: Sequence[str], cells: Mapping[str, Any]) -> etree._Element:
    item = etree.Element("item")
    for column in filter(_is_tag, columns):
        etree.SubElement(item, column).text = _NOT_IN_XML.sub("", str(cells.get(column, "")))
    return item


@lru_cache(maxsize=4096)
def _is_tag(column: str) -> bool:
    """Whether an element can be called so; what cannot be named cannot be asked for."""
    try:
        etree.Element(column)
    except ValueError:
        return False
    return True
