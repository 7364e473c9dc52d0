"""Forms over REST: made from whatever an author has, refused with all that is wrong, closed, deleted, restored."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import pytest
from sqlalchemy import select

from server.db import session
from sync.encryption.keys import make_key
from sync.models import EncryptionKey, FormVersion
from sync.projects import validate
from tests.support.listing import md5, read_form_list
from tests.support.projects import SALE, a_sale, instance_id, workbook_of
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook, xlsx_of

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
OLD_EXCEL = Path(__file__).parents[1] / "support" / "old_excel.xls"
NOTE = "| survey |\n| type | name | label |\n| text | note | Note |\n"
XFORM = workbook_of("sale", "1", SALE).xform
FORM_KEYS = {
    *("projectId", "xmlFormId", "name", "version", "hash", "state", "createdAt", "updatedAt", "publishedAt", "keyId"),
    *("enketoId", "enketoOnceId", "draftToken", "sha", "sha256", "webformsEnabled"),
}


def post(house: House, workbook: bytes, kind: str = XLSX, headers: Any = None, **query: Any) -> Any:
    return house.djeneba.post(
        "forms", data=workbook, query_string=query, headers={"Content-Type": kind} | (headers or {})
    )


def test_a_form_has_every_key_that_clients_know(house: House) -> None:
    made = shown(post(house, a_workbook("note", "", NOTE.replace("| Note |", "| Note |")), publish="true"))
    xform = house.amina.get("forms/note.xml").get_data()
    more = shown(house.djeneba.get("forms/note", headers={"X-Extended-Metadata": "true"}))

    assert set(made) >= FORM_KEYS
    assert made["hash"] == hashlib.md5(xform).hexdigest()
    assert made["sha"] == hashlib.sha1(xform).hexdigest()
    assert made["sha256"] == hashlib.sha256(xform).hexdigest()
    assert shown(house.amina.get("forms"))[0].keys() >= FORM_KEYS
    assert (more["submissions"], more["lastSubmission"]) == (0, None)
    assert more["reviewStates"] == {"received": 0, "hasIssues": 0, "edited": 0}
    assert more["createdBy"]["displayName"] == "Djeneba"
    assert (more["excelContentType"], more["entityRelated"], more["publicLinks"]) == (XLSX, False, 0)


def test_the_extended_fields_count_what_came_in(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2), a_sale(3))
    house.baraka.patch(f"forms/sale/submissions/{instance_id(1)}", json={"reviewState": "hasIssues"})

    (form,) = shown(house.djeneba.get("forms", headers={"X-Extended-Metadata": "true"}))

    assert (form["submissions"], form["lastSubmission"] is not None) == (3, True)
    assert form["reviewStates"] == {"received": 2, "hasIssues": 1, "edited": 0}
    assert form["entityRelated"] is True


def test_the_file_names_the_form_where_the_workbook_does_not(house: House) -> None:
    made = shown(post(house, xlsx_of(NOTE), headers={"X-XlsForm-FormId-Fallback": "sant%C3%A9%20v2"}))

    assert made["xmlFormId"] == "santé v2"


@pytest.mark.parametrize("named", ["a%2Fb", "a/b", "a%252Fb", "a.b/c.d"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_slash_in_the_name_of_the_file_is_part_of_the_id(house: House, named: str) -> None:
    form_id = unquote(named)

    made = shown(post(house, xlsx_of(NOTE), headers={"X-XlsForm-FormId-Fallback": named}, publish="true"))
    path = f"forms/{quote(form_id, safe='')}"
    shown(house.djeneba.post(f"{path}/draft", data=xlsx_of(NOTE), headers={"Content-Type": XLSX}))

    assert made["xmlFormId"] == form_id
    assert shown(house.djeneba.get(f"{path}/draft"))["xmlFormId"] == form_id
    assert f'id="{form_id}"' in house.amina.get(f"{path}.xml").get_data(as_text=True)


@pytest.mark.parametrize("named", ["a.svc", "b%2Fa.svc", "a.xlsx", ".", "..", "a%2F..", "..%2Fa", "a%2F.%2Fb"])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_name_of_a_file_that_will_not_do_for_an_id_is_refused(house: House, named: str) -> None:
    assert refused(post(house, xlsx_of(NOTE), headers={"X-XlsForm-FormId-Fallback": named})) == 400.8


def test_an_old_excel_workbook_is_read_like_a_new_one(house: House) -> None:
    made = shown(post(house, OLD_EXCEL.read_bytes(), "application/vnd.ms-excel", publish="true"))
    fields = shown(house.amina.get("forms/old_excel/fields"))

    assert (made["xmlFormId"], made["version"], made["name"]) == ("old_excel", "3", "Vieux classeur")
    assert [field["name"] for field in fields][:4] == ["day", "sacks", "paid", "remark"]
    assert "old_sacks" in [indicator["name"] for indicator in shown(house.fanta.get("indicators"))["indicators"]]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("workbook", "told"),
    [
        (a_workbook("x", "1", "| survey |\n| type | name | label |\n| txet | a | A |"), "txet"),
        (a_workbook("x", "1", "| survey |\n| type | name | label | relevant |\n| text | a | A | foo(1) |"), "foo"),
        (a_workbook("x", "1", NOTE + "| indicators |\n| name | label |\n| A | x |"), "‘A’"),
        (b"PK not a workbook", "damaged"),
        (b"\xd0\xcf\x11\xe0 neither", ".xls"),
        (b"\x89PNG neither", "neither a workbook nor an XForm"),
        (b"<html/>", "XForm"),
        (b"<!DOCTYPE x><html/>", "DOCTYPE"),
        (a_workbook("x.xlsx", "1", NOTE), "cannot end"),
        (a_workbook("x.svc", "1", NOTE), "cannot end"),
        (XFORM.replace(b'id="sale"', b'id=".."'), "dots alone"),
        (XFORM.replace(b'dataset="people"', b'dataset=".."'), "dots alone"),
        (XFORM.replace(b'dataset="people"', b'dataset="people.svc"'), "cannot end"),
        (b"", "no form"),
    ],
    ids=[
        *("pyxform", "function", "our sheet", "zip", "ole", "picture", "no xform", "doctype", "id", "feed"),
        *("dots", "list of dots", "list like a feed", "nothing"),
    ],
)
def test_what_cannot_be_published_is_refused_with_the_reason(house: House, workbook: bytes, told: str) -> None:
    answer = post(house, workbook, publish="true")

    assert refused(answer) in (400.15, 400.8, 400.2)
    assert told in answer.get_data(as_text=True)
    assert [form["xmlFormId"] for form in shown(house.djeneba.get("forms"))] == ["sale"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_xform_that_an_editor_began_with_a_mark_reaches_tablets_without_it(house: House) -> None:
    xform = house.amina.get("forms/sale.xml").get_data().replace(b'id="sale"', b'id="marked"', 1)

    made = shown(post(house, b"\xef\xbb\xbf" + xform, "application/xml", publish="true"))

    assert made["hash"] == hashlib.md5(xform).hexdigest()
    assert house.amina.get("forms/marked.xml").get_data() == xform


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_only_odk_validate_minds_is_refused_too(house: House) -> None:
    if validate.java() is None:
        pytest.skip("ODK Validate needs Java")
    xform = house.amina.get("forms/sale.xml").get_data().replace(b'id="sale"', b'id="x"', 1)
    broken = xform.replace(b"</h:body>", b'<input ref="/data/nowhere"><label>?</label></input></h:body>')

    answer = post(house, broken, "application/xml")

    assert refused(answer) == 400.15
    assert "ODK Collect cannot open" in answer.get_json()["details"]["findings"][0]["fault"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_odk_validate_minds_is_told_beside_all_else(house: House) -> None:
    if validate.java() is None:
        pytest.skip("ODK Validate needs Java")
    survey = """
        | survey | | | |
        | type | name | label | calculation |
        | integr | n | N | |
        | calculate | c | | area(1) |
        | indicators | |
        | name | aggregate |
        | n | middle |
    """

    answer = post(house, a_workbook("x", "1", survey))

    assert refused(answer) == 400.15
    told = [(one.get("sheet"), one.get("row"), one.get("column")) for one in answer.get_json()["details"]["findings"]]
    assert told == [("survey", 2, "type"), ("indicators", 2, "aggregate"), (None, None, None)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_without_java_the_answer_says_that_nobody_tried(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validate, "java", lambda: None)

    made = shown(post(house, a_workbook("note", "1", NOTE), publish="true"))

    assert any("no Java" in warning["fault"] for warning in made["warnings"])


def test_warnings_stop_a_form_unless_they_are_passed_over(house: House) -> None:
    photo = a_workbook("photo", "1", "| survey |\n| type | name | label |\n| image | p | P |")

    warned, taken = post(house, photo), post(house, photo, ignoreWarnings="True")

    assert refused(warned) == 400.16
    assert "max-pixels" in warned.get_json()["details"]["warnings"]["xlsFormWarnings"][0]
    assert shown(taken)["xmlFormId"] == "photo"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_form_for_corrections_is_warned_of_what_a_correction_begins_without(house: House) -> None:
    filled = "instance('a_corriger')/root/item[name = ${which}]/sacks"
    form = f"""
        | survey       |          |          |             |          |                |
        | type         | name     | label    | calculation | trigger  | parameters     |
        | select_one_from_file a_corriger.csv | which | Which | | |                   |
        | integer      | sacks    | Sacks    | {filled}    | ${{which}} |              |
        | text         | remark   | Remark   |             |          |                |
        | calculate    | double   |          | ${{sacks}} * 2 |       |                |
        | note         | thanks   | Thanks   |             |          |                |
        | image        | photo    | Photo    |             |          | max-pixels=900 |
        | begin_repeat | buyers   | Buyers   |             |          |                |
        | text         | buyer    | Buyer    |             |          |                |
        | end_repeat   | buyers   |          |             |          |                |
    """

    warned = post(house, a_workbook("fix", "1", form))

    assert refused(warned) == 400.16
    told = warned.get_json()["details"]["warnings"]["xlsFormWarnings"]
    assert [warning.split(": ", 1)[1].split(". ")[0] for warning in told] == [
        "A correction by a row of a_corriger.csv brings no files and no rows along: photo, buyers",
        "A correction by a row of a_corriger.csv begins without an answer to: remark",
    ]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("named", "warned"),
    [
        ("| label  |\n| people | ${who} |", True),
        ("| label  | entity_id | create_if | update_if |\n| people | ${who} | ${id} | true() | true() |", False),
    ],
)
def test_a_form_for_corrections_is_warned_of_entities_that_each_correction_makes_anew(
    house: House, named: str, warned: bool
) -> None:
    form = f"""
        | survey       |          |          |
        | type         | name     | label    |
        | select_one_from_file a_corriger.csv | which | Which |
        | text         | who      | Who      |
        | select_one_from_file people.csv | id | Id |
        | entities     |          |          |
        | list_name    {named}
    """

    told = post(house, a_workbook("fix", "1", form)).get_json()["details"]["warnings"]["xlsFormWarnings"]

    new = "A correction by a row of a_corriger.csv makes new entities in place of the former ones: people"
    assert any(new in warning for warning in told) is warned


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("faulty", "warned"),
    [("text | who | Who | ${sackz} > 1", True), ("txt | who | Who |", False), ("text | who | Who | foo(", True)],
)
def test_warnings_come_with_faults_but_for_what_cannot_be_known_before_these_are_mended(
    house: House, faulty: str, warned: bool
) -> None:
    survey = """
        | survey       |          |          |          |
        | type         | name     | label    | relevant |
        | select_one_from_file a_corriger.csv | which | Which | |
        | integer      | sacks    | Sacks    |          |
    """
    shown(post(house, a_workbook("fix", "1", f"{survey}| text | who | Who | |\n"), ignoreWarnings="true"))
    shown(house.djeneba.post("forms/fix/draft/publish"))
    changed = survey.replace("| sacks ", "| bags ")

    answer = house.djeneba.post("forms/fix/draft", data=a_workbook("fix", "2", f"{changed}| {faulty} |\n"))

    assert refused(answer) == 400.15
    told = answer.get_json()["message"]
    assert "sheet survey, row 4, column" in told
    assert ("Warning: The form has no more: sacks." in told) is warned
    assert ("a_corriger.csv begins without an answer to: bags, who." in told) is warned


def test_an_id_that_is_taken_and_a_version_that_is_are_told_apart(house: House) -> None:
    shown(post(house, a_workbook("note", "1", NOTE)))
    longer = NOTE + "| text | more | More |\n"

    assert refused(post(house, a_workbook("note", "2", NOTE))) == 409.3
    shown(house.djeneba.post("forms/note/draft/publish"))
    assert refused(post(house, a_workbook("note", "2", NOTE), publish="true")) == 409.3
    shown(house.djeneba.post("forms/note/draft", data=a_workbook("note", "1", longer)))
    assert refused(house.djeneba.post("forms/note/draft/publish")) == 409.6
    assert shown(house.djeneba.post("forms/note/draft/publish?version=2")) == {"success": True}


def test_fields_are_listed_in_the_order_of_the_instance(house: House) -> None:
    form = """
        | survey          |           |        |
        | type            | name      | label  |
        | begin group     | visit     | Visit  |
        | select_multiple c | crops   | Crops  |
        | begin repeat    | people    | People |
        | integer         | age-years | Age    |
        | end repeat      | people    |        |
        | image           | photo     | Photo  |
        | end group       | visit     |        |
        | choices         |           |        |
        | list_name       | name      | label  |
        | c               | rice      | Rice   |
    """
    shown(post(house, a_workbook("f", "1", form), publish="true", ignoreWarnings="true"))

    plain = shown(house.amina.get("forms/f/fields"))
    odata = shown(house.amina.get("forms/f/fields?odata=true"))

    assert [(field["path"], field["type"]) for field in plain] == [
        ("/visit", "structure"),
        ("/visit/crops", "string"),
        ("/visit/people", "repeat"),
        ("/visit/people/age-years", "int"),
        ("/visit/photo", "binary"),
        ("/meta", "structure"),
        ("/meta/instanceID", "string"),
    ]
    assert [field["path"] for field in plain if field["selectMultiple"]] == ["/visit/crops"]
    assert [field["path"] for field in plain if field["binary"]] == ["/visit/photo"]
    assert odata[3]["path"] == "/visit/people/age_years"
    assert shown(house.amina.get("forms/f/versions/1/fields")) == plain


def test_a_form_without_a_version_is_named_by_three_underscores(house: House) -> None:
    xform = house.amina.get("forms/sale.xml").get_data()
    bare = xform.replace(b'id="sale"', b'id="bare"', 1).replace(b' version="1"', b"", 1)
    shown(post(house, bare, "text/xml", publish="true"))

    assert shown(house.amina.get("forms/bare/versions/___"))["version"] == ""
    assert house.amina.get("forms/bare/versions/___.xml").get_data() == bare
    assert house.amina.get("forms/bare.xml").get_data() == bare
    assert refused(house.amina.get("forms/bare/versions/1")) == 404.6
    assert house.amina.get("forms/bare/versions/___/manifest").status_code == 200
    assert shown(house.amina.get("forms/bare/versions/___/attachments")) == []


def test_a_closed_form_takes_nothing_and_a_closing_one_goes_to_nobody_new(house: House) -> None:
    closing = shown(house.djeneba.patch("forms/sale", json={"state": "closing"}))
    while_closing = house.amina.outcomes(a_sale(1))
    listed = read_form_list(house.amina.get("formList"))
    house.djeneba.patch("forms/sale", json={"state": "closed"})
    while_closed = house.amina.outcomes(a_sale(2), batch="b2")

    assert closing["state"] == "closing"
    assert closing["updatedAt"] is not None
    assert (while_closing, listed, while_closed) == (["stored"], [], ["quarantined"])
    assert refused(house.djeneba.patch("forms/sale", json={"state": "ajar"})) == 400.8
    assert refused(house.djeneba.patch("forms/nothing", json={"state": "open"})) == 404.1


def test_a_deleted_form_is_out_of_everything_until_it_is_restored(house: House) -> None:
    house.amina.send(a_sale(1))
    before = shown(house.fanta.get("figures?indicator=sacks"))["figures"][0]["value"]

    shown(house.djeneba.delete("forms/sale"))
    (deleted,) = shown(house.djeneba.get("forms?deleted=true"))
    meanwhile = house.amina.outcomes(a_sale(2), batch="b2")

    assert before == 4
    assert deleted["xmlFormId"] == "sale"
    assert deleted["deletedAt"] is not None
    assert shown(house.djeneba.get("forms")) == []
    assert shown(house.amina.get("forms?deleted=true")) == []
    assert read_form_list(house.amina.get("formList")) == []
    assert meanwhile == ["quarantined"]
    assert shown(house.baraka.get("review"))["submissions"] == []
    office = ("forms/sale/submissions", "forms/sale/submissions.csv", "forms/sale.svc/Submissions", "forms/sale/draft")
    for path in (*office, f"forms/sale/submissions/{instance_id(1)}"):
        assert refused(house.djeneba.get(path)) == 404.1, path
    for path in ("forms/sale", "forms/sale.xml", "forms/sale/versions", "forms/sale/manifest", "forms/sale/fields"):
        assert house.amina.get(path).status_code == 404, path
    assert refused(house.fanta.get("figures?indicator=sacks")) == 400.8  # there is no such indicator now
    assert refused(post(house, a_workbook("sale", "9", NOTE), publish="true", ignoreWarnings="true")) == 409.3

    assert shown(house.djeneba.post(f"forms/{deleted['id']}/restore")) == {"success": True}
    assert shown(house.fanta.get("figures?indicator=sacks"))["figures"][0]["value"] == 8
    assert [form.form_id for form in read_form_list(house.amina.get("formList"))] == ["sale"]
    assert refused(house.djeneba.post(f"forms/{deleted['id']}/restore")) == 404.1


def test_a_project_with_a_key_serves_its_forms_encrypted_under_other_versions(house: House) -> None:
    plain = house.amina.get("forms/sale.xml").get_data()
    cursor = shown(house.amina.get("changes"))["cursor"]

    shown(house.djeneba.post("key", json={"passphrase": "three sacks of rice", "hint": "what Awa sold"}))
    form = shown(house.amina.get("forms/sale"))
    xform = house.amina.get("forms/sale.xml").get_data()
    shown(post(house, a_workbook("note", "7", NOTE), publish="true"))

    assert form["version"].startswith("1[encrypted:")
    assert form["keyId"] == shown(house.djeneba.get(""))["keyId"] is not None
    assert b"base64RsaPublicKey" in xform
    assert form["version"].encode() in xform
    assert md5(xform) == f"md5:{form['hash']}"
    assert house.amina.get("forms/sale/versions/1.xml").get_data() == plain
    assert house.amina.outcomes(a_sale(1)) == ["stored"]  # begun in the version from before
    assert shown(house.amina.get("forms/note"))["version"].startswith("7[encrypted:")
    assert [each["form"] for each in shown(house.amina.get(f"changes?since={cursor}"))["forms"]] == ["note", "sale"]
    assert refused(house.djeneba.post("key", json={"passphrase": "another of that length"})) == 409.3


def test_publishing_again_in_a_project_with_a_key_changes_nothing(house: House) -> None:
    house.djeneba.post("key", json={"passphrase": "three sacks of rice"})
    version = shown(house.amina.get("forms/sale"))["version"]

    shown(house.djeneba.post("forms/sale/draft"))
    same = refused(house.djeneba.post("forms/sale/draft/publish"))
    shown(house.djeneba.post("forms/sale/draft/publish?version=2"))

    assert same == 409.6
    versions = [each["version"] for each in shown(house.amina.get("forms/sale/versions"))]
    assert versions[1:] == [version, "1"]
    assert versions[0].startswith("2[encrypted:")


def test_a_form_that_brings_its_key_keeps_its_version(house: House) -> None:
    key = make_key("a key that stays at home")
    settings = f"| settings |\n| form_id | version | public_key |\n| own | 1 | {key.public} |\n"

    made = shown(post(house, xlsx_of(NOTE + settings), publish="true", ignoreWarnings="true"))

    assert made["version"] == "1"
    with house.app.app_context():
        stored = session().get_one(EncryptionKey, (house.pid, made["keyId"]))
        assert (stored.public, stored.private) == (key.public, None)
        assert session().scalars(select(FormVersion.key_id).where(FormVersion.form_id == "own")).one() == stored.id


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_key_is_refused(house: House) -> None:
    settings = "| settings |\n| form_id | version | public_key |\n| own | 1 | AAAA |\n"

    answer = post(house, xlsx_of(NOTE + settings), publish="true", ignoreWarnings="true")

    assert refused(answer) == 400.8
