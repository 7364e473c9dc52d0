"""Entity lists and their rows over REST, and what of them reaches a device."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import uuid
from typing import Any

import pytest
import requests
from sqlalchemy import update

from server import clock
from server.db import session
from sync.entities.writing import force_held
from sync.journal import open_journal
from sync.models import Entity
from sync.models.database import begin_writing
from tests.support.live import served
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, refused, shown
from tests.support.workbooks import a_workbook

MORE = {"X-Extended-Metadata": "true"}
ONE, TWO, THREE = (str(uuid.UUID(int=number, version=4)) for number in (1, 2, 3))


@pytest.fixture
def office(house: House) -> House:
    """A list of villages with three rows in it."""
    shown(house.djeneba.post("datasets", json={"name": "villages"}))
    for name in ("commune", "phone"):
        shown(house.djeneba.post("datasets/villages/properties", json={"name": name}))
    rows = [
        {"uuid": id_, "label": label, "data": {"commune": label}}
        for id_, label in ((ONE, "Siby"), (TWO, "Kati"), (THREE, '=Bla, "2"'))
    ]
    shown(house.baraka.post("datasets/villages/entities", json={"entities": rows, "source": {"name": "v.csv"}}))
    return house


def entity(house: House, id_: str = ONE) -> dict[str, Any]:
    found: dict[str, Any] = shown(house.baraka.get(f"datasets/villages/entities/{id_}"))
    return found


def test_a_row_has_the_shape_that_clients_expect(office: House) -> None:
    found = entity(office)

    assert set(found) >= {"uuid", "creatorId", "createdAt", "updatedAt", "deletedAt", "conflict", "currentVersion"}
    assert found["creatorId"] == office.baraka.actor_id
    current = found["currentVersion"]
    assert (current["label"], current["data"], current["version"], current["current"]) == (
        "Siby",
        {"commune": "Siby"},
        1,
        True,
    )
    assert isinstance(current["userAgent"], str)
    assert current["source"] == {"name": "v.csv"}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"label": "X", "data": {"unknown": "1"}}, 400.28),
        ({"label": "X", "data": {"commune": 5}}, 400.28),
        ({"label": "  ", "data": {}}, 400.28),
        ({"uuid": "no uuid", "label": "X"}, 400.28),
        ({"uuid": ONE, "label": "X"}, 409.3),
        ({"entities": [{"label": "X"}]}, 400.2),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_no_entity_of_the_list_is_refused(office: House, body: dict[str, Any], code: float) -> None:
    assert refused(office.baraka.post("datasets/villages/entities", json=body)) == code


def test_a_row_is_changed_at_the_version_one_looked_at(office: House) -> None:
    at = "datasets/villages/entities/" + ONE
    changed = shown(office.baraka.patch(at + "?baseVersion=1", json={"data": {"phone": "70"}}))

    stale = office.baraka.patch(at + "?baseVersion=1", json={"data": {"phone": "71"}})

    assert changed["currentVersion"]["data"] == {"commune": "Siby", "phone": "70"}
    assert refused(stale) == 409.15
    assert refused(office.baraka.patch(at, json={"data": {"phone": "71"}})) == 409.15
    assert refused(office.baraka.get("datasets/villages/entities/" + str(uuid.uuid4()))) == 404.8
    assert shown(office.baraka.patch(at + "?force=true", json={"label": "Siby II"}))["currentVersion"]["version"] == 3


def test_a_change_may_come_in_pieces_whose_length_nobody_says(office: House) -> None:
    path = f"/v1/projects/{office.pid}/datasets/villages/entities/{ONE}?baseVersion=1"
    sent = {"Authorization": f"Bearer {office.baraka.token}", "Content-Type": "application/json"}

    with served(office.app) as address:
        answer = requests.patch(address + path, data=iter([b'{"label": ', b'"Siby II"}']), headers=sent, timeout=30)

    assert answer.status_code == 200, answer.text
    assert entity(office)["currentVersion"]["label"] == "Siby II"


def test_versions_and_what_became_different_between_them(office: House) -> None:
    at = "datasets/villages/entities/" + ONE
    office.baraka.patch(at + "?baseVersion=1", json={"data": {"phone": "70"}})
    office.djeneba.patch(at + "?baseVersion=2", json={"label": "Siby II"})

    versions = shown(office.baraka.get(at + "/versions"))

    assert [(each["version"], each["current"], each["creatorId"]) for each in versions] == [
        (1, False, office.baraka.actor_id),
        (2, False, office.baraka.actor_id),
        (3, True, office.djeneba.actor_id),
    ]
    assert shown(office.baraka.get(at + "/diffs")) == [
        [{"propertyName": "phone", "old": None, "new": "70"}],
        [{"propertyName": "label", "old": "Siby", "new": "Siby II"}],
    ]
    assert [act["action"] for act in shown(office.baraka.get(at + "/audits"))] == [
        "entity.update.version",
        "entity.update.version",
        "entity.create",
    ]


def test_whoever_settles_a_conflict_leaves_the_version_as_it_was_made(office: House) -> None:
    at = "datasets/villages/entities/" + ONE
    office.baraka.patch(at + "?baseVersion=1", json={"data": {"phone": "70"}})
    before = shown(office.baraka.get(at + "/versions"))
    mark_conflict(office)

    shown(office.djeneba.patch(at + "?resolve=true"))

    after = shown(office.baraka.get(at + "/versions"))
    assert [each["resolved"] for each in (*before, *after)] == [False, False, False, True]
    assert after == [before[0], before[1] | {"resolved": True}]


def test_whoever_settles_what_is_in_no_conflict_leaves_no_trace(office: House) -> None:
    at = "datasets/villages/entities/" + ONE
    mark_conflict(office)
    settled = shown(office.djeneba.patch(at + "?resolve=true"))
    acts = shown(office.sekou.ask("GET", "/v1/audits"))

    again = [shown(office.djeneba.patch(f"{at}?{query}")) for query in ("resolve=true", "resolve=true&baseVersion=1")]

    assert again == [settled, settled]
    assert settled["conflict"] is None
    assert shown(office.sekou.ask("GET", "/v1/audits")) == acts
    assert acts[0]["action"] == "entity.update.resolve"
    assert refused(office.djeneba.patch(at + "?resolve=true&baseVersion=2")) == 409.15


def test_whoever_changes_what_is_in_no_conflict_has_settled_none(office: House) -> None:
    at = "datasets/villages/entities/" + ONE

    changed = shown(office.djeneba.patch(at + "?resolve=true&baseVersion=1", json={"label": "Siby II"}))
    mark_conflict(office)
    settled = shown(office.djeneba.patch(at + "?resolve=true&baseVersion=2", json={"label": "Siby III"}))

    versions = [(row["currentVersion"]["version"], row["currentVersion"]["resolved"]) for row in (changed, settled)]
    assert versions == [(2, False), (3, True)]
    acts = shown(office.sekou.ask("GET", "/v1/audits"))
    assert [act["action"] for act in acts[:2]] == ["entity.update.resolve", "entity.update.version"]


def test_what_was_taken_back_and_came_again_says_which_version_it_followed(house: House) -> None:
    house.amina.send(a_sale(1, seller="Awa"))
    review(house, 1, "rejected")
    review(house, 1, "approved")

    (row,) = shown(house.baraka.get("datasets/people/entities"))
    at = f"datasets/people/entities/{row['uuid']}"
    before = shown(house.baraka.get(at + "/versions"))
    mark_conflict(house, row["uuid"])
    shown(house.djeneba.patch(at + "?resolve=true"))
    after = shown(house.baraka.get(at + "/versions"))
    shown(house.djeneba.patch(at + "?baseVersion=3", json={"label": "Awa Traoré"}))
    later = shown(house.baraka.get(at + "/versions"))

    said = [(each["version"], each["baseVersion"], each["creatorId"], each["resolved"]) for each in before]
    assert said == [(1, None, house.amina.actor_id, False), (3, 2, house.amina.actor_id, False)]
    assert row["currentVersion"].items() <= before[-1].items()
    assert after == [before[0], before[1] | {"resolved": True, "createdAt": after[1]["createdAt"]}]
    assert later[:2] == [before[0], after[1] | {"current": False}]
    assert [(each["version"], each["baseVersion"], each["resolved"]) for each in later[2:]] == [(4, 3, False)]


def mark_conflict(house: House, id_: str = ONE) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Entity).where(Entity.id == id_).values(conflict="hard"))
        session().commit()


def test_rows_are_listed_with_who_made_their_current_version_and_with_which_program(office: House) -> None:
    agent = {"User-Agent": "importer/1.0"}
    more = {"entities": [{"label": "Kita"}, {"label": "Koro"}], "source": {"name": "more.csv"}}
    shown(office.baraka.post("datasets/villages/entities", json=more, headers=agent))
    at = "datasets/villages/entities/" + ONE
    shown(office.djeneba.patch(at + "?baseVersion=1", json={"label": "Siby II"}, headers=agent | {"User-Agent": "R"}))

    rows = shown(office.baraka.get("datasets/villages/entities", headers=MORE))

    told = {row["currentVersion"]["label"]: row["currentVersion"] for row in rows}
    assert [told[label]["userAgent"] for label in ("Kita", "Koro", "Siby II")] == ["importer/1.0", "importer/1.0", "R"]
    assert told["Siby II"]["creatorId"] == office.djeneba.actor_id
    assert {row["creatorId"] for row in rows} == {office.baraka.actor_id}
    for row in rows:
        alone = shown(office.baraka.get(f"datasets/villages/entities/{row['uuid']}", headers=MORE))
        of_one = {name: alone["currentVersion"].pop(name) for name in ("data", "source", "resolved")}
        assert (row, of_one["data"] is None) == (alone, False)


def test_a_property_that_somebody_added_says_when(office: House) -> None:
    shown(office.djeneba.post("datasets/villages/properties", json={"name": "population"}))

    known = shown(office.baraka.get("datasets/villages"))

    moments = [each["publishedAt"] for each in known["properties"]]
    assert [each["name"] for each in known["properties"]] == ["commune", "phone", "population"]
    assert known["createdAt"] < moments[0] < moments[1] < moments[2] == known["updatedAt"]


def test_a_deleted_row_reaches_nobody_until_it_is_restored(office: House) -> None:
    at = "datasets/villages/entities/" + ONE
    shown(office.baraka.ask("DELETE", at))

    gone = [row["uuid"] for row in shown(office.baraka.get("datasets/villages/entities"))]
    shown(office.baraka.post(at + "/restore"))

    assert sorted(gone) == [TWO, THREE]
    assert len(shown(office.baraka.get("datasets/villages/entities"))) == 3
    assert "entity.restore" in [act["action"] for act in shown(office.baraka.get(at + "/audits"))]


def test_many_rows_are_deleted_and_restored_at_once_or_not_at_all(office: House) -> None:
    ids = {"ids": [ONE, TWO]}
    shown(office.baraka.post("datasets/villages/entities/bulk-delete", json=ids))

    left = shown(office.baraka.get("datasets/villages/entities"))
    again = office.baraka.post("datasets/villages/entities/bulk-delete", json={"ids": [THREE, ONE]})
    shown(office.baraka.post("datasets/villages/entities/bulk-restore", json=ids))

    assert [row["uuid"] for row in left] == [THREE]
    assert refused(again) == 404.8
    assert len(shown(office.baraka.get("datasets/villages/entities"))) == 3


def test_the_table_of_a_list_runs_nothing_and_can_be_filtered(office: House) -> None:
    whole = table(office, "")
    some = table(office, "?$filter=commune eq 'Kati' and __system/version eq 1")
    found = table(office, "?$search=siby")
    plain = table(office, "?safeCells=false")

    assert whole[0] == [
        *("__id", "label", "commune", "phone"),
        *("__createdAt", "__creatorId", "__creatorName", "__updates", "__updatedAt", "__version"),
    ]
    assert {row[1] for row in whole[1:]} == {"Siby", "Kati", '\'=Bla, "2"'}
    assert {row[1] for row in plain[1:]} == {"Siby", "Kati", '=Bla, "2"'}
    assert whole[1][6:] == ["Baraka", "0", "", "1"]
    assert [row[1] for row in some[1:]] == ["Kati"]
    assert [row[1] for row in found[1:]] == ["Siby"]
    assert refused(office.baraka.get("datasets/villages/entities.csv?$filter=nothing eq 1")) == 400.18


def test_rows_that_lie_somewhere_are_on_the_map(office: House) -> None:
    shown(office.djeneba.post("datasets/villages/properties", json={"name": "geometry"}))
    at = "datasets/villages/entities/" + ONE
    office.baraka.patch(at + "?force=true", json={"data": {"geometry": "12.37 -8.32 350 5"}})

    drawn = json.loads(office.baraka.get("datasets/villages/entities.geojson").get_data())

    assert drawn["type"] == "FeatureCollection"
    assert [(each["id"], each["geometry"]["coordinates"][:2]) for each in drawn["features"]] == [(ONE, [-8.32, 12.37])]


@pytest.mark.parametrize("file", ["entities.csv", "entities.geojson"])
def test_whoever_has_the_rows_already_gets_them_again_only_when_one_changed(office: House, file: str) -> None:
    shown(office.djeneba.post("datasets/villages/properties", json={"name": "geometry"}))
    first = office.baraka.get(f"datasets/villages/{file}")
    first.get_data()
    tag = {"If-None-Match": first.headers["ETag"]}

    same = office.djeneba.get(f"datasets/villages/{file}", headers=tag)
    otherwise = office.baraka.get(f"datasets/villages/{file}?$filter=label eq 'Siby'", headers=tag)
    otherwise.get_data()
    office.baraka.patch(f"datasets/villages/entities/{ONE}?force=true", json={"data": {"geometry": "12 -8"}})
    changed = office.baraka.get(f"datasets/villages/{file}", headers=tag)

    assert (first.status_code, same.status_code, same.get_data()) == (200, 304, b"")
    assert (otherwise.status_code, changed.status_code) == (200, 200)
    assert changed.get_data() != first.get_data()


@pytest.mark.parametrize("file", ["datasets/villages/entities.csv", "datasets/villages.svc/Entities"])
def test_another_release_and_another_moment_are_another_file(
    office: House, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tag(query: str = "") -> str:
        answer = office.baraka.get(file + query)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return answer.headers["ETag"]

    created = "__system/createdAt"
    lasting = f"?$filter={created} lt 2999-01-01T00:00:00Z and contains(label, 'now()') eq false"
    lasts = tag(lasting) == tag(lasting)
    moves = tag(f"?$filter={created} lt now ()") != tag(f"?$filter={created} lt now ()")
    before = tag()
    for module in ("server.api.entity_files", "server.odata.answers"):
        monkeypatch.setattr(f"{module}.VERSION", "0.0.0/1")

    assert (lasts, moves) == (True, True)
    assert tag() != before


def test_a_list_says_what_it_holds_and_who_writes_it(office: House) -> None:
    listed = shown(office.baraka.get("datasets", headers={"X-Extended-Metadata": "true"}))
    people = shown(office.baraka.get("datasets/people"))

    assert [(each["name"], each["entities"], each["approvalRequired"]) for each in listed] == [
        ("people", 0, False),
        ("villages", 3, False),
    ]
    assert people["properties"][0]["forms"] == [{"xmlFormId": "sale", "name": "sale"}]
    assert [form["xmlFormId"] for form in people["sourceForms"]] == ["sale"]


def test_a_list_says_when_it_was_changed(office: House) -> None:
    before = shown(office.baraka.get("datasets/people"))

    changed = shown(office.baraka.patch("datasets/people", json={"ownerOnly": True}))

    assert before["updatedAt"] is None
    assert changed["updatedAt"] > changed["createdAt"] == before["createdAt"]
    listed = {each["name"]: each["updatedAt"] for each in shown(office.baraka.get("datasets"))}
    assert listed["people"] == changed["updatedAt"]


def test_each_property_says_when_the_version_that_brought_it_was_published(house: House) -> None:
    form = """
        | survey   |       |       |         |
        | type     | name  | label | save_to |
        | text     | name  | Name  | name_of |
        | text     | phone | Phone | {phone} |
        | entities |       |       |         |
        | list_name | label |      |         |
        | wells    | ${{name}} |  |         |
    """
    xlsx = {"Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
    for version, phone in (("1", ""), ("2", "phone"), ("3", "phone")):
        body, path = a_workbook("well", version, form.format(phone=phone)), "forms/well/draft"
        made = house.djeneba.post(path if version > "1" else "forms", data=body, headers=xlsx)
        assert made.status_code == 200
        shown(house.djeneba.post("forms/well/draft/publish"))

    wells = shown(house.baraka.get("datasets/wells"))

    published = {each["version"]: each["publishedAt"] for each in shown(house.djeneba.get("forms/well/versions"))}
    assert {each["name"]: each["publishedAt"] for each in wells["properties"]} == {
        "name_of": published["1"],
        "phone": published["2"],
    }
    assert published["1"] < published["2"] < published["3"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_names_of_lists_and_properties_are_checked(office: House) -> None:
    for name in ("", "a b", "__x", "1x", "mes_envois", "villages.svc"):
        assert refused(office.djeneba.post("datasets", json={"name": name})) == 400.8
    assert refused(office.djeneba.post("datasets", json={"name": "Villages"})) == 409.3
    for name in ("name", "Label", "__id", "a b"):
        assert refused(office.djeneba.post("datasets/villages/properties", json={"name": name})) == 400.8
    assert refused(office.djeneba.post("datasets/villages/properties", json={"name": "Commune"})) == 409.3
    assert refused(office.baraka.get("datasets/nothing")) == 404.1


def test_a_deleted_list_can_be_made_anew_without_its_old_rows(office: House) -> None:
    shown(office.djeneba.ask("DELETE", "datasets/villages"))

    assert refused(office.baraka.get("datasets/villages/entities")) == 404.1
    shown(office.djeneba.post("datasets", json={"name": "villages"}))
    assert shown(office.baraka.get("datasets/villages/entities")) == []


def test_rows_given_to_a_device_reach_it_and_no_others(office: House) -> None:
    device = office.amina.actor_id
    at = f"datasets/villages/assignments/{device}"

    given = shown(office.baraka.put(at, json={"ids": [ONE, TWO]}))
    more = shown(office.baraka.put(f"{at}/{THREE}"))
    less = shown(office.baraka.ask("DELETE", f"{at}/{ONE}"))

    assert (given["assigned"], more["assigned"], less["assigned"]) == (2, 3, 2)
    assert shown(office.baraka.get(at))["ids"] == [TWO, THREE]
    assert shown(office.baraka.get("datasets/villages"))["accessFilter"] == {"type": "assigned"}
    assert refused(office.baraka.put(at, json={"ids": [str(uuid.uuid4())]})) == 404.1
    assert refused(office.baraka.put("datasets/villages/assignments/5", json={"ids": []})) == 404.1


def test_who_gets_which_rows_is_set_as_on_the_reference_server(office: House) -> None:
    shown(office.djeneba.post("actor-properties", json={"name": "zone"}))
    rule = {"type": "property", "rules": [{"datasetProperty": "commune", "actorProperty": "zone"}]}

    by_property = shown(office.baraka.patch("datasets/villages", json={"accessFilter": rule}))
    by_owner = shown(office.baraka.patch("datasets/villages", json={"ownerOnly": True}))
    by_property_again = shown(office.baraka.patch("datasets/villages", json={"ownerOnly": False}))
    open_again = shown(office.baraka.patch("datasets/villages", json={"accessFilter": None}))

    assert (by_property["accessFilter"], by_property["ownerOnly"]) == (rule, False)
    assert (by_owner["accessFilter"], by_owner["ownerOnly"]) == ({"type": "ownerOnly"}, True)
    assert by_property_again == by_property | {"updatedAt": by_property_again["updatedAt"]}
    assert "accessFilter" not in open_again
    unknown = {"type": "property", "rules": [{"datasetProperty": "x", "actorProperty": "zone"}]}
    assert refused(office.baraka.patch("datasets/villages", json={"accessFilter": unknown})) == 400.8


def test_taking_a_filter_away_never_opens_a_list_of_own_rows(office: House) -> None:
    both = shown(office.baraka.patch("datasets/villages", json={"accessFilter": None, "ownerOnly": True}))
    filtered = shown(office.baraka.patch("datasets/villages", json={"accessFilter": {"type": "assigned"}}))
    alone = shown(office.baraka.patch("datasets/villages", json={"accessFilter": None}))
    opened = shown(office.baraka.patch("datasets/villages", json={"ownerOnly": False}))

    assert [each["ownerOnly"] for each in (both, filtered, alone, opened)] == [True, True, True, False]
    assert alone["accessFilter"] == {"type": "ownerOnly"}
    assert "accessFilter" not in opened


def test_the_tablet_learns_which_of_its_entities_were_deleted(office: House) -> None:
    shown(office.baraka.ask("DELETE", "datasets/villages/entities/" + ONE))
    never = str(uuid.uuid4())

    told = office.amina.get(f"datasets/villages/integrity?id={ONE},{TWO},{never},%00")
    whole = office.amina.get("datasets/villages/integrity")

    assert told.headers["X-OpenRosa-Version"] == "1.0"
    assert told.headers["Content-Type"] == "text/xml; charset=utf-8"
    assert told.get_data(as_text=True).endswith(
        f'<data><entities><entity id="{ONE}"><deleted>true</deleted></entity>'
        f'<entity id="{TWO}"><deleted>false</deleted></entity></entities></data>'
    )
    assert THREE in whole.get_data(as_text=True)


def test_where_approval_is_asked_for_a_submission_acts_when_it_is_approved(house: House) -> None:
    shown(house.baraka.patch("datasets/people", json={"approvalRequired": True}))
    house.amina.send(a_sale(1, seller="Awa"))
    before = shown(house.baraka.get("datasets/people/entities"))

    review(house, 1, "approved")
    after = [row["currentVersion"]["label"] for row in shown(house.baraka.get("datasets/people/entities"))]
    review(house, 1, "hasIssues")

    assert (before, after) == ([], ["Awa"])
    assert shown(house.baraka.get("datasets/people/entities")) == []


def test_who_stops_asking_for_approval_has_to_say_what_becomes_of_those_that_wait(house: House) -> None:
    house.amina.send(a_sale(1, seller="Awa"), batch="before")
    shown(house.baraka.patch("datasets/people", json={"approvalRequired": True}))
    house.amina.send(a_sale(2, seller="Fanta"), batch="after")

    asked = house.baraka.patch("datasets/people", json={"approvalRequired": False})
    meanwhile = labels(house)
    shown(house.baraka.patch("datasets/people?convert=true", json={"approvalRequired": False}))

    assert refused(asked) == 400.29
    assert (meanwhile, labels(house)) == (["Awa"], ["Awa", "Fanta"])


def test_held_steps_are_forced_by_the_background_after_their_time(office: House) -> None:
    with office.app.app_context():
        from server.db import session  # noqa: PLC0415

        journal = open_journal(session(), office.pid, None, clock.now())
        assert force_held(journal, clock.now() - dt.timedelta(days=5)) == 0


def table(house: House, query: str) -> list[list[str]]:
    answer = house.baraka.get("datasets/villages/entities.csv" + query)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return list(csv.reader(io.StringIO(answer.get_data(as_text=True))))


def labels(house: House) -> list[str]:
    return sorted(row["currentVersion"]["label"] for row in shown(house.baraka.get("datasets/people/entities")))


def review(house: House, number: int, state: str) -> None:
    shown(house.baraka.patch(f"forms/sale/submissions/{instance_id(number)}", json={"reviewState": state}))
