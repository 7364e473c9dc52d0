"""What a client is told that sends a form where JSON is expected."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.pages import read, signed_in
from tests.support.projects import a_sale
from tests.support.web import PASSWORD, House, refused, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EXPECTED = "JSON is expected here, and a form was sent. Send an object, with Content-Type: application/json."
FORMS = ["application/x-www-form-urlencoded", "multipart/form-data"]


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("path", ["app-users", "batches", "batches/known", "/v1/sessions"])
def test_a_form_is_told_that_json_is_expected(house: House, path: str, kind: str) -> None:
    filled = {"displayName": "Tab 7", "email": "baraka@example.org", "password": PASSWORD}

    answer = house.baraka.post(path, data=filled, content_type=kind)

    assert refused(answer) == 400.1
    assert answer.get_json()["message"] == EXPECTED


@pytest.mark.parametrize("kind", FORMS)
def test_a_page_that_sends_one_is_told_the_same(house: House, kind: str) -> None:
    browser = signed_in(house)
    word = re.search(r'name="__csrf" value="([^"]+)"', read(browser, "/account"))
    assert word is not None
    filled = {"displayName": "Tab 7", "__csrf": word[1]}

    answer = browser.post(f"/v1/projects/{house.pid}/app-users", data=filled, content_type=kind)

    assert refused(answer) == 400.1
    assert answer.get_json()["message"] == EXPECTED


def test_json_that_a_client_calls_a_form_is_read_all_the_same(house: House) -> None:
    kind = "application/x-www-form-urlencoded"  # so curl calls all that it sends

    made = house.baraka.post("app-users", data=json.dumps({"displayName": "Tab 7"}), content_type=kind)
    batch = house.amina.post("batches", data=json.dumps({"batch": "b1", "items": [a_sale(1)]}), content_type=kind)
    marked = house.baraka.post("app-users", data=b'\xef\xbb\xbf{"displayName": "Tab 8"}', content_type=kind)

    assert (shown(made)["displayName"], shown(marked)["displayName"]) == ("Tab 7", "Tab 8")
    assert [receipt["outcome"] for receipt in shown(batch)["receipts"]] == ["stored"]


def test_a_form_is_told_so_in_french(house: House) -> None:
    asked = {"Accept-Language": "fr"}

    answer = house.baraka.post("app-users", data={"displayName": "Tab 7"}, headers=asked)

    assert answer.get_json()["message"].startswith("Du JSON est attendu ici")
