"""Lists as stock ODK Collect meets them: only the device's rows, fetched only when they change, and corrections."""

from __future__ import annotations

import csv
import datetime as dt
import io

import pytest
from lxml import etree
from sqlalchemy import select

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.accounts.people import add_device
from sync.accounts.roles import assign
from sync.journal import open_journal
from sync.models import Actor, Event
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.collect import Collect, through
from tests.support.listing import ListedFile, md5, read_manifest
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import NOON, a_sale, instance_id
from tests.support.web import House, Voice, refused, shown
from tests.support.workbooks import a_workbook

KATI, SIBY = "6a000000-0000-4000-8000-00000000000a", "6a000000-0000-4000-8000-00000000000b"
PLACES = """code,name,level,parent,latitude,longitude,aliases
KA,Kati,cercle,,,,
SI,Siby,commune,KA,,,
BL,Bla,cercle,,,,
"""
VISIT = """
    | survey      |            |         |             |               |
    | type        | name       | label   | calculation | trigger       |
    | select_one_from_file a_corriger.csv | to_correct | Which? |  |  |
    | select_one_from_file mes_envois.csv | sent | Sent |  |  |
    | select_one_from_file households.csv | household | Household |  |  |
    | integer     | sacks      | Sacks   | BEFORE/sacks | ${to_correct} |
""".replace("BEFORE", "instance('a_corriger')/root/item[name = ${to_correct}]")
FILLED = (
    '<data id="visit" version="1"><to_correct>{chosen}</to_correct><sent/><household>{row}</household>'
    "<sacks>{sacks}</sacks><meta><instanceID>{key}</instanceID></meta></data>"
)


@pytest.fixture
def field(house: House) -> House:
    """A list of households in two cercles, a form that chooses from it, and a tablet for each cercle."""
    shown(house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"}))
    shown(house.djeneba.post("datasets", json={"name": "households"}))
    for name in ("commune", "head"):
        shown(house.djeneba.post("datasets/households/properties", json={"name": name}))
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx"))
        journal.close()
        session().commit()
        begin_writing(session())
        for name, place in (("Kadia", "KA"), ("Binta", "BL")):
            device, issued = add_device(session(), house.pid, name, NOON, [place])
            house.voices[name] = Voice(house.app.test_client(), issued.token, device.id, house.pid)
        session().commit()
    rows = [
        {"uuid": SIBY, "label": 'Awa "Aînée",\nTraoré', "data": {"commune": "SI", "head": "=1+1"}},
        {"uuid": KATI, "label": "Fanta", "data": {"commune": "KA"}},
    ]
    shown(house.baraka.post("datasets/households/entities", json={"entities": rows, "source": {"name": "x"}}))
    return house


def files(voice: Voice) -> dict[str, ListedFile]:
    return {file.name: file for file in read_manifest(voice.get("forms/visit/manifest"))}


def rows(voice: Voice, name: str) -> list[dict[str, str]]:
    """The file as Collect reads it; it gives up on all of it when a record has no name, label or whole version."""
    answer = voice.get(f"forms/visit/attachments/{name}")
    assert answer.status_code == 200
    assert files(voice)[name].hash == md5(answer.get_data())
    found = list(csv.DictReader(io.StringIO(answer.get_data().decode(), newline="")))
    assert all(row["name"] and row["label"] and row["__version"].isdigit() and None not in row for row in found)
    return found


def test_a_tablet_gets_the_rows_of_its_place_as_they_are(field: House) -> None:
    kadia, binta = rows(field.kadia, "households.csv"), rows(field.binta, "households.csv")

    assert [(row["name"], row["label"], row["head"]) for row in kadia] == [
        (KATI, "Fanta", ""),
        (SIBY, 'Awa "Aînée",\nTraoré', "=1+1"),
    ]
    assert binta == []


def test_the_office_gets_every_row_and_a_viewer_who_becomes_a_collector_those_of_a_collector(field: House) -> None:
    shown(field.baraka.patch("datasets/households", json={"ownerOnly": True}))
    office = rows(field.baraka, "households.csv")
    before = rows(field.fanta, "households.csv")

    with field.app.app_context():
        begin_writing(session())
        assign(session(), field.fanta.actor_id, field.pid, "collector")
        session().commit()

    assert (len(office), len(before)) == (2, 2)
    assert rows(field.fanta, "households.csv") == []


def test_a_list_of_people_is_not_for_those_who_only_read(house: House) -> None:
    publish_gathering(house)
    asked = a_workbook("visit", "1", VISIT.replace("households.csv", "people.csv"))
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(asked, "visit.xlsx"))
        journal.close()
        session().commit()
    house.amina.send(a_gathering(1))

    assert [row["first_name"] for row in rows(house.amina, "people.csv")] == ["Djénéba"]
    assert rows(house.baraka, "people.csv") == rows(house.amina, "people.csv")
    for place in ("", "versions/1/"):
        assert refused(house.fanta.get(f"forms/visit/{place}attachments/people.csv")) == 403.1


