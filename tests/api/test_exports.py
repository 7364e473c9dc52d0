"""Exports read back by the libraries that people use, and compared with what was sent."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pandas
import pyreadstat
import pytest
from lxml import etree
from openpyxl.utils.escape import unescape
from sqlalchemy import select, update

from server.db import session
from sync.exports.cells import safe
from sync.models import Audit, SubmissionVersion
from sync.models.database import begin_writing
from tests.support.exports import a_visit, publish, read_csv, tables_in, with_visits
from tests.support.pages import signed_in
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused

FILE = "forms/visit/submissions"
SPLIT = "splitSelectMultiples=true"
NOTE = """
    | survey | | |
    | type | name | label |
    | text | note | Note |
"""
CHOICES = """
    | choices | | |
    | list_name | name | label |
"""
FIELD = """
    | survey        |           |             |
    | type          | name      | label       |
    | text          | name      | Name        |
    | text          | first     | Same        |
    | text          | First     | Same        |
    | text          | status    | Status      |
    | text          | begin     | Begun       |
    | text          | end       | Ended       |
    | text          | __x       | X           |
    | text          | İx        | İx          |
    | text          | fieldpath | Way there   |
    | text          | nom_élève | Pupil       |
    | integer       | owners    | Owners      |
    | decimal       | area      | Area        |
    | date          | day       | Day         |
    | select_one kind | kind    | Kind        |
    | geopoint      | spot      | Spot        |
    | choices       |           |             |
    | list_name     | name      | label       |
    | kind          | 1         | Dry         |
    | kind          | 2         | Wet         |
