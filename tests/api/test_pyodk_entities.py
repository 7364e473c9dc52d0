"""pyODK, unmodified, against the live server: entity lists, their properties and their entities."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyodk.client import Client  # type: ignore[import-untyped]
from pyodk.errors import PyODKError  # type: ignore[import-untyped]
from requests.auth import AuthBase
from requests.models import PreparedRequest

from server.odata import options
from tests.support.live import served
from tests.support.web import House


class Bearer(AuthBase):
    """A token of one's own instead of a password: the address of these tests is plain http."""

    def __init__(self, token: str) -> None:
        self.token = token

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self.token}"
        return request


@pytest.fixture
def pyodk(house: House, tmp_path: Path) -> Iterator[Client]:
    """Djeneba, who administers the project, at work with pyODK on the list `people`."""
    with served(house.app) as address:
        config = tmp_path / "pyodk.toml"
        config.write_text(
            f'[central]\nbase_url = "{address}"\nusername = "x"\npassword = "y"\ndefault_project_id = {house.pid}\n'
        )
        client = Client(config_path=config, cache_path=tmp_path / "cache.toml", project_id=house.pid)
        client.session.auth = Bearer(house.djeneba.token)
        client.entities.default_entity_list_name = "villages"
        client.entity_lists.default_entity_list_name = "villages"
        yield client


def test_lists_are_made_given_properties_and_listed(pyodk: Client) -> None:
    made = pyodk.entity_lists.create(entity_list_name="villages", approval_required=True)
    added = pyodk.entity_lists.add_property("commune", entity_list_name="villages")

    assert (made.name, made.approvalRequired, made.properties) == ("villages", True, [])
    assert added
    assert [each.name for each in pyodk.entity_lists.list()] == ["people", "villages"]
    villages = pyodk.entity_lists.get("villages")
    assert [(each.name, each.odataName, each.forms) for each in villages.properties or []] == [
        ("commune", "commune", [])
    ]
    people = pyodk.entity_lists.get("people")
    assert [(each.name, each.forms) for each in people.properties or []] == [("seller", ["sale"])]


def test_a_list_longer_than_a_page_is_merged_with_and_nobody_is_in_it_twice(
    pyodk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "LARGEST_PAGE", 2)
    villages(pyodk)
    old = [{"label": f"Village {number}", "commune": "Siby"} for number in range(5)]
    pyodk.entities.create_many(old)

    pyodk.entities.merge([*({**one, "commune": "Mandé"} for one in old), {"label": "New", "commune": "Kati"}])

    found = pyodk.entities.get_table()["value"]
    assert sorted((one["label"], one["commune"]) for one in found) == [
        ("New", "Kati"),
        *((one["label"], "Mandé") for one in old),
    ]


def test_an_entity_is_made_changed_and_deleted(pyodk: Client) -> None:
    villages(pyodk)
    key = str(uuid.uuid4())

    made = pyodk.entities.create("Siby", {"commune": "Siby"}, uuid=key)
    changed = pyodk.entities.update(key, label="Siby-centre", base_version=1)
    forced = pyodk.entities.update(key, data={"commune": "Mandé"}, force=True)

    assert (made.uuid, made.currentVersion.version, made.currentVersion.data) == (key, 1, {"commune": "Siby"})
    assert (changed.currentVersion.label, changed.currentVersion.version) == ("Siby-centre", 2)
    assert (forced.currentVersion.data, forced.currentVersion.label) == ({"commune": "Mandé"}, "Siby-centre")
    assert forced.currentVersion.userAgent.startswith("pyodk")
    assert [(each.uuid, each.currentVersion.version) for each in pyodk.entities.list()] == [(key, 3)]
    assert pyodk.entities.delete(key)
    assert pyodk.entities.list() == []


def test_a_change_of_an_older_version_is_refused_as_the_reference_server_does(pyodk: Client) -> None:
    villages(pyodk)
    made = pyodk.entities.create("Siby", {"commune": "Siby"})
    pyodk.entities.update(made.uuid, label="Siby 2", base_version=1)

    with pytest.raises(PyODKError) as refused:
        pyodk.entities.update(made.uuid, label="Siby 3", base_version=1)

    assert refused.value.is_central_error(code=409.15)


def test_many_are_made_at_once_or_none(pyodk: Client) -> None:
    villages(pyodk)

    assert pyodk.entities.create_many([{"label": f"Village {n}", "commune": "Siby"} for n in range(30)])
    with pytest.raises(PyODKError) as refused:
        pyodk.entities.create_many([{"label": "One more", "commune": "x"}, {"label": "", "commune": "x"}])

    assert refused.value.is_central_error(code=400.28)
    assert len(pyodk.entities.list()) == 30


def villages(pyodk: Client) -> None:
    pyodk.entity_lists.create(entity_list_name="villages")
    pyodk.entity_lists.add_property("commune", entity_list_name="villages")