def test_a_list_is_fetched_again_by_those_tablets_alone_whose_rows_changed(field: House) -> None:
    before = {name: files(field.voices[name])["households.csv"].hash for name in ("Kadia", "Binta")}
    address = "forms/visit/attachments/households.csv"
    tag = field.binta.get(address).headers["ETag"]

    moved = {"data": {"commune": "SI"}}
    shown(field.baraka.patch(f"datasets/households/entities/{KATI}?force=true", json=moved))

    assert files(field.kadia)["households.csv"].hash != before["Kadia"]
    assert files(field.binta)["households.csv"].hash == before["Binta"]
    assert field.binta.get(address, headers={"If-None-Match": tag}).status_code == 304
    shown(field.baraka.patch(f"datasets/households/entities/{KATI}?force=true", json={"data": {"commune": "BL"}}))
    assert files(field.binta)["households.csv"].hash != before["Binta"]
    assert [row["name"] for row in rows(field.binta, "households.csv")] == [KATI]


def test_places_that_change_lead_rows_to_other_tablets(field: House) -> None:
    moved = PLACES.replace("commune,KA", "commune,BL")

    shown(field.djeneba.put("places", data=moved, headers={"Content-Type": "text/csv"}))

    assert [row["name"] for row in rows(field.binta, "households.csv")] == [SIBY]
    assert [row["name"] for row in rows(field.kadia, "households.csv")] == [KATI]


def test_a_tablet_is_told_nothing_of_rows_that_were_made_elsewhere(field: House) -> None:
    cursors = {name: shown(field.voices[name].get("changes"))["cursor"] for name in ("Kadia", "Binta")}

    new = {"uuid": SIBY.replace("b", "c"), "label": "Sira", "data": {"commune": "SI"}}
    shown(field.baraka.post("datasets/households/entities", json=new))
    kadia, binta = (shown(field.voices[name].get(f"changes?since={cursors[name]}")) for name in ("Kadia", "Binta"))

    assert [row["label"] for each in kadia["lists"] for row in each["upserts"]] == ["Sira"]
    assert binta["lists"] == []


def test_a_tablet_that_was_moved_while_others_wrote_gets_the_rows_of_its_place(field: House) -> None:
    cursor = shown(field.binta.get("changes"))["cursor"]
    with field.app.app_context():
        begin_writing(session())
        last = select(Event.at).where(Event.project_id == field.pid).order_by(Event.number.desc()).limit(1)
        actor = session().get_one(Actor, field.binta.actor_id)
        actor.places, actor.updated_at = ["KA"], session().scalars(last).one() - dt.timedelta(seconds=30)
        session().commit()

    [households] = [
        each for each in shown(field.binta.get(f"changes?since={cursor}"))["lists"] if each["name"] == "households"
    ]

    assert (households["whole"], len(households["upserts"])) == (True, 2)


