"""The service document and `$metadata` of a form or an entity list (EDMX 4.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lxml import etree

from sync.exports.fields import Path, Table, repeats_in
from sync.exports.naming import WireNames, parent_key, wire_name, wire_table

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"
SYSTEM = "org.opendatakit.submission"
USER = "org.opendatakit.user"
_NAMESPACES: Any = {"edmx": EDMX, None: EDM}
_E, _X = f"{{{EDM}}}", f"{{{EDMX}}}"
_TYPES = {
    "int": "Edm.Int64",
    "decimal": "Edm.Decimal",
    "boolean": "Edm.Boolean",
    "date": "Edm.Date",
    "dateTime": "Edm.DateTimeOffset",
    "geopoint": "Edm.GeographyPoint",
    "geotrace": "Edm.GeographyLineString",
    "geoshape": "Edm.GeographyPolygon",
}
OF_SUBMISSIONS: Mapping[str, str] = {
    "submissionDate": "Edm.DateTimeOffset",
    "updatedAt": "Edm.DateTimeOffset",
    "deletedAt": "Edm.DateTimeOffset",
    "submitterId": "Edm.String",
    "submitterName": "Edm.String",
    "attachmentsPresent": "Edm.Int64",
    "attachmentsExpected": "Edm.Int64",
    "status": "org.opendatakit.submission.Status",
    "reviewState": "org.opendatakit.submission.ReviewState",
    "deviceId": "Edm.String",
    "edits": "Edm.Int64",
    "formVersion": "Edm.String",
}
_ENUMERATIONS = {
    "Status": ("notDecrypted", "missingEncryptedFormData"),
    "ReviewState": ("hasIssues", "edited", "rejected", "approved"),
}
OF_ENTITIES: Mapping[str, str] = {
    "createdAt": "Edm.DateTimeOffset",
    "creatorId": "Edm.String",
    "creatorName": "Edm.String",
    "updates": "Edm.Int64",
    "updatedAt": "Edm.DateTimeOffset",
    "deletedAt": "Edm.DateTimeOffset",
    "version": "Edm.Int64",
    "conflict": "Edm.String",
}


def service_document(address: str, sets: Iterable[str]) -> dict[str, Any]:
    """What there is at this address."""
    return {
        "@odata.context": f"{address}/$metadata",
        "value": [{"name": name, "kind": "EntitySet", "url": name} for name in sets],
    }


def form_metadata(form_id: str, tables: Sequence[Table], shown: Mapping[str, Sequence[Path]]) -> bytes:
    """The schema of a form's tables; `shown` has the paths of the columns that this visitor sees, by table."""
    namespace = f"{USER}.{wire_name(form_id)}"
    root, services = _document()
    _system(services, OF_SUBMISSIONS, _ENUMERATIONS)
    schema = etree.SubElement(services, f"{_E}Schema", Namespace=namespace)
    types = _type_names(tables)
    taken = set(types.values())
    for table in tables:
        _Entity(schema, namespace, types, taken, tables, table, shown[table.identity]).write()
    container = etree.SubElement(schema, f"{_E}EntityContainer", Name=wire_name(form_id))
    for table in tables:
        _entity_set(container, f"{namespace}.{types[table.identity]}", tables, table)
    return _written(root)


def entity_list_metadata(list_name: str, properties: Iterable[str]) -> bytes:
    """The schema of an entity list, of the properties (as they are called on the wire) that this visitor sees."""
    namespace = f"{USER}.{wire_name(list_name)}"
    root, services = _document()
    _system(services, OF_ENTITIES, {}, "org.opendatakit.entity")
    schema = etree.SubElement(services, f"{_E}Schema", Namespace=namespace)
    kind = etree.SubElement(schema, f"{_E}EntityType", Name="Entities")
    _key(kind)
    _property(kind, "__system", "org.opendatakit.entity.metadata")
    for name in properties:
        _property(kind, name, "Edm.String")
    container = etree.SubElement(schema, f"{_E}EntityContainer", Name=wire_name(list_name))
    etree.SubElement(container, f"{_E}EntitySet", Name="Entities", EntityType=f"{namespace}.Entities")
    return _written(root)


