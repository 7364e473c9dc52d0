"""An existing list is matched against what is there before it is loaded, and nobody is merged by it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from openpyxl import Workbook

from sync.dedup import yardsticks
from tests.support.people import a_gathering, publish_gathering
from tests.support.web import House, Voice, refused, shown

HEADER = "first_name,last_name,sex,birth_year,phone,village,commune,group"
SAME = "Jeneba,Koulibaly,female,1990,76000001,Siby,Siby,Benkadi"
OTHER = "Moussa,Sangaré,male,1955,,Kangaba,Kangaba,"


@pytest.fixture
def village(house: House) -> House:
    publish_gathering(house)
    assert house.amina.outcomes(a_gathering(1)) == ["stored"]
    return house


def a_csv(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join([header, *rows]).encode()


def an_xlsx(*rows: str) -> bytes:
    book = Workbook()
    assert book.active is not None
    for row in (HEADER, *rows):
        book.active.append([int(cell) if cell.isdigit() and len(cell) == 4 else cell for cell in row.split(",")])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def preview(voice: Voice, data: bytes) -> dict[str, Any]:
    return dict(shown(voice.post("datasets/people/import?preview=true&name=register.csv", data=data)))


def load(voice: Voice, data: bytes) -> Any:
    return voice.post("datasets/people/import?name=register.csv", data=data)


def size(village: House) -> int:
    return len(shown(village.baraka.get("datasets/people/entities")))


@pytest.mark.parametrize("made", [a_csv, an_xlsx])
def test_a_preview_says_who_each_row_is_and_changes_nothing(village: House, made: Any) -> None:
    found = preview(village.baraka, made(SAME, OTHER))

    assert [row["outcome"] for row in found["rows"]] in (["same", "new"], ["maybe", "new"])
    [likely] = found["rows"][0]["likely"]
    assert likely["label"] == "Djénéba Coulibaly (Siby)"
    assert likely["probability"] > 0.5
    assert all(reason["words"] for reason in likely["reasons"])
    assert size(village) == 1


def test_rows_of_one_file_that_look_alike_are_told_too(village: House) -> None:
    found = preview(village.baraka, a_csv(OTHER, OTHER.replace("Sangaré", "Sangare"), header=HEADER))

    assert [row.get("likely", [{}])[0].get("row") for row in found["rows"]] == [3, 2]


def test_rows_that_have_everything_in_common_with_too_many_are_counted(
    village: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yardsticks, "CAP", 4)

    few, many = (preview(village.baraka, a_csv(*[OTHER] * count, header=HEADER)) for count in (4, 5))

    assert (few["crowded"], few["counts"]["maybe"]) == (0, 4)
    assert (many["crowded"], many["counts"]["new"]) == (5, 5)


def test_loading_makes_entities_whose_matches_are_open(village: House) -> None:
    loaded = shown(load(village.baraka, a_csv(SAME, OTHER)))

    assert (loaded["created"], loaded["changed"], loaded["unchanged"]) == (2, 0, 0)
    assert loaded["matches"] == 1
    [pair] = shown(village.baraka.get("matches"))["matches"]
    assert {pair["a"]["label"], pair["b"]["label"]} == {"Djénéba Coulibaly (Siby)", "Jeneba Koulibaly (Siby)"}
    assert pair["state"] == "open"
    audits = shown(village.sekou.get("/v1/audits?action=entity.bulk.create"))
    assert audits[0]["details"]["created"] == 2


def test_what_was_previewed_is_what_is_loaded(village: House) -> None:
    told = preview(village.baraka, a_csv(SAME))["rows"][0]["likely"][0]

    shown(load(village.baraka, a_csv(SAME)))

    [pair] = shown(village.baraka.get("matches"))["matches"]
    assert pair["probability"] == pytest.approx(told["probability"])
    assert pair["weight"] == pytest.approx(told["weight"])


@pytest.mark.parametrize("column", ["name", "uuid", "__id"])
def test_a_row_with_an_id_that_is_there_changes_that_entity(village: House, column: str) -> None:
    [known] = shown(village.baraka.get("datasets/people/entities"))
    data = a_csv(f"{known['uuid']},66 77 88 99", header=f"{column},phone")

    assert [row["outcome"] for row in preview(village.baraka, data)["rows"]] == ["changes"]
    loaded = shown(load(village.baraka, data))

    assert (loaded["created"], loaded["changed"]) == (0, 1)
    now = shown(village.baraka.get(f"datasets/people/entities/{known['uuid']}"))["currentVersion"]
    assert (now["data"]["phone"], now["data"]["first_name"], now["version"]) == ("66 77 88 99", "Djénéba", 2)
    assert now["label"] == "Djénéba Coulibaly (Siby)"
    assert [row["outcome"] for row in preview(village.baraka, data)["rows"]] == ["unchanged"]


def test_what_we_exported_can_be_loaded_again_and_changes_nothing(village: House) -> None:
    shown(load(village.baraka, a_csv(OTHER.replace("Moussa", "=1+1"))))
    exported = village.baraka.get("datasets/people/entities.csv").get_data()
    assert b"'=1+1" in exported

    found = preview(village.baraka, exported)

    assert found["counts"] == {"new": 0, "same": 0, "maybe": 0, "changes": 0, "unchanged": 2, "faulty": 0}


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (a_csv("Awa", header="prenom"), "no property"),
        ("first_name\nAïssata".encode("latin-1"), "not in UTF-8"),
        (b"", "empty"),
        (b"PK\x03\x04 not a workbook", ""),
        (a_csv("Awa\0"), "NUL"),
        (a_csv('"Awa', header="first_name"), "cannot be read"),
        (a_csv("Awa,Keita", header="first_name"), "cells"),
        (a_csv("76000001", header="phone"), "Nobody is named"),
        (a_csv("Awa,19xx", header="first_name,birth_year"), "not a year of birth"),
        (a_csv("Awa,1650", header="first_name,birth_year"), "not a year of birth"),
        (a_csv("Awa,not-an-id", header="first_name,name"), "not a UUID"),
        (a_csv("A" * 10_001, header="first_name"), "characters"),
    ],
)
def test_a_faulty_list_is_told_its_faults_and_is_not_loaded(village: House, data: bytes, fault: str) -> None:
    found = preview(village.baraka, data)
    findings = [*found["findings"], *(one for row in found["rows"] for one in row.get("findings", []))]
    assert any(fault in finding["fault"] for finding in findings), findings
    assert all(finding.get("remedy") or finding["fault"] for finding in findings)

    answer = load(village.baraka, data)

    assert answer.status_code == 400
    assert answer.get_json()["details"]["findings"]
    assert size(village) == 1


def test_one_id_twice_is_a_fault_of_the_second_row(village: House) -> None:
    one = "5b0c7a52-7d2e-4a43-9f0e-2f6c1d3a9b10"
    found = preview(village.baraka, a_csv(f"{one},Awa", f"{one},Oumou", header="name,first_name"))

    assert [row["outcome"] for row in found["rows"]] == ["new", "faulty"]
    assert "Row 2" in found["rows"][1]["findings"][0]["fault"]


def test_a_deleted_entity_is_not_changed_by_a_list(village: House) -> None:
    [known] = shown(village.baraka.get("datasets/people/entities"))
    shown(village.baraka.delete(f"datasets/people/entities/{known['uuid']}"))

    found = preview(village.baraka, a_csv(f"{known['uuid']},Awa", header="name,first_name"))

    assert "was deleted" in found["rows"][0]["findings"][0]["fault"]


def test_more_than_a_list_may_hold_is_refused_and_no_failure(village: House) -> None:
    many = preview(village.baraka, a_csv(*(f"Awa{number}" for number in range(20_001)), header="first_name"))
    assert "20,000 rows" in many["findings"][0]["fault"]

    assert refused(load(village.baraka, b"x" * (17 * 1024 * 1024))) == 413.1


def test_a_list_whose_records_are_not_compared_takes_no_import(village: House) -> None:
    shown(village.djeneba.post("datasets", json={"name": "villages"}))

    assert village.baraka.post("datasets/villages/import?preview=true", data=b"label\nSiby").status_code == 404
