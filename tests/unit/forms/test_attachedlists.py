"""Lists in files that forms attach."""

import json

import pytest

from forms.attachedlists import list_in


def test_features_are_rows_whose_geometry_is_written_as_an_answer() -> None:
    features = [
        {
            "type": "Feature",
            "id": 7,
            "properties": {"title": "Market", "deep": 12.5},
            "geometry": at("Point", [-8, 12.5]),
        },
        {"type": "Feature", "properties": None, "geometry": at("LineString", [[-8, 12], [-8.5, 12.5, 300]])},
        {"type": "Feature", "properties": {"id": "f"}, "geometry": at("Polygon", [[[0, 0], [0, 1], [1, 1], [0, 0]]])},
        {"type": "Feature", "properties": {}, "geometry": None},
    ]

    columns, rows = list_in(json.dumps({"type": "FeatureCollection", "features": features}).encode(), "wells.geojson")

    assert columns == ["geometry", "title", "deep", "id"]
    assert rows == [
        {"geometry": "12.5 -8.0 0 0", "title": "Market", "deep": "12.5", "id": "7"},
        {"geometry": "12.0 -8.0 0 0; 12.5 -8.5 0 0"},
        {"geometry": "0.0 0.0 0 0; 1.0 0.0 0 0; 1.0 1.0 0 0; 0.0 0.0 0 0", "id": "f"},
        {"geometry": ""},
    ]


def at(kind: str, coordinates: object) -> dict[str, object]:
    return {"type": kind, "coordinates": coordinates}


def test_items_of_xml_are_rows() -> None:
    content = "<root><item><name>k</name><label>Karité</label></item><item><name>n</name></item></root>".encode()

    assert list_in(content, "trees.xml") == (
        ["name", "label"],
        [{"name": "k", "label": "Karité"}, {"name": "n"}],
    )


def test_entities_in_xml_are_passed_over() -> None:
    content = b"<!DOCTYPE r [<!ENTITY e 'k'>]><root>&e;<item>&e;<name>k&e;</name></item></root>"

    assert list_in(content, "trees.xml") == (["name"], [{"name": "k"}])


@pytest.mark.parametrize("name", ["a.xml", "a.geojson"])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"<root",
        b'{"features": 7}',
        b'{"features": [{"geometry": {"type": "Point", "coordinates": [1]}}]}',
        b'{"features": [{"geometry": {"type": "Point", "coordinates": [1%s, 0]}}]}' % (b"0" * 400),
    ],
)
def test_what_is_damaged_has_no_rows(name: str, content: bytes) -> None:
    assert list_in(content, name) == ([], [])
