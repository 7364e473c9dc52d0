"""Which rows tablets get by their places: seen before, changed for several at once, and taken back."""

import pytest

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.accounts.people import add_device
from sync.journal import open_journal
from sync.models import Actor
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.pages import read, send, signed_in
from tests.support.projects import NOON
from tests.support.web import House, shown
from tests.support.workbooks import a_workbook

PLACES = """code,name,level,parent,latitude,longitude,aliases
KA,Kati,cercle,,,,
SI,Siby,commune,KA,,,
BL,Bla,cercle,,,,
"""
VISIT = """
    | survey                              |           |           |
    | type                                | name      | label     |
    | select_one_from_file households.csv | household | Household |
"""


@pytest.fixture
def field(house: House) -> House:
    """A list of four households, one of which names no place, and a second tablet."""
    shown(house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"}))
    shown(house.djeneba.post("datasets", json={"name": "households"}))
    shown(house.djeneba.post("datasets/households/properties", json={"name": "commune"}))
    for number, commune in enumerate(["SI", "SI", "BL", ""]):
        row = {"label": f"Household {number}", "data": {"commune": commune} if commune else {}}
        shown(house.djeneba.post("datasets/households/entities", json=row))
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx"))
        journal.close()
        session().commit()
        begin_writing(session())
        add_device(session(), house.pid, "Binta", NOON)
        session().commit()
    return house


def places_of(house: House) -> dict[str, list[str]]:
    with house.app.app_context():
        devices = session().query(Actor).filter_by(kind="device", project_id=house.pid)
        return {one.name: list(one.places) for one in devices}


def numbers(house: House) -> list[int]:
    with house.app.app_context():
        return [one.id for one in session().query(Actor).filter_by(kind="device", project_id=house.pid)]


def test_what_several_tablets_would_get_is_seen_before_it_is_changed_and_can_be_taken_back(field: House) -> None:
    client = signed_in(field, language="en")
    asked = "&".join(f"device={number}" for number in numbers(field))
    page = f"/projects/{field.pid}/devices/places?{asked}&seen=yes&place=KA"

    preview = read(client, page)

    assert places_of(field) == {"Amina": [], "Binta": []}
    assert preview.count("<strong>3</strong>") == 2
    answer = send(client, page, f"/projects/{field.pid}/devices/places", {"device": numbers(field), "place": "KA"})
    assert answer.status_code == 303
    assert places_of(field) == {"Amina": ["KA"], "Binta": ["KA"]}
    after = answer.headers["Location"]
    act = after.rpartition("act=")[2]
    undone = send(client, after, f"/projects/{field.pid}/devices/places/undo", {"act": act})
    assert undone.status_code == 303
    assert places_of(field) == {"Amina": [], "Binta": []}


def test_the_page_says_as_many_rows_as_the_tablet_gets(field: House) -> None:
    client = signed_in(field, language="en")
    device = f"/projects/{field.pid}/devices/{field.amina.actor_id}"
    assert "households: 4 rows of 4" in read(client, device)

    field.baraka.patch(f"app-users/{field.amina.actor_id}", json={"places": ["SI"]})

    assert "households: 3 rows of 4" in read(client, device)
    change = shown(field.amina.get("changes"))
    assert "households" in str(change)
    assert str(change).count("Household") == 3


def test_a_tablet_that_was_changed_since_keeps_what_it_has(field: House) -> None:
    client = signed_in(field)
    page = f"/projects/{field.pid}/devices/places?device={field.amina.actor_id}"
    first = send(client, page, f"/projects/{field.pid}/devices/places", {"device": field.amina.actor_id, "place": "KA"})
    field.baraka.patch(f"app-users/{field.amina.actor_id}", json={"places": ["BL"]})

    act = first.headers["Location"].rpartition("act=")[2]
    send(client, page, f"/projects/{field.pid}/devices/places/undo", {"act": act})

    assert places_of(field)["Amina"] == ["BL"]


def test_a_place_that_there_is_not_is_named_and_what_was_typed_stays(field: House) -> None:
    client = signed_in(field, language="fr")
    to = f"/projects/{field.pid}/devices/places"
    page = f"{to}?device={field.amina.actor_id}"

    answer = send(client, page, to, {"device": field.amina.actor_id, "others": "Nulle<part>"})

    assert answer.status_code == 400
    text = answer.get_data(as_text=True)
    assert "Nulle&lt;part&gt;</textarea>" in text
    assert "Nulle<part>" not in text


def test_a_place_is_written_by_its_name_and_of_several_with_one_name_the_codes_are_told(field: House) -> None:
    client, devices = signed_in(field, language="en"), f"/projects/{field.pid}/devices"
    shown(field.djeneba.put("places", data=f"{PLACES}KC,Kati,commune,KA,,,\n", headers={"Content-Type": "text/csv"}))

    added = send(client, devices, devices, {"name": "Coumba", "places": "síby\nBla"})
    unclear = send(client, devices, devices, {"name": "Djo", "places": "Kati"})

    assert added.status_code == 200
    assert places_of(field) == {"Amina": [], "Binta": [], "Coumba": ["SI", "BL"]}
    assert "Siby, Bla" in read(client, devices)
    assert unclear.status_code == 400
    assert "Several places are called ‘Kati’; write the code of one of them: KA, KC." in unclear.get_data(as_text=True)


def test_renaming_a_tablet_leaves_its_places(field: House) -> None:
    field.baraka.patch(f"app-users/{field.amina.actor_id}", json={"places": ["SI"]})
    page = f"/projects/{field.pid}/devices/{field.amina.actor_id}"

    assert send(signed_in(field), page, page, {"name": "Aminata", "language": "fr"}).status_code == 303

    assert places_of(field)["Aminata"] == ["SI"]


@pytest.mark.parametrize("what", ["device=999", "device=x", "device="])
def test_what_is_no_tablet_of_the_project_is_not_found(field: House, what: str) -> None:
    assert signed_in(field).get(f"/projects/{field.pid}/devices/places?{what}").status_code == 404


def test_neither_readers_nor_strangers_change_places(field: House) -> None:
    address = f"/projects/{field.pid}/devices/places?device={field.amina.actor_id}"
    for name, status in (("fanta", 403), ("coumba", 404)):
        voice = field.voices[name.capitalize()]
        assert voice.get(address).status_code == status


def test_several_devices_are_given_places_by_rest_and_it_is_taken_back(field: House) -> None:
    given = {"devices": numbers(field)}
    act = shown(field.baraka.put("app-users/places", json={**given, "places": ["KA"]}))["act"]
    given_then = places_of(field)

    again = shown(field.baraka.put("app-users/places", json={**given, "places": ["KA"]}))
    undone = field.baraka.post(f"app-users/places/{act}/undo")

    assert set(map(tuple, given_then.values())) == {("KA",)}
    assert again == {"act": None}
    assert undone.status_code == 200
    assert set(map(tuple, places_of(field).values())) == {()}
    assert field.baraka.put("app-users/places", json={"devices": [], "places": []}).status_code == 400
    assert field.baraka.put("app-users/places", json={"devices": [1], "places": []}).status_code == 404
    assert field.baraka.put("app-users/places", json={**given, "places": ["Nowhere"]}).status_code == 400