"""
_KML = "{http://www.opengis.net/kml/2.2}"


def test_a_csv_archive_has_centrals_files_columns_and_keys(house: House) -> None:
    visits = with_visits(house, 30)

    answer = house.baraka.get(f"{FILE}.csv.zip?attachments=false")

    tables = tables_in(answer.get_data())
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="visit.csv.zip"')
    assert answer.headers["X-Total-Rows"] == "30"
    assert zipfile.ZipFile(io.BytesIO(answer.get_data())).comment == b"rows=30"
    assert list(tables) == ["visit.csv", "visit-people.csv", "visit-loans.csv", "visit-debts.csv"]
    assert list(tables["visit.csv"][0]) == [
        *("SubmissionDate", "at", "who", "sacks"),
        *("visit-spot-Latitude", "visit-spot-Longitude", "visit-spot-Altitude", "visit-spot-Accuracy"),
        *("visit-sex", "visit-crops", "visit-area", "visit-day", "visit-photo"),
        "meta-instanceID",
        *("KEY", "SubmitterID", "SubmitterName", "AttachmentsPresent", "AttachmentsExpected"),
        *("Status", "ReviewState", "DeviceID", "Edits", "FormVersion"),
    ]
    assert list(tables["visit-people.csv"][0]) == ["name", "age", "PARENT_KEY", "KEY"]
    assert [row["KEY"] for row in tables["visit.csv"]] == [visit["instance_id"] for visit in reversed(visits)]


def test_a_csv_archive_says_what_was_sent(house: House) -> None:
    visits = {visit["instance_id"]: visit for visit in with_visits(house, 40)}

    tables = tables_in(house.baraka.get(f"{FILE}.csv.zip?deletedFields=true").get_data())

    people, loans, others = [], [], []
    for row in tables["visit.csv"]:
        visit = visits[row["KEY"]]
        answers = visit["answers"]
        assert row["at"] == f"{answers['at'][:10]}T08:00:00.000Z"
        assert row["who"] == safe(answers["who"].strip(" ") if answers["who"].strip() else answers["who"])
        assert row["sacks"] == str(answers.get("bags", answers.get("sacks")))
        assert row["gone"] == answers.get("gone", "")
        assert row["visit-crops"] == " ".join(answers["visit"]["crops"] or [])
        assert row["visit-sex"] == (answers["visit"]["sex"] or "")
        assert row["visit-area"] == ("" if (area := answers["visit"]["area"]) is None else str(area))
        assert row["visit-spot-Latitude"] == str(answers["visit"].get("spot", [""])[0])
        assert row["FormVersion"] == visit["version"]
        for number, person in enumerate(answers["people"], 1):
            key = f"{row['KEY']}/people[{number}]"
            people.append((safe(person["name"]), str(person["age"]), row["KEY"], key))
            loans += [
                (str(loan["sum"]), key, f"{key}/loans[{position}]") for position, loan in enumerate(person["loans"], 1)
            ]
        others += [
            (safe(loan["lender"]), row["KEY"], f"{row['KEY']}/more/debts[{position}]")
            for position, loan in enumerate(answers["more"]["debts"], 1)
        ]
    assert [tuple(row.values()) for row in tables["visit-people.csv"]] == people
    assert [tuple(row.values()) for row in tables["visit-loans.csv"]] == loans
    assert [tuple(row.values()) for row in tables["visit-debts.csv"]] == others


def test_the_options_of_central_do_what_they_say(house: House) -> None:
    with_visits(house, 8)
    [plain] = [list(read_csv(house.baraka.get(f"{FILE}.csv?groupPaths=false").get_data())[0])]

    split = read_csv(house.baraka.get(f"{FILE}.csv?splitSelectMultiples=true").get_data())

    assert "spot-Latitude" in plain
    assert "crops" in plain
    for row in split:
        answers = a_visit(int(row["KEY"].removeprefix("uuid:").replace("-", ""), 16))["answers"]
        crops = answers["visit"]["crops"]
        assert [row["visit-crops/rice"], row["visit-crops/shea"]] == (
            [str(int(crop in crops)) for crop in ("rice", "shea")] if crops else ["", ""]
        )


def test_cells_are_what_they_are_for_programs_that_say_so(house: House) -> None:
    with_visits(house, 19)

    rows = read_csv(house.baraka.get(f"{FILE}.csv?safeCells=false").get_data())

    assert {row["who"] for row in rows} >= {"+1+1", "'quoted", '=HYPERLINK("http://x","y")'}


def test_a_filter_narrows_all_tables(house: House) -> None:
    with_visits(house, 20)

    tables = tables_in(house.baraka.get(f"{FILE}.csv.zip", query_string={"$filter": "visit/sex eq 'f'"}).get_data())

    keys = {row["KEY"] for row in tables["visit.csv"]}
    assert {row["visit-sex"] for row in tables["visit.csv"]} == {"f"}
    assert tables["visit-people.csv"]
    assert {row["PARENT_KEY"] for row in tables["visit-people.csv"]} <= keys
    assert refused(house.baraka.get(f"{FILE}.csv", query_string={"$filter": "nothing eq 1"})) == 400.18


def test_a_plus_of_a_zone_may_stand_in_the_address_as_it_is(house: House) -> None:
    with_visits(house, 3)

    some = house.baraka.get(f"{FILE}.csv?$filter=__system/submissionDate gt 2026-11-01T02:00:00.000+02:00")
    none = house.baraka.get(f"{FILE}.csv?$filter=who eq '2026-11-01T02:00:00 02:00'")

    assert (some.headers["X-Total-Rows"], none.headers["X-Total-Rows"]) == ("3", "0")


@pytest.mark.parametrize("asked", [{}, {"$filter": "sacks gt 0"}])
def test_a_limit_bounds_all_tables(house: House, asked: dict[str, str]) -> None:
    with_visits(house, 30)

    def tables(**query: str) -> dict[str, Any]:
        query |= {"attachments": "false"} | asked
        return tables_in(house.baraka.get(f"{FILE}.csv.zip", query_string=query).get_data())

    whole, bounded, wide = tables(), tables(limit="7"), tables(limit="1000")

    kept = [row["KEY"] for row in whole["visit.csv"]][:7]
    assert [row["KEY"] for row in bounded["visit.csv"]] == kept
    for name in ("visit-people.csv", "visit-loans.csv"):
        inside = [row for row in whole[name] if row["PARENT_KEY"].split("/")[0] in kept]
        assert 0 < len(inside) < len(whole[name])
        assert bounded[name] == inside
    assert wide == whole


def test_a_workbook_holds_texts_numbers_and_dates_and_nothing_that_runs(house: House, tmp_path: Path) -> None:
    visits = {visit["instance_id"]: visit["answers"] for visit in with_visits(house, 25)}

    body = house.baraka.get(f"{FILE}.xlsx").get_data()

    (tmp_path / "visit.xlsx").write_bytes(body)
    book = openpyxl.load_workbook(tmp_path / "visit.xlsx")
    assert book.sheetnames == ["visit", "people", "loans", "debts"]
    header, *rows = book["visit"].iter_rows()
    names = [cell.value for cell in header]
    for cells in rows:
        row = dict(zip(names, cells, strict=True))
        answers = visits[row["KEY"].value]
        assert row["who"].value == answers["who"]
        assert row["who"].data_type in ("s", "inlineStr")
        assert row["who"].hyperlink is None
        assert row["sacks"].value == answers.get("bags", answers.get("sacks"))
        assert row["visit-day"].value.date().isoformat() == answers["visit"]["day"]
        assert row["at"].value.isoformat() == f"{answers['at'][:10]}T08:00:00"
    assert book["people"].max_row == 1 + sum(len(answers["people"]) for answers in visits.values())
    assert b"<f>" not in b"".join(_entries(body).values())


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sheet_has_numbers_to_their_last_digit_and_columns_in_which_a_moment_can_be_seen(house: House) -> None:
    areas = [12.684000000000001, 0.1, 1e-07, 123456789.12345679, 3]
    publish(house.app, house.pid, "field", "1", FIELD)
    assert set(house.amina.outcomes(*(_a_field(number, area=area) for number, area in enumerate(areas)))) == {"stored"}

    sheet = openpyxl.load_workbook(io.BytesIO(house.baraka.get("forms/field/submissions.xlsx").get_data()))["field"]

    letters = {str(cell.value): cell.column_letter for cell in sheet[1]}
    assert [cell.value for cell in sheet[letters["area"]]][:0:-1] == areas
    assert sheet.column_dimensions[letters["SubmissionDate"]].width >= len("2026-11-19 12:00:00")
    assert sheet.column_dimensions[letters["day"]].width >= len("2026-11-19")


def test_a_sheet_is_named_after_its_form_also_where_a_spreadsheet_allows_no_such_name(house: House) -> None:
    form_id = "'abcdefghijklmnopqrstuvwxyz_abc'defghij"
    publish(house.app, house.pid, form_id, "1", NOTE)

    body = house.baraka.get(f"forms/{form_id}/submissions.xlsx").get_data()

    assert openpyxl.load_workbook(io.BytesIO(body)).sheetnames == ["abcdefghijklmnopqrstuvwxyz_abc"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_table_that_is_too_wide_for_a_sheet_is_no_workbook_without_its_last_columns(house: House) -> None:
    questions = "".join(f"    | select_multiple sign | q{number} | Q |\n" for number in range(340))
    choices = "".join(f"    | sign | o{number} | O |\n" for number in range(50))
    publish(house.app, house.pid, "wide", "1", f"{NOTE}{questions}{CHOICES}{choices}")

    answers = [house.baraka.get(f"forms/wide/submissions.{ending}") for ending in ("xlsx", f"csv?{SPLIT}")]
    refusal = house.baraka.get(f"forms/wide/submissions.xlsx?{SPLIT}")

    assert [answer.status_code for answer in answers] == [200, 200]
    assert refused(refusal) == 400.8
    assert "17,353 columns" in refusal.get_json()["message"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sheet_may_be_larger_than_a_plain_archive_can_say(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    with_visits(house, 12)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 3_000)

    body = house.baraka.get(f"{FILE}.xlsx").get_data()

    assert openpyxl.load_workbook(io.BytesIO(body))["visit"].max_row == 13


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_workbook_tells_each_text_as_it_was_sent(house: House) -> None:
    texts = ["<b>&amp;</b> ]]>", "  around  ", "two\nlines\tand a tab", "_x0041_ is no A", "é 李 𝒳", "0042", "=1+1"]
    assert set(house.amina.outcomes(*(a_sale(number, remark=text) for number, text in enumerate(texts)))) == {"stored"}

    book = openpyxl.load_workbook(io.BytesIO(house.baraka.get("forms/sale/submissions.xlsx").get_data()))

    header, *rows = book["sale"].iter_rows(values_only=True)
    assert [unescape(str(row[header.index("remark")])) for row in reversed(rows)] == texts


def test_a_yes_or_no_kept_as_json_has_it_is_a_word_in_every_column_of_a_workbook(house: House) -> None:
    house.amina.send(a_sale(1))
    yes = dict.fromkeys(("day", "seller", "village", "sacks", "price", "remark"), True)
    with house.app.app_context():
        begin_writing(session()).execute(update(SubmissionVersion).values(answers=yes))
        session().commit()

    book = openpyxl.load_workbook(io.BytesIO(house.baraka.get("forms/sale/submissions.xlsx").get_data()))

    header, row = book["sale"].iter_rows(values_only=True)
    assert [row[header.index(name)] for name in yes] == ["true"] * len(yes)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("bound", ["MOST_ROWS", "_MOST_BYTES"])
def test_what_is_too_much_for_one_sheet_goes_on_in_another(
    house: House, bound: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.exports.workbook._AT_ONCE", 4)
    monkeypatch.setattr(f"sync.exports.workbook.{bound}", {"MOST_ROWS": 5, "_MOST_BYTES": 1_000}[bound])
    assert set(house.amina.outcomes(*(a_sale(number) for number in range(8)))) == {"stored"}

    book = openpyxl.load_workbook(io.BytesIO(house.baraka.get("forms/sale/submissions.xlsx").get_data()))

    assert book.sheetnames == ["sale", "sale (2)"]
    [(header, *first), (again, *rest)] = [[*sheet.values] for sheet in book]
    assert header == again
    keys = [row[header.index("KEY")] for row in (*first, *rest)]
    assert (len(first), keys) == (4, [instance_id(number) for number in reversed(range(8))])


def test_a_workbook_with_labels_speaks_the_language_that_was_asked_for(house: House, tmp_path: Path) -> None:
    with_visits(house, 12)
    (tmp_path / "fr.xlsx").write_bytes(house.baraka.get(f"{FILE}.xlsx?labels=fr").get_data())

    header, *rows = openpyxl.load_workbook(tmp_path / "fr.xlsx")["visit"].iter_rows(values_only=True)

    sexes = {row[header.index("Sexe")] for row in rows}
    assert {"Qui", "Sacs", "Cultures", "Surface"} <= set(header)
    assert sexes <= {"Femme", "Homme", None}
    assert len(sexes) > 1


def test_json_lines_have_the_answers_as_they_were_sent(house: House) -> None:
    visits = {visit["instance_id"]: visit["answers"] for visit in with_visits(house, 20)}

    lines = [json.loads(line) for line in house.baraka.get(f"{FILE}.jsonl").get_data().splitlines()]

    assert len(lines) == 20
    for line in lines:
        answers = visits[line["__id"]]
        assert line["who"] == answers["who"]
        assert line["sacks"] == answers.get("bags", answers.get("sacks"))
        assert [person["name"] for person in line.get("people", [])] == [p["name"] for p in answers["people"]]
        assert [person.get("loans", []) for person in line.get("people", [])] == [p["loans"] for p in answers["people"]]
        assert line["__system"]["submitterName"] == "Amina"


def test_maps_show_each_position_once_with_its_answers(house: House) -> None:
    visits = {visit["instance_id"]: visit["answers"] for visit in with_visits(house, 20)}
    placed = {key: answers["visit"]["spot"] for key, answers in visits.items() if "spot" in answers["visit"]}

    geojson = json.loads(house.baraka.get(f"{FILE}.geojson").get_data())
    kml = etree.fromstring(house.baraka.get(f"{FILE}.kml").get_data())

    assert geojson["type"] == "FeatureCollection"
    assert {feature["id"]: feature["geometry"]["coordinates"] for feature in geojson["features"]} == {
        key: [longitude, latitude, altitude] for key, (latitude, longitude, altitude, _) in placed.items()
    }
    assert {feature["properties"]["fieldpath"] for feature in geojson["features"]} == {"/visit/spot"}
    assert all(feature["properties"]["who"] == visits[feature["id"]]["who"] for feature in geojson["features"])
    marks = kml.findall(f".//{_KML}Placemark")
    assert sorted(mark.findtext(f"{_KML}Point/{_KML}coordinates") or "" for mark in marks) == sorted(
        f"{longitude},{latitude},{altitude}" for latitude, longitude, altitude, _ in placed.values()
    )
    assert len({mark.get("id") for mark in marks}) == len(placed)


@pytest.mark.parametrize("kind", ["geojson", "kml"])
def test_a_map_keeps_each_answer_whatever_else_is_called_as_its_question(house: House, kind: str) -> None:
    publish(house.app, house.pid, "field", "1", FIELD)
    answers = {"name": "Awa", "first": "A", "First": "B", "status": "fallow", "fieldpath": "left", "begin": "soon"}
    answers |= {"end": "late", "__x": "C", "İx": "D"}
    house.amina.outcomes(_a_field(1, **answers, spot=[12.5, -8.0, 300.0, 4.5]))

    plain, labelled = (_on_the_map(house, f"forms/field/submissions.{kind}{asked}") for asked in ("", "?labels=en"))

    names = ("name", "First", "begin", "end", "İx")
    apart = {"geojson": names, "kml": [f"{name}_2" for name in names]}[kind]
    assert [plain[name] for name in apart] == ["Awa", "B", "soon", "late", "D"]
    kept = {"first": "A", "status_2": "fallow", "fieldpath_2": "left", "spot-Accuracy": "4.5", "__x": "C"}
    assert plain.items() >= kept.items()
    assert (plain["submitterName"], plain["fieldpath"]) == ("Amina", "/spot")
    assert plain.get("status", "None") == "None"
    assert (labelled["Same"], labelled["Same_2"]) == ("A", "B")


@pytest.mark.parametrize("kind", ["geojson", "kml"])
def test_on_a_map_no_answer_is_taken_for_the_id_of_its_feature(house: House, kind: str) -> None:
    publish(house.app, house.pid, "field", "1", FIELD.replace("| fieldpath |", "| id        |"))
    house.amina.outcomes(_a_field(1, id="A7", spot=[12.5, -8.0]))

    found = _on_the_map(house, f"forms/field/submissions.{kind}")

    assert "id" not in found
    assert found["id_2"] == "A7"


def test_a_map_has_the_column_of_each_question_in_the_forms_order_whoever_answered_it(house: House) -> None:
    publish(house.app, house.pid, "field", "1", FIELD)
    house.amina.outcomes(_a_field(1, day="2026-11-19", owners=3, spot=[12.5, -8.0]), _a_field(2, spot=[12.5, -8.0]))

    first, second = json.loads(house.baraka.get("forms/field/submissions.geojson").get_data())["features"]

    names = "name first First status_2 begin end __x İx fieldpath_2 nom_élève owners area day kind spot-Accuracy"
    assert [*first["properties"]][1:16] == names.split()
    assert [*first["properties"].values()][1:16] == [None] * 15
    assert (second["properties"]["owners"], second["properties"]["day"]) == (3, "2026-11-19")
    assert "name" not in second["properties"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_moment_at_which_a_form_was_finished_is_the_end_of_its_placemark(house: House) -> None:
    publish(house.app, house.pid, "field", "1", FIELD.replace("| text          | end  ", "| end           | end  "))
    ended = "2026-11-19T12:00:00.000Z"
    house.amina.outcomes(_a_field(1, end=ended, spot=[12.5, -8.0]))

    assert _on_the_map(house, "forms/field/submissions.kml")["end"] == ended


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_map_of_nothing_is_a_layer_all_the_same(house: House) -> None:
    publish(house.app, house.pid, "field", "1", FIELD)

    kml = etree.fromstring(house.baraka.get("forms/field/submissions.kml").get_data())

    assert kml.findtext(f"{_KML}Document/{_KML}Folder/{_KML}name") == "field"
    assert json.loads(house.baraka.get("forms/field/submissions.geojson").get_data())["features"] == []


def test_one_submission_is_shown_on_the_map_by_any_of_its_ids(house: House) -> None:
    visits = with_visits(house, 6)
    key = next(visit["instance_id"] for visit in visits if "spot" in visit["answers"]["visit"])

    shown = json.loads(house.baraka.get(f"{FILE}/{key}.geojson").get_data())

    assert [feature["id"] for feature in shown["features"]] == [key]
    assert refused(house.baraka.get(f"{FILE}/uuid:none.geojson")) == 404.1
    assert refused(house.baraka.get(f"{FILE}.geojson?fieldpath=/who")) == 400.8


def test_spss_files_have_labels_and_the_values_that_were_sent(house: House, tmp_path: Path) -> None:
    visits = {visit["instance_id"]: visit["answers"] for visit in with_visits(house, 40)}

    answer = house.baraka.get(f"{FILE}.sav.zip?labels=fr&splitSelectMultiples=true")

    entries = _entries(answer.get_data())
    assert list(entries) == ["visit.sav", "visit-people.sav", "visit-loans.sav", "visit-debts.sav"]
    frame, meta = _read_sav(tmp_path, entries["visit.sav"])
    labels = dict(zip(meta.column_names, meta.column_labels, strict=True))
    assert meta.number_rows == 40
    assert labels["who"] == "Qui"
    assert labels["visit_spot_Latitude"] == "Lieu Latitude"
    assert labels["visit_crops_shea"] == "Cultures: Karité"
    assert meta.variable_value_labels["visit_sex"] == {"f": "Femme", "m": "Homme"}
    for row in frame.to_dict("records"):
        answers = visits[row["KEY"]]
        assert row["who"] == answers["who"].rstrip(" ")
        assert row["sacks"] == answers.get("bags", answers.get("sacks"))
        assert row["visit_day"].isoformat() == answers["visit"]["day"]
        assert row["at"].isoformat() == f"{answers['at'][:10]}T08:00:00"
        if "spot" in answers["visit"]:
            assert row["visit_spot_Latitude"] == answers["visit"]["spot"][0]
        else:
            assert pandas.isna(row["visit_spot_Latitude"])
    page = signed_in(house).get(f"/projects/{house.pid}/exports/visit.sav?labels=fr", follow_redirects=True)
    assert list(_entries(page.get_data())) == list(entries)
    loans, _ = _read_sav(tmp_path, entries["visit-loans.sav"])
    assert sorted(loans["sum"]) == sorted(
        loan["sum"] for answers in visits.values() for person in answers["people"] for loan in person["loans"]
    )
    assert refused(house.baraka.get(f"{FILE}.sav")) == 400.8


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_spss_shows_whole_numbers_positions_and_days_as_such_and_knows_of_what_there_are_means(
    house: House, tmp_path: Path
) -> None:
    publish(house.app, house.pid, "field", "1", FIELD)
    house.amina.outcomes(_a_field(1, area=0.5, owners=3, kind="2"))

    _, meta = _read_sav(tmp_path, house.baraka.get("forms/field/submissions.sav").get_data())

    shown = {"owners": "F16.0", "kind": "F16.0", "spot_Latitude": "F12.7", "day": "DATE11", "Edits": "F16.0"}
    assert meta.original_variable_types.items() >= shown.items()
    assert meta.variable_value_labels["kind"] == {1: "Dry", 2: "Wet"}
    measured = {"owners": "scale", "area": "scale", "day": "scale", "kind": "nominal", "name": "nominal"}
    assert meta.variable_measure.items() >= measured.items()
    assert meta.variable_display_width["owners"] == len("-123456789012345")
    assert meta.variable_display_width["SubmissionDate"] >= len("19-NOV-2026 12:00:00")
    assert "nom_eleve" in meta.column_names


def test_an_export_of_nothing_is_whole_in_every_format(house: House, tmp_path: Path) -> None:
    for kind in ("csv", "csv.zip", "xlsx", "jsonl", "sav", "sav.zip"):
        answer = house.baraka.get(f"forms/sale/submissions.{kind}")

        assert (kind, answer.status_code, answer.headers["X-Total-Rows"]) == (kind, 200, "0")
    frame, meta = _read_sav(tmp_path, house.baraka.get("forms/sale/submissions.sav").get_data())
    assert (len(frame), meta.number_rows) == (0, 0)


def test_files_come_along_under_media_and_two_of_one_name_both(house: House) -> None:
    photos = [b"\xff\xd8one", b"\xff\xd8two", b"\xff\xd8one"]
    for number, photo in enumerate(photos, 1):
        sha256 = hashlib.sha256(photo).hexdigest()
        attached = [{"name": "a.jpg", "sha256": sha256, "size": len(photo), "type": "image/jpeg"}]
        assert house.amina.outcomes(a_sale(number, photo="a.jpg") | {"attachments": attached}, batch=f"b{number}")
        _upload(house, sha256, photo)

    whole = house.baraka.get("forms/sale/submissions.csv.zip")
    bare = house.baraka.get("forms/sale/submissions.csv.zip?attachments=false")
    last = house.baraka.get("forms/sale/submissions.csv.zip?limit=1")

    files = {name: data for name, data in _entries(whole.get_data()).items() if name.startswith("media/")}
    assert whole.headers["Content-Disposition"].startswith('attachment; filename="sale.zip"')
    assert files == {"media/a.jpg": photos[2], f"media/{instance_id(2).replace(':', '_')}/a.jpg": photos[1]}
    assert list(_entries(bare.get_data())) == ["sale.csv"]
    assert list(_entries(last.get_data())) == ["sale.csv", "media/a.jpg"]
    assert read_csv(_entries(whole.get_data())["sale.csv"])[0]["AttachmentsPresent"] == "1"
    shown = [row["photo"] for row in tables_in(whole.get_data())["sale.csv"]]
    assert [files[f"media/{path}"] for path in shown] == photos[::-1]
    assert [row["photo"] for row in tables_in(bare.get_data())["sale.csv"]] == ["a.jpg"] * 3


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_photo_that_has_not_come_yet_is_not_shown_as_that_of_somebody_else(house: House) -> None:
    for number, photo in ((1, b"\xff\xd8one"), (2, b"\xff\xd8two")):
        sha256 = hashlib.sha256(photo).hexdigest()
        attached = [{"name": "a.jpg", "sha256": sha256, "size": len(photo), "type": "image/jpeg"}]
        assert house.amina.outcomes(a_sale(number, photo="a.jpg") | {"attachments": attached}, batch=f"b{number}")
    _upload(house, hashlib.sha256(b"\xff\xd8one").hexdigest(), b"\xff\xd8one")

    archive = house.baraka.get("forms/sale/submissions.csv.zip").get_data()

    assert [name for name in _entries(archive) if name.startswith("media/")] == ["media/a.jpg"]
    shown = [row["photo"] for row in tables_in(archive)["sale.csv"]]
    assert shown == [f"{instance_id(2).replace(':', '_')}/a.jpg", "a.jpg"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_viewers_get_no_column_that_tells_who_somebody_is(house: House) -> None:
    visits = with_visits(house, 10)
    names = {visit["answers"]["who"] for visit in visits}

    tables = tables_in(house.fanta.get(f"{FILE}.csv.zip").get_data())
    lines = house.fanta.get(f"{FILE}.jsonl").get_data()

    assert not {"who", "visit-spot-Latitude", "visit-photo", "meta-instanceName"} & set(tables["visit.csv"][0])
    assert list(tables["visit-people.csv"][0]) == ["age", "PARENT_KEY", "KEY"]
    assert "sacks" in tables["visit.csv"][0]
    assert {(row["SubmitterName"], row["DeviceID"]) for row in tables["visit.csv"]} == {("", "")}
    for line in map(json.loads, lines.splitlines()):
        assert (line["__system"]["submitterName"], line["__system"]["deviceId"]) == ("", None)
        assert "who" not in line
        assert "spot" not in line["visit"]
        assert all("name" not in person for person in line.get("people", []))
    assert not any(json.dumps(name).encode() in lines for name in names)
    assert refused(house.fanta.get(f"{FILE}.csv?identifying=true")) == 403.1
    assert refused(house.fanta.get(f"{FILE}.csv.zip?attachments=true")) == 403.1
    assert refused(house.fanta.get(f"{FILE}.geojson")) == 403.1
    assert refused(house.fanta.get(f"{FILE}.csv", query_string={"$filter": "who eq 'Awa'"})) == 400.18
    assert "who" not in read_csv(house.baraka.get(f"{FILE}.csv?identifying=false").get_data())[0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_pseudonym_is_the_same_for_the_same_person_and_says_no_name(house: House) -> None:
    with_visits(house, 38)  # each name twice

    rows = read_csv(house.fanta.get(f"{FILE}.csv?pseudonyms=true").get_data())
    named = read_csv(house.baraka.get(f"{FILE}.csv?safeCells=false").get_data())

    by_name: dict[str, set[str]] = {}
    for disguised, plain in zip(rows, named, strict=True):
        assert disguised["KEY"] == plain["KEY"]
        by_name.setdefault(plain["who"], set()).add(disguised["who"])
    assert all(len(found) == 1 for found in by_name.values())
    assert len(set.union(*by_name.values())) == len(by_name)
    assert not by_name.keys() & set.union(*by_name.values())
    assert "visit-spot-Latitude" not in rows[0]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_export_stands_in_the_audit_trail(house: House) -> None:
    with_visits(house, 3)
    house.fanta.get(f"{FILE}.csv", query_string={"$filter": "sacks gt 0"})
    tag = house.fanta.get(f"{FILE}.jsonl").headers["ETag"]
    assert house.fanta.get(f"{FILE}.jsonl", headers={"If-None-Match": tag}).status_code == 304

    with house.app.app_context():
        acts = session().scalars(select(Audit).where(Audit.action == "data.exported").order_by(Audit.number)).all()

    assert [(act.actor_id, act.subject) for act in acts] == [(house.fanta.actor_id, "visit")] * 2
    assert acts[0].details is not None
    assert (acts[0].details["format"], acts[0].details["rows"], acts[0].details["filtered"]) == ("csv", 3, True)
    assert acts[0].details["identifying"] is False


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_body_says_what_is_wanted_as_a_form_or_as_json(house: House) -> None:
    with_visits(house, 4)

    asked = {"attachments": False, "groupPaths": False, "limit": 3, "$filter": None}
    in_json = house.baraka.post(f"{FILE}.csv.zip", json=asked)
    in_form = house.baraka.post(f"{FILE}.csv.zip", data={"attachments": "false", "groupPaths": "false", "limit": "3"})
    nothing = [house.baraka.post(f"{FILE}.csv", json=body) for body in ({}, [])]

    assert tables_in(in_json.get_data()) == tables_in(in_form.get_data())
    assert in_json.headers["Content-Disposition"].startswith('attachment; filename="visit.csv.zip"')
    assert "crops" in tables_in(in_json.get_data())["visit.csv"][0]
    assert [answer.headers["X-Total-Rows"] for answer in (in_json, *nothing)] == ["3", "4", "4"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_asked_for_wrongly_is_refused(house: House) -> None:
    with_visits(house, 1)
    for query in (
        "?nonsense=1",
        "?limit=0",
        "?bom=perhaps",
        "?labels=a&labels=b",
        "?7=secret",
        "?pseudonyms=true&identifying=true",
        "?labels=xx",
    ):
        assert refused(house.baraka.get(f"{FILE}.csv{query}")) == 400.8, query
    assert refused(house.baraka.get("forms/none/submissions.csv")) == 404.1
    assert refused(house.baraka.post(f"{FILE}.csv", data={"7": "a passphrase"})) == 400.12
    assert refused(house.baraka.post(f"{FILE}.csv", json={"7": "a passphrase"})) == 400.12
    for body in (["7"], "7", {"7": ["a passphrase"]}, {"bom": "perhaps"}, {"7": "\0"}):
        assert refused(house.baraka.post(f"{FILE}.csv", json=body)) == 400.8, body
    assert refused(house.baraka.post(f"{FILE}.csv", data="{", content_type="application/json")) == 400.1
    assert refused(house.baraka.post(f"{FILE}.csv", data="7=secret", content_type="text/plain")) == 400.8
    unknown = house.baraka.get(f"{FILE}.xlsx?labels=xx").get_json()["message"]
    assert unknown == "The form has no labels in ‘xx’. It has them in: English (en), Français (fr)."


def _upload(house: House, sha256: str, content: bytes) -> None:
    said = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in {"sha256": sha256}.items())
    headers = {"Tus-Resumable": "1.0.0", "Upload-Length": str(len(content)), "Upload-Metadata": said}
    headers["Content-Type"] = "application/offset+octet-stream"
    assert house.amina.post("files", headers=headers, data=content).status_code == 201


def _entries(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _a_field(number: int, **answers: Any) -> dict[str, Any]:
    told = {"form": "field", "version": "1", "recorded_at": "2026-11-19T12:00:00+00:00", "answers": answers}
    return {"instance_id": instance_id(number), **told}


def _on_the_map(house: House, address: str) -> dict[str, str]:
    """What a map says of its only feature, as text."""
    body = house.baraka.get(address).get_data()
    if ".kml" in address:
        told = etree.fromstring(body).findall(f".//{_KML}Data")
        assert len({one.get("name") for one in told}) == len(told)
        return {one.get("name") or "": one.findtext(f"{_KML}value") or "" for one in told}
    [feature] = json.loads(body)["features"]
    return {name: str(value) for name, value in feature["properties"].items()}


def _read_sav(folder: Path, data: bytes) -> tuple[Any, Any]:
    (folder / "read.sav").write_bytes(data)
    found: tuple[Any, Any] = pyreadstat.read_sav(str(folder / "read.sav"))
    return found