def test_what_was_discarded_leaves_the_list_of_what_a_tablet_sent(field: House) -> None:
    field.kadia.send(a_sale(1, form="unknown"))
    before = shown(field.kadia.get("changes"))
    [item] = shown(field.baraka.get("quarantine"))["items"]

    shown(field.baraka.post(f"quarantine/{item['id']}/resolve", json={"action": "discard"}))
    after = shown(field.kadia.get(f"changes?since={before['cursor']}"))

    told = [
        [row["state"] for each in answer["lists"] if each["name"] == "mes_envois" for row in each["upserts"]]
        for answer in (before, after)
    ]
    assert told == [["kept"], []]
    assert "mes_envois" in [each["name"] for each in after["lists"]]


def test_collect_is_told_that_a_list_is_one_of_entities_and_where_to_ask_about_them(field: House) -> None:
    listed = files(field.kadia)
    shown(field.baraka.ask("DELETE", f"datasets/households/entities/{KATI}"))

    integrity = listed["households.csv"].integrity
    assert integrity is not None
    told = etree.fromstring(field.kadia.get(f"{integrity}?id={KATI},{SIBY}").get_data())

    assert {name: file.type for name, file in listed.items()} == {
        "a_corriger.csv": None,
        "mes_envois.csv": None,
        "households.csv": "entityList",
    }
    assert {each.get("id"): each.findtext("deleted") for each in told.iter("entity")} == {KATI: "true", SIBY: "false"}
    assert [each.tag for each in told.iter()][:3] == ["data", "entities", "entity"]
    assert rows(field.kadia, "households.csv")[0]["name"] == SIBY


def test_a_list_whose_entities_have_to_be_approved_is_named_so(field: House) -> None:
    shown(field.baraka.patch("datasets/households", json={"approvalRequired": True}))

    assert files(field.kadia)["households.csv"].type == "approvalEntityList"


def test_what_was_sent_back_is_corrected_with_stock_collect_and_leaves_the_list(field: House) -> None:
    tablet = Collect(through(field.kadia.client.open), f"/v1/key/{field.kadia.token}/projects/{field.pid}")
    first = FILLED.format(chosen="", row=SIBY, sacks=4, key=instance_id(1))
    assert tablet.post(first.encode()).status == 201
    before = {name: file.hash for name, file in files(field.kadia).items()}
    at = f"forms/visit/submissions/{instance_id(1)}"
    shown(field.baraka.patch(at, json={"reviewState": "hasIssues"}))
    shown(field.baraka.post(f"{at}/comments", json={"body": "Comptez encore les sacs."}))

    (asked,) = rows(field.kadia, "a_corriger.csv")
    (sent,) = rows(field.kadia, "mes_envois.csv")
    correction = FILLED.format(chosen=asked["name"], row=SIBY, sacks=6, key=instance_id(2))
    assert tablet.post(correction.encode()).status == 201

    assert (asked["sacks"], asked["household"], asked["comment"]) == ("4", SIBY, "Comptez encore les sacs.")
    assert (sent["state"], sent["comment"]) == ("sent_back", "Comptez encore les sacs.")
    assert rows(field.binta, "a_corriger.csv") == []
    assert rows(field.kadia, "a_corriger.csv") == []
    assert {name: file.hash for name, file in files(field.kadia).items()}["a_corriger.csv"] == before["a_corriger.csv"]
    (submission,) = shown(field.baraka.get("forms/visit/submissions"))
    assert (submission["instanceId"], submission["reviewState"]) == (instance_id(1), "edited")
    assert submission["currentVersion"]["instanceId"] == instance_id(2)


def test_a_form_of_which_more_is_to_come_is_not_said_to_lack_photos(field: House) -> None:
    tablet = Collect(through(field.kadia.client.open), f"/v1/key/{field.kadia.token}/projects/{field.pid}")
    first = FILLED.format(chosen="", row=SIBY, sacks=4, key=instance_id(1)).encode()

    told = []
    for more in (True, False):
        tablet.post(first, more=more)
        told += [(row["state"], row["missing"]) for row in rows(field.kadia, "mes_envois.csv")]

    assert told == [("received", "0"), ("complete", "0")]
