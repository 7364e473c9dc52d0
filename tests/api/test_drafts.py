"""Drafts of forms: handed in, tried out through their own door, published under any version, thrown away."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
import zlib
from typing import Any

import pytest
from lxml import etree
from sqlalchemy import select

from server.db import session
from server.wire import qr
from sync.models import Audit
from tests.support.listing import md5, read_form_list, read_manifest
from tests.support.projects import SALE, a_sale, instance_id
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
VISIT = """
    | survey                          |         |         |
    | type                            | name    | label   |
    | select_one_from_file people.csv | seller  | Seller  |
    | select_one_from_file prices.csv | price   | Price   |
"""


def hand_in(house: House, path: str, workbook: bytes, **query: Any) -> Any:
    return shown(house.djeneba.post(path, data=workbook, query_string=query, headers={"Content-Type": XLSX}))


def a_draft(house: House, version: str = "1", markdown: str = VISIT) -> str:
    """Hands in a draft of the new form `visit`, and gives the token that opens it."""
    hand_in(house, "forms", a_workbook("visit", version, markdown))
    return str(shown(house.djeneba.get("forms/visit/draft"))["draftToken"])


def test_a_new_form_begins_as_a_draft_that_only_administrators_see(house: House) -> None:
    made = hand_in(house, "forms", a_workbook("visit", "1", VISIT))

    assert (made["xmlFormId"], made["publishedAt"], made["version"]) == ("visit", None, "1")
    assert [form["xmlFormId"] for form in shown(house.djeneba.get("forms"))] == ["sale", "visit"]
    assert [form["xmlFormId"] for form in shown(house.baraka.get("forms"))] == ["sale"]
    assert shown(house.djeneba.get("forms/visit"))["draftToken"] == made["draftToken"]
    assert refused(house.amina.get("forms/visit")) == 404.1
    assert refused(house.amina.get("forms/visit.xml")) == 404.1
    assert [form.form_id for form in read_form_list(house.amina.get("formList"))] == ["sale"]


def test_the_token_of_a_draft_opens_that_draft_and_nothing_else(house: House) -> None:
    token = a_draft(house)
    house.djeneba.post("forms/visit/draft/attachments/prices.csv", data=b"name,label\n10,Ten\n")
    ask = house.app.test_client().get
    door = f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft"

    (form,) = read_form_list(ask(f"{door}/formList"))
    files = {file.name: file for file in read_manifest(ask(form.manifest))}

    assert form.url == f"{door}.xml"
    assert form.hash == md5(ask(form.url).get_data())
    assert {name: file.type for name, file in files.items()} == {"people.csv": "entityList", "prices.csv": None}
    assert all(file.url.startswith(f"{door}/attachments/") for file in files.values())
    assert all(md5(ask(file.url).get_data()) == file.hash for file in files.values())
    other = f"/v1/test/{token}/projects/{house.pid}/forms/sale/draft"
    for path in (f"{other}/formList", f"{other}.xml", f"{door}/attachments", f"{door}/fields", door):
        assert ask(path).status_code in (403, 404), path
    for path in (f"/v1/test/{token}/projects/{house.pid}/forms", f"/v1/test/{token}/users/current"):
        assert ask(path).status_code == 404, path
    assert house.app.test_client().post(f"{door}/publish").status_code == 403
    assert ask(f"/v1/key/{token}/projects/{house.pid}/formList").status_code == 403


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_draft_is_listed_to_whoever_asks_for_all_forms_or_for_its_own(house: House) -> None:
    door = f"/v1/test/{a_draft(house)}/projects/{house.pid}/forms/visit/draft/formList"
    ask = house.app.test_client().get

    listed = {
        asked: [form.form_id for form in read_form_list(ask(door, query_string=asked))]
        for asked in ("", "formID=visit", "formID=sale", "formID=nothing", "deviceID=collect%3Aabc")
    }

    assert listed == {
        "": ["visit"],
        "formID=visit": ["visit"],
        "formID=sale": [],
        "formID=nothing": [],
        "deviceID=collect%3Aabc": ["visit"],
    }


def test_a_draft_that_is_gone_says_so(house: House) -> None:
    token = a_draft(house)
    house.djeneba.post("forms/visit/draft/publish")

    client, path = house.app.test_client(), f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft/formList"
    answer = client.get(path, headers={"Accept-Language": "en"})
    door = f"/v1/test/siby_{'x' * 43}/projects/{house.pid}/forms/sale/draft"
    form = house.app.test_client().get(f"{door}.xml", headers={"Accept-Language": "en"})
    other = house.app.test_client().get(f"{door}/fields")

    assert (answer.status_code, form.status_code) == (404, 404)
    assert b'<message nature="error">This draft' in answer.get_data()
    assert b'<message nature="error">This draft' in form.get_data()
    assert refused(other) == 404.4


def test_the_token_of_a_draft_opens_nothing_once_its_project_was_deleted(house: House) -> None:
    door = f"/v1/test/{a_draft(house)}/projects/{house.pid}/forms/visit/draft"
    client = house.app.test_client()
    before = client.get(f"{door}/formList")

    shown(house.sekou.delete(f"/v1/projects/{house.pid}"))

    assert before.status_code == 200
    assert client.get(f"{door}/formList").status_code == 404
    assert client.get(f"{door}.xml").status_code == 404
    posted = client.post(f"{door}/submission", data={"xml_submission_file": (io.BytesIO(b"<x/>"), "x")})
    assert posted.status_code == 404


def test_flags_of_trial_answers_are_told_in_the_language_that_was_asked_for(house: House) -> None:
    token = a_draft(house, markdown="| survey |\n| type | name | label |\n| integer | a | A |")
    door = f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft"
    filled = f'<data id="visit" version="1"><a>x</a><meta><instanceID>{instance_id(7)}</instanceID></meta></data>'
    house.app.test_client().post(
        f"{door}/submission", data={"xml_submission_file": (io.BytesIO(filled.encode()), "x.xml")}
    )

    ((_, _, english),) = shown(house.djeneba.get(f"forms/visit/draft/submissions/{instance_id(7)}"))["flags"]
    (trial,) = shown(house.djeneba.get("forms/visit/draft/submissions?lang=fr"))

    assert (english[:3], trial["flags"][0][:2], trial["flags"][0][2][:2]) == ("‘x’", ["type", "/data/a"], "«\xa0")


def test_trial_answers_count_nowhere_and_go_with_the_draft(house: House) -> None:
    token = a_draft(house, markdown="| survey |\n| type | name | label |\n| text | a | A |")
    door = f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft"
    filled = f'<data id="visit" version="1"><a>x</a><meta><instanceID>{instance_id(7)}</instanceID></meta></data>'
    sent = house.app.test_client().post(
        f"{door}/submission", data={"xml_submission_file": (io.BytesIO(filled.encode()), "x.xml")}
    )

    listed = shown(house.djeneba.get("forms/visit/draft/submissions"))
    again = hand_in(house, "forms/visit/draft", a_workbook("visit", "1", VISIT))

    assert sent.status_code == 201, sent.get_data()
    assert [(one["instanceId"], type(one["submitterId"])) for one in listed] == [(instance_id(7), int)]
    assert house.app.test_client().head(f"{door}/submission").status_code == 204
    assert again["success"]
    assert shown(house.djeneba.get("forms/visit/draft/submissions")) == []
    assert shown(house.djeneba.get("forms/visit/draft"))["draftToken"] == token


def test_whoever_made_a_draft_stands_for_who_tried_it_out(house: House) -> None:
    token = a_draft(house, markdown="| survey |\n| type | name | label |\n| text | a | A |")
    filled = f'<data id="visit" version="1"><a>x</a><meta><instanceID>{instance_id(7)}</instanceID></meta></data>'
    house.app.test_client().post(
        f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft/submission",
        data={"xml_submission_file": (io.BytesIO(filled.encode()), "x.xml")},
    )

    (listed,) = shown(house.djeneba.get("forms/visit/draft/submissions"))
    (row,) = shown(house.djeneba.get("forms/visit/draft.svc/Submissions"))["value"]
    sent = house.djeneba.get(f"forms/visit/draft/submissions/{instance_id(7)}.xml")

    assert listed["submitterId"] == house.djeneba.actor_id
    assert row["__system"]["submitterId"] == str(house.djeneba.actor_id)
    assert row["__system"]["submitterName"] == "Djeneba"
    assert (sent.headers["Content-Type"], sent.get_data(as_text=True)) == ("application/xml", filled)


def test_trial_answers_are_exported_with_the_options_of_other_exports(house: House) -> None:
    token = a_draft(
        house,
        markdown="""
    | survey        |      |             |             |
    | type          | name | label::fr   | identifying |
    | text          | who  | Qui         | yes         |
    | integer       | n    | Nombre      |             |
    | begin_repeat  | kids | Enfants     |             |
    | text          | kid  | Enfant      | yes         |
    | end_repeat    | kids |             |             |
