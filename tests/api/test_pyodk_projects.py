"""pyODK, unmodified, against the running server: projects and devices, and each method that it has, once."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyodk.client import Client
from pyodk.errors import PyODKError

from server.db import session
from sync.accounts.people import add_device
from sync.models.database import begin_writing
from tests.api.test_submissions import a_filled_form
from tests.support.collect import Collect, a_filled_sale, through
from tests.support.projects import NOON
from tests.support.pyodk import pyodk_as
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

FIRST, SECOND = "uuid:85cb9aff-005e-4edd-9739-dc9c1a829c44", "uuid:315c2f74-c8fc-4606-ae3f-22f8983e441e"
METHODS = {
    "projects": {"list", "get", "create_app_users"},
    "forms": {"list", "get", "get_xml", "create", "update"},
    "submissions": {"list", "get", "get_table", "create", "edit", "review", "list_comments", "add_comment"},
    "entities": {"list", "create", "create_many", "update", "delete", "get_table", "merge"},
    "entity_lists": {"list", "get", "create", "add_property"},
}


@pytest.fixture
def client(house: House, tmp_path: Path) -> Iterator[Client]:
    """Djeneba's, who administers the project and nothing beside."""
    with pyodk_as(house, "Djeneba", tmp_path) as client:
        yield client


def test_each_method_works_for_whoever_administers_the_project(client: Client, tmp_path: Path) -> None:
    found = {
        service: {name for name, _ in inspect.getmembers(getattr(client, service), inspect.ismethod) if name[0] != "_"}
        for service in METHODS
    }
    assert found == METHODS, "another pyODK than this test knows"

    assert client.projects.get().name == "Siby"
    assert [one.id for one in client.projects.list()] == [client.project_id]
    for each in (use_forms, use_submissions, use_entities):
        each(client, tmp_path)


def use_forms(client: Client, folder: Path) -> None:
    prices = folder / "prices.csv"
    prices.write_text("name,label\na,A\n")
    made = client.forms.create(a_workbook("visit", "1", VISIT), attachments=[prices], form_id="visit")
    assert (made.xmlFormId, made.version) == ("visit", "1")
    prices.write_text("name,label\nb,B\n")
    client.forms.update("visit", attachments=[prices], version_updater=lambda version: f"{version}b")
    client.forms.update("visit", definition=a_workbook("visit", "2", VISIT))
    assert client.forms.get("visit").version == "2"
    assert 'id="visit"' in client.forms.get_xml("visit")
    assert [form.xmlFormId for form in client.forms.list()] == ["sale", "visit"]


def use_submissions(client: Client, folder: Path) -> None:
    photo = folder / "a.jpg"
    photo.write_bytes(b"a photo")
    told = client.submissions
    told.create(a_filled_form(FIRST, more="<photo>a.jpg</photo>").decode(), form_id="sale", attachments=[photo])
    told.edit(FIRST, a_filled_form(SECOND, edits=FIRST, sacks=9).decode(), form_id="sale", comment="Nine.")
    told.add_comment(FIRST, "Really.", form_id="sale")
    told.review(FIRST, review_state="hasIssues", form_id="sale", comment="Ten?")
    assert {one.body for one in told.list_comments(FIRST, form_id="sale")} == {"Nine.", "Really.", "Ten?"}
    assert [one.instanceId for one in told.list(form_id="sale")] == [FIRST]
    assert told.get(FIRST, form_id="sale").reviewState == "hasIssues"
    flagged = "__system/reviewState eq 'hasIssues'"
    assert [row["sacks"] for row in told.get_table(form_id="sale", filter=flagged, count=True)["value"]] == [9]


def use_entities(client: Client, folder: Path) -> None:
    client.entity_lists.create(entity_list_name="villages")
    client.entity_lists.add_property("commune", entity_list_name="villages")
    assert "villages" in [one.name for one in client.entity_lists.list()]
    assert [one.name for one in client.entity_lists.get("villages").properties or []] == ["commune"]
    entities = client.entities
    entities.default_entity_list_name = "villages"
    made = entities.create("Siby", {"commune": "Siby"})
    assert entities.create_many([{"label": "Kalabancoro", "commune": "K"}, {"label": "Nowhere", "commune": "N"}])
    changed = entities.update(made.uuid, data={"commune": "Mandé"}, base_version=1)
    assert changed.currentVersion.version == 2
    assert entities.update(made.uuid, label="Siby (Mandé)", force=True).currentVersion.version == 3
    nowhere = next(one for one in entities.list() if one.currentVersion.label == "Nowhere")
    assert entities.delete(nowhere.uuid)
    entities.merge(
        [{"label": "Kalabancoro", "commune": "Kati"}, {"label": "Narena", "commune": "Kangaba", "chief": "Awa"}],
        add_new_properties=True,
        update_matched=True,
        delete_not_matched=True,
    )
    rows = {row["label"]: (row["commune"], row["chief"]) for row in entities.get_table()["value"]}
    assert rows == {"Kalabancoro": ("Kati", None), "Narena": ("Kangaba", "Awa")}


