"""Lists in files that forms attach: CSV, XML and GeoJSON, each as rows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from forms.tables import read_table
from forms.xforms.xml import local_name, parser

KINDS = (".csv", ".xml", ".geojson")


def list_in(content: bytes, name: str) -> tuple[Sequence[str], Sequence[Mapping[str, str]]]:
    """Columns and rows, as clients make items of them. A file that is damaged has none, or those that can be read."""
    if name.endswith(".csv"):
        table = read_table(content, name)
        return table.columns, [row.cells for row in table.rows]
    rows = _of_geojson(content) if name.endswith(".geojson") else _of_xml(content)
    return list(dict.fromkeys(column for row in rows for column in row)), rows


def _of_xml(content: bytes) -> list[dict[str, str]]:
    try:
        root = etree.fromstring(content, parser())
    except (etree.XMLSyntaxError, ValueError):
        return []
    items = [item for item in root.iterchildren(etree.Element) if local_name(item.tag) == "item"]
    return [{local_name(cell.tag): cell.text or "" for cell in item.iterchildren(etree.Element)} for item in items]


def _of_geojson(content: bytes) -> list[dict[str, str]]:
    try:
        return [_feature(feature) for feature in json.loads(content)["features"]]
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError):
        return []


def _feature(feature: Mapping[str, Any]) -> dict[str, str]:
    """Its properties, its id where it has one of its own, and its geometry as an answer would have it."""
    row = {str(name): _text(value) for name, value in (feature.get("properties") or {}).items()}
    if "id" in feature:
        row["id"] = _text(feature["id"])
    return {"geometry": _geometry(feature["geometry"]), **row}


def _geometry(geometry: Mapping[str, Any] | None) -> str:
    match geometry:
        case {"type": "Point", "coordinates": place}:
            return _point(place)
        case {"type": "LineString", "coordinates": places} | {"type": "Polygon", "coordinates": [places, *_]}:
            return "; ".join(map(_point, places))
    return ""


def _point(place: Any) -> str:
    return f"{float(place[1])} {float(place[0])} 0 0"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