""",
    )
    for number in (1, 2):
        filled = (
            f'<data id="visit" version="1"><who>Awa Keita</who><n>{number}</n><kids><kid>Bouba</kid></kids>'
            f"<meta><instanceID>{instance_id(number)}</instanceID></meta></data>"
        )
        sent = house.app.test_client().post(
            f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft/submission?deviceID=tablet",
            data={"xml_submission_file": (io.BytesIO(filled.encode()), "x.xml")},
        )
        assert sent.status_code == 201, sent.get_data()

    def ask(kind: str = "csv", **query: str) -> Any:
        return house.baraka.get(f"forms/visit/draft/submissions.{kind}", query_string=query)

    def rows(**query: str) -> list[dict[str, str]]:
        answer = ask(**query)
        assert answer.status_code == 200, answer.get_data()
        return list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))

    def children(**query: str) -> str:
        with zipfile.ZipFile(io.BytesIO(ask("csv.zip", **query).get_data())) as archive:
            return archive.read("visit-kids.csv").decode()

    assert [(row["who"], row["n"], row["DeviceID"]) for row in rows()] == [
        ("Awa Keita", "2", "tablet"),
        ("Awa Keita", "1", "tablet"),
    ]
    assert [row["n"] for row in rows(limit="1")] == ["2"]
    assert [("who" in row, row["n"], row["DeviceID"]) for row in rows(identifying="false", limit="1")] == [
        (False, "2", "")
    ]
    disguised = {(row["who"], row["DeviceID"]) for row in rows(pseudonyms="true")}
    assert len(disguised) == 1
    assert ("Awa Keita", "") not in disguised
    assert "Bouba" not in children(pseudonyms="true")
    assert "kid" in children(pseudonyms="true")
    assert children().count("Bouba") == 2
    assert children(limit="1").count("Bouba") == 1
    assert {"Qui", "Nombre"} <= rows(labels="fr")[0].keys()
    assert refused(ask(labels="Klingon")) == 400.8
    for asked in ("who eq 'Awa Keita'", "__system/deviceId eq 'tablet'"):
        assert len(rows(**{"$filter": asked})) == 2
        for hidden in ({"identifying": "false"}, {"pseudonyms": "true"}):
            assert refused(ask(**{"$filter": asked} | hidden)) == 400.18
    assert refused(ask(identifying="true", pseudonyms="true")) == 400.8
    assert refused(ask("csv.zip", attachments="true")) == 501.1


def test_whoever_takes_trial_answers_along_stands_in_the_audit_trail(house: House) -> None:
    a_draft(house, markdown="| survey | | |\n| type | name | label |\n| integer | n | N |")

    house.baraka.get("forms/visit/draft/submissions.csv?$filter=n gt 1")
    tag = house.baraka.get("forms/visit/draft.svc/Submissions").headers["ETag"]
    house.baraka.get("forms/visit/draft.svc/Submissions", headers={"If-None-Match": tag})

    with house.app.app_context():
        acts = session().scalars(select(Audit).where(Audit.actor_id == house.baraka.actor_id).order_by(Audit.number))
        said = [(act.action, act.subject, act.details) for act in acts]
    assert [(action, subject) for action, subject, _ in said] == [
        ("data.exported", "visit"),
        ("odata.read", "visit/draft/Submissions"),
    ]
    assert said[0][2] is not None
    assert {"format": "csv", "rows": 0, "filtered": True, "draft": True}.items() <= said[0][2].items()


def test_a_draft_is_published_with_its_files(house: House) -> None:
    a_draft(house)
    given = shown(house.djeneba.post("forms/visit/draft/attachments/prices.csv", data=b"name,label\n10,Ten\n"))
    before = {file["name"]: file for file in shown(house.djeneba.get("forms/visit/draft/attachments"))}

    published = shown(house.djeneba.post("forms/visit/draft/publish"))

    assert (given["name"], given["type"], given["exists"], given["blobExists"]) == ("prices.csv", "file", True, True)
    assert set(given) >= {"name", "type", "hash", "exists", "blobExists", "datasetExists", "updatedAt", "size"}
    assert (before["people.csv"]["datasetExists"], before["people.csv"]["hash"]) == (True, None)
    assert published == {"success": True}
    assert house.amina.get("forms/visit/attachments/prices.csv").get_data() == b"name,label\n10,Ten\n"
    assert shown(house.djeneba.get("forms/visit"))["publishedAt"] is not None
    assert refused(house.djeneba.get("forms/visit/draft")) == 404.1


def test_a_published_form_becomes_a_draft_with_its_files_and_is_published_under_another_version(house: House) -> None:
    a_draft(house)
    house.djeneba.post("forms/visit/draft/attachments/prices.csv", data=b"name,label\n10,Ten\n")
    house.djeneba.post("forms/visit/draft/publish")

    copied = shown(house.djeneba.post("forms/visit/draft"))
    same = refused(house.djeneba.post("forms/visit/draft/publish"))
    shown(house.djeneba.post("forms/visit/draft/publish?version=2%20b"))

    assert copied == {"success": True}
    assert same == 409.6
    assert shown(house.amina.get("forms/visit"))["version"] == "2 b"
    assert b'version="2 b"' in house.amina.get("forms/visit.xml").get_data()
    assert house.amina.get("forms/visit/attachments/prices.csv").status_code == 200
    assert house.djeneba.get("forms/visit/versions/1.xlsx").get_data()[:2] == b"PK"


def test_what_waited_in_quarantine_is_filed_when_the_draft_is_published(house: House) -> None:
    hand_in(house, "forms/sale/draft", a_workbook("sale", "2", SALE), ignoreWarnings="true")

    before = house.amina.outcomes(a_sale(1, version="2"))
    shown(house.djeneba.post("forms/sale/draft/publish"))

    assert before == ["quarantined"]
    assert shown(house.fanta.get("figures?indicator=sacks"))["figures"][0]["value"] == 4
    assert house.amina.outcomes(a_sale(1, version="2"), batch="b2") == ["duplicate"]


def test_a_file_is_given_a_list_and_emptied(house: House) -> None:
    a_draft(house)
    path = "forms/visit/draft/attachments/people.csv"

    given = shown(house.djeneba.post(path, data=b"name,label\nx,X\n"))
    linked = shown(house.djeneba.patch(path, json={"dataset": True}))
    emptied = shown(house.djeneba.delete(path))

    assert (given["blobExists"], given["datasetExists"]) == (True, False)
    assert (linked["blobExists"], linked["datasetExists"], linked["exists"]) == (False, True, True)
    assert emptied == {"success": True}
    assert refused(house.djeneba.delete(path)) == 404.1
    assert refused(house.djeneba.post("forms/visit/draft/attachments/other.csv", data=b"x")) == 404.1
    assert refused(house.djeneba.patch("forms/visit/draft/attachments/prices.csv", json={"dataset": True})) == 400.8


@pytest.mark.parametrize("again", [False, True])
def test_a_file_that_was_emptied_stays_empty_when_the_draft_is_published(house: House, again: bool) -> None:
    a_draft(house)
    shown(house.djeneba.post("forms/visit/draft/attachments/prices.csv", data=b"name,label\n10,Ten\n"))
    shown(house.djeneba.post("forms/visit/draft/publish"))
    shown(house.djeneba.post("forms/visit/draft"))

    shown(house.djeneba.delete("forms/visit/draft/attachments/prices.csv"))
    shown(house.djeneba.patch("forms/visit/draft/attachments/people.csv", json={"dataset": False}))
    if again:
        hand_in(house, "forms/visit/draft", a_workbook("visit", "2", VISIT), ignoreWarnings="true")
    shown(house.djeneba.post("forms/visit/draft/publish?version=2"))

    assert {file["name"]: file["exists"] for file in shown(house.djeneba.get("forms/visit/attachments"))} == {
        "people.csv": False,
        "prices.csv": False,
    }
    assert read_manifest(house.amina.get("forms/visit/manifest")) == []
    assert [form.manifest for form in read_form_list(house.amina.get("formList")) if form.form_id == "visit"] == [None]


def test_a_list_that_came_after_the_draft_stands_for_its_file_once_that_is_published(house: House) -> None:
    form = VISIT + "    | entities | | |\n    | list_name | label | |\n    | prices | ${price} | |\n"
    a_draft(house, markdown=form)

    shown(house.djeneba.post("forms/visit/draft/publish"))

    files = {file.name: file.type for file in read_manifest(house.amina.get("forms/visit/manifest"))}
    assert files == {"people.csv": "entityList", "prices.csv": "entityList"}


def test_a_draft_is_thrown_away_but_not_with_its_form(house: House) -> None:
    hand_in(house, "forms/sale/draft", a_workbook("sale", "2", VISIT), ignoreWarnings="true")
    a_draft(house)

    assert shown(house.djeneba.delete("forms/sale/draft")) == {"success": True}
    assert refused(house.djeneba.get("forms/sale/draft.xml")) == 404.1
    assert refused(house.djeneba.delete("forms/sale/draft")) == 404.1
    assert refused(house.djeneba.delete("forms/visit/draft")) == 409.7
    assert shown(house.djeneba.delete("forms/visit")) == {"success": True}
    assert [form["xmlFormId"] for form in shown(house.djeneba.get("forms"))] == ["sale"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_draft_of_another_form_or_of_none_is_refused(house: House) -> None:
    def ask(path: str, workbook: bytes) -> float:
        return refused(house.djeneba.post(path, data=workbook, headers={"Content-Type": XLSX}))

    assert ask("forms/sale/draft", a_workbook("visit", "1", VISIT)) == 400.8
    assert ask("forms/nothing/draft", a_workbook("nothing", "1", VISIT)) == 404.1
    assert refused(house.djeneba.post("forms/nothing/draft")) == 404.1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_questions_that_would_leave_the_form_are_told_before_they_do(house: House) -> None:
    shorter = a_workbook("sale", "2", "| survey |\n| type | name | label |\n| text | seller | Seller |")

    warned = house.djeneba.post("forms/sale/draft", data=shorter, headers={"Content-Type": XLSX})
    taken = hand_in(house, "forms/sale/draft", shorter, ignoreWarnings="true")

    assert refused(warned) == 400.16
    (warning,) = warned.get_json()["details"]["warnings"]["workflowWarnings"]
    assert warning["type"] == "structureChanged"
    assert "sacks" in warning["details"]
    assert taken["success"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_question_whose_type_has_changed_is_told_before_its_column_becomes_text(house: House) -> None:
    survey = "| survey |\n| type | name | label |\n| text | sacks | Sacks |\n| decimal | price | Price |"
    other = a_workbook("sale", "2", survey)

    warned = house.djeneba.post("forms/sale/draft", data=other, headers={"Content-Type": XLSX})
    told = {one["type"]: one["details"] for one in warned.get_json()["details"]["warnings"]["workflowWarnings"]}

    assert refused(warned) == 400.16
    assert told["typeChanged"] == "These questions have another type than before: sacks (int → string)."
    assert set(told) == {"structureChanged", "typeChanged"}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_repeat_that_would_be_asked_once_is_told_before_it_is(house: House) -> None:
    survey = """
        | survey       |        |        |
        | type         | name   | label  |
        | begin_repeat | people | People |
        | integer      | age    | Age    |
        | end_repeat   | people |        |
    """
    hand_in(house, "forms", a_workbook("visit", "1", survey), publish="true")
    once = a_workbook("visit", "2", survey.replace("repeat", "group"))

    warned = house.djeneba.post("forms/visit/draft", data=once, headers={"Content-Type": XLSX})

    assert refused(warned) == 400.16
    (warning,) = warned.get_json()["details"]["warnings"]["workflowWarnings"]
    assert warning["type"] == "structureChanged"
    assert "people (repeat → group)" in warning["details"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_draft_has_a_code_that_leads_to_its_door(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    plain = qr.code_png
    monkeypatch.setattr("server.api.drafts.code_png", lambda text: (drawn.append(text), plain(text))[1])
    token = a_draft(house)

    picture = house.djeneba.get("forms/visit/draft/qr.png")
    markup = house.djeneba.get("forms/visit/draft/qr.svg")

    told = json.loads(zlib.decompress(base64.b64decode(drawn[0])))
    assert told["general"]["server_url"].endswith(f"/v1/test/{token}/projects/{house.pid}/forms/visit/draft")
    assert picture.get_data().startswith(b"\x89PNG")
    assert etree.fromstring(markup.get_data()).tag == "{http://www.w3.org/2000/svg}svg"
