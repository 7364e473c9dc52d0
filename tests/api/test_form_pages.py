"""The pages of forms: uploaded, looked at, tried out, published, closed, deleted and restored, without a script."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.acts.uploads import XLSX
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import SALE, a_sale
from tests.support.web import House, shown
from tests.support.workbooks import a_workbook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOSTILE = "<script>alert(1)</script>"
VISIT = """
    | survey                          |         |                    |             |
    | type                            | name    | label              | constraint  |
    | select_one_from_file people.csv | seller  | Seller             |             |
    | select_one_from_file prices.csv | price   | Price              |             |
    | integer                         | sacks   | Sacks <b>today</b> | . >= 0      |
"""


@pytest.fixture
def client(house: House) -> FlaskClient:
    return signed_in(house, "djeneba")


def upload(house: House, client: FlaskClient, workbook: bytes, fid: str | None = None) -> TestResponse:
    page = f"/projects/{house.pid}/workbook"
    to = page if fid is None else f"/projects/{house.pid}/forms/{fid}/draft"
    return send(client, page, to, {"workbook": (io.BytesIO(workbook), "visit.xlsx")})


def press(house: House, client: FlaskClient, path: str, page: str = "forms", **values: Any) -> str:
    """Send a form of a page, and read the page that follows; gives its text."""
    base = f"/projects/{house.pid}"
    answer = send(client, f"{base}/{page}", f"{base}/{path}", values)
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return read(client, answer.headers["Location"])


def test_forms_are_listed_with_what_came_in(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2))
    text = read(signed_in(house, "fanta", "en"), f"/projects/{house.pid}/forms")

    assert "1 form" in text
    assert re.search(r'data-of="Submissions">2<', text)
    assert "Upload a workbook" not in text


def test_a_workbook_becomes_a_draft_that_is_published(house: House, client: FlaskClient) -> None:
    answer = upload(house, client, a_workbook("visit", "1", VISIT))
    draft = read(client, f"/projects/{house.pid}/forms/visit/draft")
    page = press(house, client, "forms/visit/draft/publish", "forms/visit/draft/publish", version="2")

    assert answer.status_code == 303
    assert "/forms/visit/draft" in answer.headers["Location"]
    assert "prices.csv" in draft
    assert "/forms/visit/draft/qr.svg" in draft
    assert shown(house.djeneba.get("forms/visit"))["version"] == "2"
    assert "visit" in page
    assert [form["version"] for form in shown(house.djeneba.get("forms")) if form["xmlFormId"] == "visit"] == ["2"]


def test_all_that_is_wrong_is_shown_by_sheet_row_and_column(house: House, client: FlaskClient) -> None:
    faulty = VISIT.replace(". >= 0", "${bags} > 1").replace("integer ", "intejer ")
    answer = upload(house, client, a_workbook("visit", "1", faulty))
    text = answer.get_data(as_text=True)

    assert answer.status_code == 400
    assert "<strong>visit.xlsx</strong>" in text
    assert 'data-of="' in text
    assert "survey" in text
    assert 'name="workbook"' in text
    assert Page(text).runs == []
    assert client.get(f"/projects/{house.pid}/forms/visit/draft").status_code in (303, 404)


def test_faults_and_warnings_stand_in_one_list_and_nothing_is_taken(house: House, client: FlaskClient) -> None:
    faulty = VISIT.replace(". >= 0", "${bags} > 1") + "    | indicatorz |  |\n    | name | label |\n"
    workbook = a_workbook("visit", "1", faulty)

    page = upload(house, client, workbook).get_data(as_text=True)
    answer = house.djeneba.post("forms?ignoreWarnings=true&publish=true", data=workbook, headers={"Content-Type": XLSX})
    told = answer.get_json()["details"]["findings"]

    assert "1 thing is to be mended" in page
    assert page.index("Errors and warnings") < page.index("‘bags’") < page.index("<strong>Warning</strong>")
    assert answer.status_code == 400
    assert [(one.get("sheet"), one.get("warning", False)) for one in told] == [("survey", False), ("indicatorz", True)]
    assert house.djeneba.get("forms/visit").status_code == 404


def test_an_empty_upload_and_one_that_is_no_workbook_are_refused_on_the_page(house: House, client: FlaskClient) -> None:
    for content in (b"", b"no workbook", b"PK\x03\x04 broken"):
        answer = upload(house, client, content)
        assert answer.status_code == 400
        assert 'role="alert"' in answer.get_data(as_text=True)


def test_a_workbook_of_another_form_does_not_replace_a_draft(house: House, client: FlaskClient) -> None:
    answer = upload(house, client, a_workbook("visit", "1", VISIT), "sale")

    assert answer.status_code == 400
    assert "visit" in answer.get_data(as_text=True)
    assert house.djeneba.get("forms/sale/draft").status_code == 404


def test_warnings_are_shown_before_the_draft_and_may_be_accepted(house: House, client: FlaskClient) -> None:
    warned = VISIT + "    | indicatorz |  |\n    | name | label |\n"
    answer = upload(house, client, a_workbook("visit", "1", warned))
    page = read(client, answer.headers["Location"])

    assert answer.headers["Location"].endswith("/forms/visit/draft/findings?was=visit.xlsx")
    assert "indicatorz" in page
    assert "<strong>visit.xlsx</strong>" in page
    assert any(link.endswith("/forms/visit/draft") for link in Page(page).links)
    assert shown(house.djeneba.get("forms/visit/draft"))["version"] == "1"


def test_questions_are_shown_with_their_rules_in_words_and_hostile_labels_are_text(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    upload(house, client, a_workbook("visit", "1", VISIT.replace("Seller ", HOSTILE)))
    text = read(client, f"/projects/{house.pid}/forms/visit/draft/questions")

    assert "&lt;script&gt;" in text
    assert "Sacks &lt;b&gt;today&lt;/b&gt;" in text
    assert "the answer ≥ 0" in text
    assert "from the list people" in text


def test_what_changed_between_two_versions_is_told(house: House) -> None:
    client = signed_in(house, "djeneba", "en")
    changed = SALE.replace("| Village   |", "| Hamlet    |").replace(". >= 0", ". >= 1")
    upload(house, client, a_workbook("sale", "2", changed))
    before = read(client, f"/projects/{house.pid}/forms/sale/draft/changes")
    press(house, client, "forms/sale/draft/publish", "forms/sale/draft/publish", version="2")
    after = read(client, f"/projects/{house.pid}/forms/sale/versions/2/changes")

    for text in (before, after):
        assert "<del>Village</del>" in text
        assert "<ins>Hamlet</ins>" in text
        assert "<ins>. &gt;= 1</ins>" in text
    assert client.get(f"/projects/{house.pid}/forms/sale/versions/1/changes").status_code == 404
    assert client.get(f"/projects/{house.pid}/forms/sale/versions/9").status_code == 404


def test_a_file_is_given_bound_to_a_list_and_taken_away(house: House, client: FlaskClient) -> None:
    upload(house, client, a_workbook("visit", "1", VISIT))
    draft, to = "forms/visit/draft", "forms/visit/draft/files"
    given = {"action": "give", "file": (io.BytesIO(b"name,label\n10,Ten\n"), "prices.csv")}

    press(house, client, f"{to}/prices.csv", draft, **given)
    files = {file["name"]: file for file in shown(house.djeneba.get("forms/visit/draft/attachments"))}
    assert (files["prices.csv"]["blobExists"], files["people.csv"]["datasetExists"]) == (True, True)

    for name in ("people.csv", "prices.csv"):
        assert f"{name} away?" in read(client, f"/projects/{house.pid}/{to}/{name}/empty")
        press(house, client, f"{to}/{name}", f"{to}/{name}/empty", action="empty")
    files = {file["name"]: file for file in shown(house.djeneba.get("forms/visit/draft/attachments"))}
    assert (files["prices.csv"]["exists"], files["people.csv"]["exists"]) == (False, False)

    press(house, client, f"{to}/people.csv", draft, action="link")
    files = {file["name"]: file for file in shown(house.djeneba.get("forms/visit/draft/attachments"))}
    assert files["people.csv"]["datasetExists"]


def test_a_form_is_closed_and_opened_again_by_undoing(house: House, client: FlaskClient) -> None:
    page = press(house, client, "forms/sale/state", "forms/sale", state="closed")
    assert shown(house.djeneba.get("forms/sale"))["state"] == "closed"
    assert '<input type="hidden" name="state" value="open">' in page

    press(house, client, "forms/sale/state", "forms/sale", state="open")
    assert shown(house.djeneba.get("forms/sale"))["state"] == "open"


def test_a_form_is_deleted_after_a_question_and_restored(house: House, client: FlaskClient) -> None:
    house.amina.send(a_sale(1))
    asked = read(signed_in(house, "djeneba", "en"), f"/projects/{house.pid}/forms/sale/delete")
    page = press(house, client, "forms/sale/delete", "forms/sale/delete")
    restore = re.search(r'action="(/projects/\d+/forms/\d+/restore)"', page)

    assert "1 submission is no longer shown" in asked
    assert restore is not None
    assert client.get(f"/projects/{house.pid}/forms/sale").status_code == 404
    assert "sale" in read(client, f"/projects/{house.pid}/forms?deleted=true")

    press(house, client, restore[1].partition(f"/{house.pid}/")[2], "forms?deleted=true")
    assert shown(house.djeneba.get("forms/sale"))["state"] == "open"


def test_a_version_that_was_published_already_is_said_and_what_was_typed_stays(
    house: House, client: FlaskClient
) -> None:
    press(house, client, "forms/sale/draft", "forms/sale")
    asked = read(client, f"/projects/{house.pid}/forms/sale/draft/publish")
    changed = a_workbook("sale", "1", SALE.replace("| Village   |", "| Hamlet    |"))
    upload(house, client, changed, "sale")
    path = f"/projects/{house.pid}/forms/sale/draft/publish"
    answer = send(client, path, path, {"version": "1"})

    assert 'name="version" value="1"' not in asked
    assert answer.status_code == 409
    assert 'name="version" value="1"' in answer.get_data(as_text=True)


def test_a_draft_is_thrown_away_after_a_question(house: House, client: FlaskClient) -> None:
    press(house, client, "forms/sale/draft", "forms/sale")
    press(house, client, "forms/sale/draft/discard", "forms/sale/draft/discard")

    assert house.djeneba.get("forms/sale/draft").status_code == 404
    assert house.djeneba.get("forms/sale").status_code == 200


@pytest.mark.parametrize("path", ["workbook", "forms/sale/delete", "forms/sale/draft", "forms/sale/draft/publish"])
@pytest.mark.parametrize("name", ["fanta", "baraka"])
def test_only_who_administers_the_project_changes_forms(house: House, name: str, path: str) -> None:
    assert signed_in(house, name).get(f"/projects/{house.pid}/{path}").status_code == 403


@pytest.mark.parametrize("path", ["forms", "forms/sale", "forms/sale/versions/1"])
def test_who_belongs_elsewhere_finds_nothing(house: House, path: str) -> None:
    assert signed_in(house, "coumba").get(f"/projects/{house.pid}/{path}").status_code == 404
    assert signed_in(house, "fanta").get(f"/projects/{house.pid}/{path}").status_code == 200
