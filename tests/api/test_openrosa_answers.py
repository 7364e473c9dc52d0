"""In which words clients are answered at the addresses that tablets and programs share: each in its own, errors too."""

from __future__ import annotations

import base64

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.journal import open_journal
from sync.projects.publish import publish_form
from tests.support.projects import NOON, a_sale, instance_id
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

VISIT = """
    | survey                          |        |        |
    | type                            | name   | label  |
    | select_one_from_file people.csv | seller | Seller |
    | select_one_from_file prices.csv | price  | Price  |
"""
SPEAKS = {"X-OpenRosa-Version": "1.0"}
# What there is not, at addresses that a tablet asks.
MISSING = [
    "formXml?formId=no",
    "forms/no.xml",
    "forms/no/manifest",
    "forms/no/attachments/x.jpg",
    "forms/visit/attachments/x.jpg",
    "forms/visit/versions/9.xml",
    "forms/visit/versions/9/manifest",
    "forms/visit/versions/9/attachments/prices.csv",
    "forms/visit/draft.xml",
    "forms/visit/draft/attachments/x.jpg",
    "datasets/no/integrity",
]
# Those of them at which programs ask too.
SHARED = [path for path in MISSING if path.startswith("forms/") and not path.endswith("manifest")]


@pytest.fixture
def visited(house: House) -> House:
    workbook = read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx")
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook, {"prices.csv": b"name,label\n10,Ten\n"})
        journal.close()
        session().commit()
    return house


def in_openrosa(answer: TestResponse) -> TestResponse:
    """The answer, which has all that OpenRosa wants of each."""
    told = answer.headers
    assert told.get("X-OpenRosa-Version") == "1.0", answer.request.path
    assert told.get("Content-Language") in ("fr", "en"), answer.request.path
    assert int(told["X-OpenRosa-Accept-Content-Length"]) > 0
    assert told["Date"].endswith("GMT")
    return answer


def error_in_openrosa(answer: TestResponse) -> int:
    """The status of an error that a tablet can show."""
    assert in_openrosa(answer).content_type == "text/xml; charset=utf-8"
    assert b'<message nature="error">' in answer.data
    return answer.status_code


def tablet(house: House) -> FlaskClient:
    return house.app.test_client()


@pytest.mark.parametrize("path", MISSING)
def test_what_is_not_there_is_said_to_a_tablet_in_openrosa(visited: House, path: str) -> None:
    inside, token = f"/projects/{visited.pid}/{path}", visited.djeneba.token
    by_query = f"/v1{inside}{'&' if '?' in inside else '?'}st={token}"

    assert error_in_openrosa(tablet(visited).get(f"/v1/key/{token}{inside}")) == 404
    assert error_in_openrosa(tablet(visited).get(by_query)) == 404
    assert error_in_openrosa(visited.djeneba.get(path, headers=SPEAKS)) == 404
    assert error_in_openrosa(tablet(visited).get(f"/v1/key/siby_{'x' * 43}{inside}")) == 403


@pytest.mark.parametrize("path", SHARED)
def test_to_a_program_it_is_said_in_json(visited: House, path: str) -> None:
    answer = visited.djeneba.get(path)

    assert refused(answer) in (404.1, 404.4, 404.6)
    assert "X-OpenRosa" not in str(answer.headers)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "submission"),
        ("DELETE", "formList"),
        ("POST", "forms/visit.xml"),
        ("PUT", "forms/visit/attachments/prices.csv"),
        ("GET", "formUpload"),
    ],
)
def test_what_cannot_be_asked_so_is_said_in_openrosa(visited: House, method: str, path: str) -> None:
    key = f"/v1/key/{visited.amina.token}/projects/{visited.pid}"

    answer = tablet(visited).open(f"{key}/{path}", method=method)

    assert error_in_openrosa(answer) == 405
    assert answer.headers["Allow"]


def test_the_addresses_at_the_root_speak_openrosa_whatever_is_asked(visited: House) -> None:
    ask = tablet(visited).open
    basic = base64.b64encode(f"Amina:{visited.amina.token}".encode()).decode()

    assert error_in_openrosa(ask("/submission", method="PUT")) == 405
    assert error_in_openrosa(ask("/formList", method="POST")) == 405
    assert error_in_openrosa(ask("/formList")) == 401
    assert error_in_openrosa(ask("/xformsManifest/no", headers={"Authorization": f"Basic {basic}"})) == 404
    assert error_in_openrosa(ask("/formlist", headers=SPEAKS)) == 404  # misspelt


def test_what_a_tablet_fetches_has_all_headers_also_where_it_is_as_it_was(visited: House) -> None:
    visited.amina.send(a_sale(1))
    key = f"/v1/key/{visited.amina.token}/projects/{visited.pid}"
    ask = tablet(visited).get

    for path in (
        "formList",
        "forms/visit.xml",
        "forms/visit/versions/1.xml",
        "forms/visit/manifest",
        "forms/visit/versions/1/manifest",
        "forms/visit/attachments/prices.csv",
        "forms/visit/attachments/people.csv",
        "datasets/people/integrity",
    ):
        whole = in_openrosa(ask(f"{key}/{path}"))
        tag = {"If-None-Match": whole.headers["ETag"]}
        again = [in_openrosa(ask(f"{key}/{path}", headers=tag)) for _ in range(3)]  # the last ones by the short way
        assert (path, whole.status_code, [answer.status_code for answer in again]) == (path, 200, [304] * 3)


def test_a_draft_that_is_tried_out_speaks_openrosa_too(visited: House) -> None:
    shown(visited.djeneba.post("forms/visit/draft"))
    token = shown(visited.djeneba.get("forms/visit/draft"))["draftToken"]
    door = f"/v1/test/{token}/projects/{visited.pid}/forms/visit/draft"
    ask = tablet(visited).get

    for path in (f"{door}.xml", f"{door}/formList", f"{door}/manifest", f"{door}/attachments/prices.csv"):
        assert in_openrosa(ask(path)).status_code == 200
    assert error_in_openrosa(ask(f"{door}/attachments/x.jpg")) == 404
    assert refused(visited.djeneba.get("forms/visit/draft/attachments/x.jpg")) == 404.1


def test_the_files_of_a_submission_come_to_briefcase_in_openrosa_and_to_programs_as_they_are(visited: House) -> None:
    visited.amina.send(a_sale(1, photo="p.jpg"))
    path = f"forms/sale/submissions/{instance_id(1)}/attachments/p.jpg"
    assert error_in_openrosa(visited.baraka.get(path, headers=SPEAKS)) == 404
    assert refused(visited.baraka.get(path)) == 404.1

    shown(visited.baraka.post(path, data=b"\xff\xd8\xff"))

    assert in_openrosa(visited.baraka.get(path, headers=SPEAKS)).data == b"\xff\xd8\xff"
    assert "Content-Language" not in visited.baraka.get(path).headers


@pytest.mark.parametrize("headers", [{}, SPEAKS])
@pytest.mark.parametrize("path", ["projects/{pid}/formList", "projects/{pid}/forms/visit.xml", "projects/{pid}"])
def test_another_method_at_an_address_with_two_slashes_is_refused_in_an_orderly_way(
    house: House, path: str, headers: dict[str, str]
) -> None:
    for method in ("PUT", "POST"):
        answer = house.app.test_client().open(f"/v1//{path.format(pid=house.pid)}", method=method, headers=headers)

        assert answer.status_code in (308, 404, 405)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
