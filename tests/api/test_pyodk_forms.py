"""Forms through pyODK, unchanged, against the server behind a socket."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyodk.client import Client
from pyodk.errors import PyODKError

from server.db import session
from sync.accounts.passwords import hash_password
from sync.accounts.people import find_user
from sync.models.database import begin_writing
from tests.support.live import served
from tests.support.web import PASSWORD, House, refused, shown
from tests.support.workbooks import a_workbook

OLD_EXCEL = Path(__file__).parents[1] / "support" / "old_excel.xls"
VISIT = """
    | survey                          |        |        |
    | type                            | name   | label  |
    | select_one_from_file prices.csv | price  | Price  |
"""
LONGER = VISIT + "    | text | remark | Remark |\n"


@pytest.fixture
def client(house: House, tmp_path: Path) -> Iterator[Client]:
    """pyODK, signed in with the e-mail address and password of Djeneba, who administers the project."""
    with house.app.app_context():
        begin_writing(session())
        actor = find_user(session(), "djeneba@example.org")
        assert actor is not None
        actor.password_hash = hash_password(PASSWORD)
        session().commit()
    with served(house.app) as address:
        config = tmp_path / "config.toml"
        config.write_text(
            f'[central]\nbase_url = "{address}"\nusername = "djeneba@example.org"\npassword = "{PASSWORD}"\n'
            f"default_project_id = {house.pid}\n"
        )
        with Client(config_path=config, cache_path=tmp_path / "cache.toml") as client:
            yield client


def test_a_form_is_made_with_its_files_and_read_back(client: Client, house: House, tmp_path: Path) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_bytes(b"name,label\n10,Ten\n")

    made = client.forms.create(a_workbook("visit", "1", VISIT), attachments=[prices])

    assert (made.xmlFormId, made.version, made.state) == ("visit", "1", "open")
    assert [form.xmlFormId for form in client.forms.list()] == ["sale", "visit"]
    assert client.forms.get("visit").publishedAt is not None
    assert client.forms.get_xml("visit") == house.amina.get("forms/visit.xml").get_data(as_text=True)
    assert house.amina.get("forms/visit/attachments/prices.csv").get_data() == prices.read_bytes()


def test_a_form_is_made_from_each_kind_of_definition(client: Client, house: House, tmp_path: Path) -> None:
    file = tmp_path / "from_a_file.xlsx"
    file.write_bytes(a_workbook("", "1", "| survey |\n| type | name | label |\n| text | a | A |"))
    old = OLD_EXCEL.read_bytes()
    xml = house.amina.get("forms/sale.xml").get_data(as_text=True).replace('id="sale"', 'id="as_xml"')

    assert client.forms.create(file).xmlFormId == "from_a_file"
    assert client.forms.create(old).xmlFormId == "old_excel"
    assert client.forms.create(xml).xmlFormId == "as_xml"
    assert house.djeneba.get("forms/old_excel.xls").get_data() == old
    assert refused(house.djeneba.get("forms/as_xml.xlsx")) == 404.1


def test_a_form_is_changed_by_another_definition_and_by_another_file(
    client: Client, house: House, tmp_path: Path
) -> None:
    prices = tmp_path / "prices.csv"
    prices.write_bytes(b"name,label\n10,Ten\n")
    client.forms.create(a_workbook("visit", "1", VISIT), attachments=[prices])
    prices.write_bytes(b"name,label\n12,Twelve\n")

    client.forms.update("visit", definition=a_workbook("visit", "2", LONGER))
    client.forms.update("visit", attachments=[prices], version_updater=lambda version: f"{int(version) + 1}")

    assert client.forms.get("visit").version == "3"
    assert b'version="3"' in house.amina.get("forms/visit.xml").get_data()
    assert b"remark" in house.amina.get("forms/visit.xml").get_data()
    assert house.amina.get("forms/visit/attachments/prices.csv").get_data() == prices.read_bytes()
    assert [version["version"] for version in shown(house.amina.get("forms/visit/versions"))] == ["3", "2", "1"]


def test_what_is_wrong_reaches_whoever_called(client: Client) -> None:
    faulty = a_workbook("wrong", "1", "| survey |\n| type | name | label |\n| txet | a | A |")

    with pytest.raises(PyODKError) as told:
        client.forms.create(faulty)
    with pytest.raises(PyODKError) as twice:
        client.forms.create(a_workbook("sale", "2", VISIT))

    assert told.value.args[1].json()["code"] == 400.15
    assert "txet" in str(told.value)
    assert twice.value.args[1].json()["code"] == 409.3