def test_devices_are_made_and_given_their_forms(client: Client, house: House) -> None:
    made = list(client.projects.create_app_users(["Tablette 1", "Tablette 2"], forms=["sale"]))
    more = list(client.projects.create_app_users(["Tablette 1", "Tablette 3"]))

    doors = [f"/v1/key/{user.token}/projects/{house.pid}" for user in (*made, *more)]
    tablets = [Collect(through(house.app.test_client().open), door) for door in doors]
    assert [[form["formID"] for form in tablet.forms()] for tablet in tablets] == [["sale"], ["sale"], []]
    posted = [tablet.post(a_filled_sale(number)).status for number, tablet in enumerate(tablets)]
    assert posted == [201, 201, 404]
    given = shown(house.djeneba.get("assignments/forms/app-user"))
    assert sorted(row["actorId"] for row in given) == sorted(user.id for user in made)


def test_who_coordinates_makes_devices_with_their_forms_and_who_reads_does_not(house: House, tmp_path: Path) -> None:
    with pyodk_as(house, "Baraka", tmp_path) as client:
        (made,) = client.projects.create_app_users(["Tablette 1"], forms=["sale"])
    (tmp_path / "fanta").mkdir()  # pyODK keeps its session in the folder
    with pyodk_as(house, "Fanta", tmp_path / "fanta") as client, pytest.raises(PyODKError) as refusal:
        client.projects.create_app_users(["Tablette 2"], forms=["sale"])

    assert shown(house.djeneba.get("assignments/forms")) == [{"actorId": made.id, "roleId": 2, "xmlFormId": "sale"}]
    assert refusal.value.is_central_error(403.1)


def test_any_address_is_asked_with_the_session_of_pyodk(client: Client, house: House) -> None:
    posted = client.post(f"projects/{house.pid}/actor-properties", json={"name": "team"})

    assert posted.json() == {"success": True}
    assert client.get(f"projects/{house.pid}/actor-properties").json() == [{"name": "team"}]
    assert client.get("config/public").json() == []
    assert client.session.request("HEAD", f"projects/{house.pid}").status_code == 200


def test_what_is_in_each_project_comes_along_as_far_as_one_sees_it(house: House) -> None:
    shown(house.djeneba.post("forms", data=a_workbook("visit", "1", VISIT), content_type=XLSX))
    extended = {"X-Extended-Metadata": "true"}

    def told(name: str) -> list[tuple[list[str], list[str]]]:
        projects = shown(house.voices[name].get("/v1/projects?forms=true&datasets=true", headers=extended))
        return [
            ([form["xmlFormId"] for form in one["formList"]], [known["name"] for known in one["datasetList"]])
            for one in projects
        ]

    assert told("Djeneba") == [(["sale", "visit"], ["people"])]
    assert told("Fanta") == [(["sale"], ["people"])], "a draft is for those who publish"
    assert told("Amina") == [(["sale"], [])]
    assert len(told("Sekou")) == 2
    assert shown(house.djeneba.get("/v1/projects?forms=true", headers=extended))[0]["formList"][0]["submissions"] == 0
    assert "formList" not in shown(house.djeneba.get("/v1/projects"))[0]


def test_a_project_is_put_whole_with_the_state_of_its_forms_and_who_fills_them_in(house: House) -> None:
    device = a_bound_device(house, "T")
    shown(house.djeneba.patch("", json={"description": "Riz"}))
    given = {"roleId": 2, "actorId": device}

    changed = shown(
        house.djeneba.put(
            "",
            json={
                "id": house.pid,
                "name": "Siby 2",
                "archived": False,
                "forms": [{"xmlFormId": "sale", "name": "Sale", "state": "closing", "assignments": [given]}],
            },
        )
    )
    again = house.djeneba.put("", json={"name": "Siby 2", "forms": [{"xmlFormId": "sale", "assignments": [given]}]})

    assert (changed["name"], changed["description"], changed["archived"]) == ("Siby 2", None, False)
    assert shown(house.djeneba.get("forms/sale"))["state"] == "closing"
    assert again.status_code == 200
    assert [row["actorId"] for row in shown(house.djeneba.get("assignments/forms"))] == [device]
    shown(house.djeneba.put("", json={"name": "Siby 2", "forms": [{"xmlFormId": "sale", "assignments": []}]}))
    assert shown(house.djeneba.get("assignments/forms")) == []


def test_a_project_is_not_put_by_halves(house: House) -> None:
    foreign = {"roleId": 2, "actorId": house.coumba.actor_id}
    forms = [{"xmlFormId": "sale", "state": "closed", "assignments": [foreign]}]

    assert refused(house.djeneba.put("", json={"archived": True})) == 400.2
    assert refused(house.djeneba.put("", json={"name": "New", "forms": []})) == 400.8
    assert refused(house.djeneba.put("", json={"name": "New", "forms": forms})) == 400.8
    assert refused(house.baraka.put("", json={"name": "New"})) == 403.1
    assert shown(house.djeneba.get(""))["name"] == "Siby"
    assert shown(house.djeneba.get("forms/sale"))["state"] == "open"


VISIT = """
    | survey                          |        |        |
    | type                            | name   | label  |
    | select_one_from_file prices.csv | price  | Price  |
"""
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def a_bound_device(house: House, name: str) -> int:
    with house.app.app_context():
        begin_writing(session())
        device, _ = add_device(session(), house.pid, name, NOON, assigned_only=True)
        session().commit()
        return device.id