class _Entity:
    """One entity type with the complex types of its groups."""

    def __init__(
        self,
        schema: etree._Element,
        namespace: str,
        types: Mapping[str, str],
        taken: set[str],
        tables: Sequence[Table],
        table: Table,
        shown: Sequence[Path],
    ) -> None:
        self.schema = schema
        self.types = types
        self.taken = taken
        self.namespace = namespace
        self.tables = tables
        self.table = table
        self.name = types[table.identity]
        self.repeats = repeats_in(tables, table)
        self.names = WireNames(table, self.repeats)
        wanted = set(shown)
        self.columns = [column for column in table.columns if column.path in wanted]

    def write(self) -> None:
        kind = etree.SubElement(self.schema, f"{_E}EntityType", Name=self.name)
        _key(kind)
        if self.table.parent is None:
            _property(kind, "__system", f"{SYSTEM}.metadata")
        else:
            _property(kind, parent_key(self.tables, self.table), "Edm.String")
        self.fill(kind, ())

    def fill(self, kind: etree._Element, around: Path) -> None:
        """The properties directly in the row or in one of its groups, in the form's order."""
        depth = len(around)
        done: set[str] = set()
        for column in self.columns:
            if column.path[:depth] != around or column.path[depth] in done:
                continue
            name = column.path[depth]
            done.add(name)
            path = (*around, name)
            if len(column.path) > depth + 1:
                self.group(kind, path)
            else:
                _property(kind, self.names.of(path)[-1], _TYPES.get(column.kind, "Edm.String"))
        for repeat in self.repeats:
            if repeat.within[:depth] != around or repeat.within[depth] in done:
                continue
            if len(repeat.within) == depth + 1:
                target = f"{self.namespace}.{self.types[repeat.identity]}"
                etree.SubElement(
                    kind,
                    f"{_E}NavigationProperty",
                    Name=self.names.of(repeat.within)[-1],
                    Type=f"Collection({target})",
                )
            else:
                done.add(repeat.within[depth])
                self.group(kind, repeat.within[: depth + 1])

    def group(self, kind: etree._Element, path: Path) -> None:
        wire = self.names.of(path)
        called = _free("_".join((self.name, *wire)), self.taken)
        _property(kind, wire[-1], f"{self.namespace}.{called}")
        self.fill(etree.SubElement(self.schema, f"{_E}ComplexType", Name=called), path)


def _type_names(tables: Sequence[Table]) -> dict[str, str]:
    """What the entity type of each table is called. A set may have points in its name, a type may not."""
    taken: set[str] = set()
    return {table.identity: _free(wire_table(tables, table).replace(".", "_"), taken) for table in tables}


def _free(name: str, taken: set[str]) -> str:
    found, number = name, 1
    while found in taken:
        number += 1
        found = f"{name}_{number}"
    taken.add(found)
    return found


def _document() -> tuple[etree._Element, etree._Element]:
    root = etree.Element(f"{_X}Edmx", {"Version": "4.0"}, nsmap=_NAMESPACES)
    return root, etree.SubElement(root, f"{_X}DataServices")


def _system(
    services: etree._Element,
    properties: Mapping[str, str],
    enumerations: Mapping[str, Sequence[str]],
    namespace: str = SYSTEM,
) -> None:
    schema = etree.SubElement(services, f"{_E}Schema", Namespace=namespace)
    kind = etree.SubElement(schema, f"{_E}ComplexType", Name="metadata")
    for name, of_type in properties.items():
        _property(kind, name, of_type)
    for name, members in enumerations.items():
        listed = etree.SubElement(schema, f"{_E}EnumType", Name=name)
        for value, member in enumerate(members):
            etree.SubElement(listed, f"{_E}Member", Name=member, Value=str(value))


def _key(kind: etree._Element) -> None:
    etree.SubElement(etree.SubElement(kind, f"{_E}Key"), f"{_E}PropertyRef", Name="__id")
    _property(kind, "__id", "Edm.String", Nullable="false")


def _property(kind: etree._Element, name: str, of_type: str, **more: str) -> None:
    if of_type == "Edm.Decimal":
        more["Scale"] = "variable"
    elif of_type == "Edm.DateTimeOffset":
        more["Precision"] = "6"  # without it, a moment has whole seconds (CSDL 4.0, 6.2.3)
    etree.SubElement(kind, f"{_E}Property", {"Name": name, "Type": of_type, **more})


def _entity_set(container: etree._Element, of_type: str, tables: Sequence[Table], table: Table) -> None:
    found = etree.SubElement(container, f"{_E}EntitySet", Name=wire_table(tables, table), EntityType=of_type)
    names = WireNames(table, repeats_in(tables, table))
    for repeat in repeats_in(tables, table):
        etree.SubElement(
            found,
            f"{_E}NavigationPropertyBinding",
            Path="/".join(names.of(repeat.within)),
            Target=wire_table(tables, repeat),
        )


def _written(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8")
