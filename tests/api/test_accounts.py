"""Accounts, roles, devices and public links by the REST that ODK's clients know."""

from __future__ import annotations

import base64
import json
import zlib

import pytest
from sqlalchemy import select

from server.db import session
from server.wire import qr
from sync.models import Audit
from tests.support.pages import read, signed_in
from tests.support.web import PASSWORD, House, refused, shown


def numbers(answer: list[dict[str, object]]) -> list[object]:
    return [row["id"] for row in answer]


def test_an_administrator_makes_an_account_that_signs_in_once_it_has_a_role(house: House) -> None:
    made = shown(house.sekou.post("/v1/users", json={"email": " Kadi@Example.org ", "password": "onze sacs de riz"}))
    session = house.app.test_client().post(
        "/v1/sessions", json={"email": "kadi@example.org", "password": "onze sacs de riz"}
    )
    headers = {"Authorization": f"Bearer {session.get_json()['token']}"}

    before = house.app.test_client().get("/v1/projects", headers=headers).get_json()
    shown(house.djeneba.post(f"assignments/viewer/{made['id']}"))
    after = house.app.test_client().get("/v1/projects", headers=headers).get_json()

    assert (made["email"], made["type"], made["deletedAt"]) == ("kadi@example.org", "user", None)
    assert before == []
    assert [(row["id"], row["role"]) for row in after] == [(house.pid, "viewer")]


def test_who_administers_a_project_finds_an_account_by_its_whole_address_only(house: House) -> None:
    def find(text: str) -> list[str]:
        return [row["email"] for row in shown(house.djeneba.get(f"/v1/users?q={text}"))]

    assert find("fanta@example.org") == ["fanta@example.org"]
    assert find("fanta") == find("") == []
    for voice in (house.baraka, house.fanta, house.amina):
        assert refused(voice.get("/v1/users?q=fanta@example.org")) == 403.1
    assert len(shown(house.sekou.get("/v1/users"))) == 5
    assert [row["email"] for row in shown(house.sekou.get("/v1/users?q=FANT"))] == ["fanta@example.org"]


def test_a_device_and_a_public_link_look_nobody_up(house: House) -> None:
    link = shown(house.djeneba.post("forms/sale/public-links", json={"displayName": "Market"}))["token"]

    assert refused(house.amina.get("/v1/users?q=sekou@example.org")) == 403.1
    answer = house.app.test_client().get("/v1/users?q=sekou@example.org", headers={"Authorization": f"Bearer {link}"})
    assert refused(answer) == 403.1


def test_a_role_is_given_by_number_or_name_and_taken_away(house: House) -> None:
    fanta = house.fanta.actor_id

    shown(house.djeneba.post(f"assignments/manager/{fanta}"))

    assert fanta in numbers(shown(house.djeneba.get("assignments/5")))
    assert {"actorId": fanta, "roleId": 5} in shown(house.djeneba.get("assignments"))
    extended = shown(house.djeneba.get("assignments", headers={"X-Extended-Metadata": "true"}))
    assert {each["actor"]["displayName"] for each in extended if each["actorId"] == fanta} == {"Fanta"}
    assert house.fanta.get("assignments").status_code == 200
    shown(house.djeneba.ask("DELETE", f"assignments/5/{fanta}"))
    assert house.fanta.get("").status_code == 404
    assert refused(house.djeneba.ask("DELETE", f"assignments/5/{fanta}")) == 404.1
    assert refused(house.djeneba.post(f"assignments/admin/{fanta}")) == 400.8


def test_only_who_administers_the_installation_lets_others_do_so(house: House) -> None:
    fanta = house.fanta.actor_id

    assert refused(house.djeneba.post(f"/v1/assignments/admin/{fanta}")) == 403.1
    shown(house.sekou.post(f"/v1/assignments/admin/{fanta}"))
    assert house.fanta.post("/v1/projects", json={"name": "New"}).status_code == 200
    shown(house.sekou.ask("DELETE", f"/v1/assignments/admin/{fanta}"))
    assert refused(house.fanta.post("/v1/projects", json={"name": "Newer"})) == 403.1
    assert refused(house.sekou.ask("DELETE", f"/v1/assignments/admin/{house.sekou.actor_id}")) == 400.8


def test_nobody_sees_or_changes_the_account_of_another(house: House) -> None:
    fanta = house.fanta.actor_id

    assert refused(house.djeneba.get(f"/v1/users/{fanta}")) == 404.1
    assert refused(house.djeneba.patch(f"/v1/users/{fanta}", json={"displayName": "X"})) == 404.1
    assert refused(house.djeneba.put(f"/v1/users/{fanta}/password", json={"new": "douze sacs de riz"})) == 404.1
    assert refused(house.djeneba.ask("DELETE", f"/v1/users/{fanta}")) == 403.1
    assert refused(house.fanta.patch(f"/v1/users/{fanta}", json={"email": "other@example.org"})) == 403.1
    assert shown(house.fanta.patch(f"/v1/users/{fanta}", json={"displayName": "Fanta K."}))["displayName"] == "Fanta K."


def test_a_new_password_needs_the_one_so_far_and_ends_other_sessions(house: House) -> None:
    sign_in = {"email": "baraka@example.org", "password": PASSWORD}
    other = house.app.test_client().post("/v1/sessions", json=sign_in).get_json()["token"]
    path = f"/v1/users/{house.baraka.actor_id}/password"

    assert refused(house.baraka.put(path, json={"old": "no idea at all", "new": "douze sacs de riz"})) == 401.2
    assert refused(house.baraka.put(path, json={"old": PASSWORD, "new": "short"})) == 400.8
    shown(house.baraka.put(path, json={"old": PASSWORD, "new": "douze sacs de riz"}))

    gone = house.app.test_client().get("/v1/users/current", headers={"Authorization": f"Bearer {other}"})
    assert gone.status_code == 401
    assert house.baraka.get("").status_code == 200
    again = house.app.test_client().post("/v1/sessions", json=sign_in | {"password": "douze sacs de riz"})
    assert again.status_code == 200


def test_an_account_that_was_shut_out_is_gone_at_once(house: House) -> None:
    shown(house.sekou.ask("DELETE", f"/v1/users/{house.fanta.actor_id}"))

    assert house.fanta.get("").status_code == 401
    assert refused(house.sekou.ask("DELETE", f"/v1/users/{house.sekou.actor_id}")) == 400.8


def test_a_device_is_made_with_the_keys_that_clients_ask_for_and_its_token_is_shown_once(house: House) -> None:
    made = shown(house.baraka.post("app-users", json={"displayName": "Tablette 7"}))

    assert {"projectId", "id", "displayName", "createdAt", "type", "token", "updatedAt", "deletedAt"} <= set(made)
    assert made["type"] == "field_key"
    listed = next(row for row in shown(house.baraka.get("app-users")) if row["id"] == made["id"])
    assert listed["token"] == "shown-once"  # by null, clients know those that were shut out
    assert refused(house.app.test_client().get(f"/v1/key/{listed['token']}/projects/{house.pid}")) == 401.2
    door = f"/v1/key/{made['token']}/projects/{house.pid}"
    assert house.app.test_client().get(door).status_code == 200
    shown(house.baraka.ask("DELETE", f"app-users/{made['id']}"))
    assert house.app.test_client().get(door).status_code == 403
    assert refused(house.baraka.ask("DELETE", f"app-users/{made['id']}")) == 404.1
    assert house.baraka.post("app-users", json={"displayName": "Tablette 7"}).status_code == 200


def test_a_device_has_places_of_the_project_a_language_and_properties_that_the_project_knows(house: House) -> None:
    made = shown(house.baraka.post("app-users", json={"displayName": "T"}))
    shown(house.djeneba.put("places", data="code,name,level,parent\nML-2,Koulikoro,region,\n"))

    assert refused(house.baraka.patch(f"app-users/{made['id']}", json={"places": ["ML-9"]})) == 400.8
    assert refused(house.baraka.patch(f"app-users/{made['id']}", json={"properties": {"team": "A"}})) == 400.8
    shown(house.baraka.post("actor-properties", json={"name": "team"}))
    assert refused(house.baraka.post("actor-properties", json={"name": "Team"})) == 409.3
    given = {"places": ["ML-2"], "language": "bm", "properties": {"team": "A"}}
    changed = shown(house.baraka.patch(f"app-users/{made['id']}", json=given))

    assert (changed["places"], changed["language"], changed["properties"]) == (["ML-2"], "bm", {"team": "A"})


def test_a_device_whose_token_was_ended_is_listed_without_one_until_it_is_deleted(house: House) -> None:
    made = shown(house.baraka.post("app-users", json={"displayName": "Tab 7"}))
    page = f"/projects/{house.pid}/devices"

    shown(house.baraka.ask("DELETE", f"/v1/sessions/{made['token']}"))

    listed = {one["id"]: (one["token"], one["deletedAt"]) for one in shown(house.baraka.get("app-users"))}
    assert listed == {made["id"]: (None, None), house.amina.actor_id: ("shown-once", None)}
    assert [line for line in read(signed_in(house), page).splitlines() if "Tab 7" in line and "shut out" in line]
    assert "Take this device off the list" in read(signed_in(house), f"{page}/{made['id']}")
    assert "is shut out already" in read(signed_in(house), f"{page}/{made['id']}/revoke")
    again = shown(house.baraka.post("app-users", json={"displayName": "Tab 7"}))
    assert again["id"] != made["id"]
    assert shown(house.baraka.patch(f"app-users/{made['id']}", json={"displayName": "Tab 7", "language": "bm"}))
    shown(house.baraka.delete(f"app-users/{made['id']}"))
    assert {one["id"] for one in shown(house.baraka.get("app-users"))} == {again["id"], house.amina.actor_id}


def test_two_devices_of_a_project_never_share_a_name(house: House) -> None:
    made = shown(house.baraka.post("app-users", json={"displayName": "T"}))

    assert refused(house.baraka.post("app-users", json={"displayName": " T "})) == 409.3
    assert refused(house.baraka.patch(f"app-users/{made['id']}", json={"displayName": "Amina"})) == 409.3
    assert refused(house.baraka.post("app-users", json={"displayName": "two\nlines"})) == 400.8


def test_forms_are_given_to_devices_and_taken_away(house: House) -> None:
    device = shown(house.baraka.post("app-users", json={"displayName": "T"}))["id"]

    shown(house.djeneba.post(f"forms/sale/assignments/app-user/{device}"))
    shown(house.djeneba.post(f"forms/sale/assignments/app-user/{device}"))

    assert shown(house.djeneba.get("assignments/forms")) == [{"actorId": device, "roleId": 2, "xmlFormId": "sale"}]
    assert shown(house.djeneba.get("assignments/forms/app-user")) == shown(house.djeneba.get("assignments/forms"))
    assert numbers(shown(house.djeneba.get("forms/sale/assignments/2"))) == [device]
    shown(house.djeneba.ask("DELETE", f"forms/sale/assignments/app-user/{device}"))
    assert shown(house.djeneba.get("forms/sale/assignments")) == []
    shown(house.baraka.post(f"forms/sale/assignments/app-user/{device}"))  # who coordinates may do so for devices
    assert refused(house.baraka.post(f"forms/sale/assignments/formfill/{house.coumba.actor_id}")) == 403.1
    assert refused(house.djeneba.post(f"forms/none/assignments/app-user/{device}")) == 404.1
    assert refused(house.djeneba.post(f"forms/sale/assignments/app-user/{house.coumba.actor_id}")) == 400.8


def test_a_person_who_may_fill_one_form_is_a_collector_in_the_project(house: House) -> None:
    coumba = house.coumba.actor_id

    shown(house.djeneba.post(f"forms/sale/assignments/formfill/{coumba}"))

    assert shown(house.coumba.get(f"/v1/projects/{house.pid}"))["role"] == "collector"
    assert house.pid in numbers(shown(house.coumba.get("/v1/projects")))
    assert house.coumba.get(f"/v1/projects/{house.pid}/review").status_code == 403


def test_a_public_link_opens_nothing_but_its_form(house: House) -> None:
    made = shown(house.djeneba.post("forms/sale/public-links", json={"displayName": "Marché", "once": True}))
    door = f"/v1/key/{made['token']}/projects/{house.pid}"

    assert (made["type"], made["once"]) == ("public_link", True)
    assert [row["token"] for row in shown(house.djeneba.get("forms/sale/public-links"))] == ["shown-once"]
    for path in ("", "/changes", "/review", "/figures", "/app-users", "/forms/sale/submissions", "/datasets"):
        assert house.app.test_client().get(door + path).status_code == 403
    assert [row["xmlFormId"] for row in house.app.test_client().get(f"{door}/forms").get_json()] == ["sale"]
    shown(house.djeneba.ask("DELETE", f"forms/sale/public-links/{made['id']}"))
    assert house.app.test_client().get(door).status_code == 403
    assert shown(house.djeneba.get("forms/sale/public-links")) == []


def test_a_project_is_described_archived_and_taken_away(house: House) -> None:
    changed = shown(house.djeneba.patch("", json={"description": "Riz et karité", "archived": True}))

    assert (changed["description"], changed["archived"]) == ("Riz et karité", True)
    assert shown(house.djeneba.patch("", json={"archived": False}))["archived"] is False
    extended = shown(house.djeneba.get("", headers={"X-Extended-Metadata": "true"}))
    assert (extended["appUsers"], extended["forms"], extended["lastSubmission"]) == (1, 1, None)
    assert refused(house.djeneba.ask("DELETE", "")) == 403.1
    shown(house.sekou.ask("DELETE", f"/v1/projects/{house.pid}"))
    for voice in (house.djeneba, house.amina):
        assert refused(voice.get("")) == 404.1
    assert house.pid not in numbers(shown(house.sekou.get("/v1/projects")))


def test_every_act_is_in_the_audit_trail(house: House) -> None:
    device = shown(house.baraka.post("app-users", json={"displayName": "T"}))["id"]
    shown(house.djeneba.post(f"assignments/viewer/{house.coumba.actor_id}"))

    with house.app.app_context():
        query = select(Audit.action, Audit.subject, Audit.actor_id).where(Audit.project_id == house.pid)
        acts = [tuple(row) for row in session().execute(query)]
    assert ("device.added", str(device), house.baraka.actor_id) in acts
    assert ("role.given", str(house.coumba.actor_id), house.djeneba.actor_id) in acts


@pytest.mark.parametrize(
    "headers", [{"Origin": "https://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}]
)
def test_a_password_that_a_browser_remembers_serves_no_page_of_another_site(
    house: House, headers: dict[str, str]
) -> None:
    basic = base64.b64encode(f"djeneba@example.org:{house.djeneba.token}".encode()).decode()
    client, signed = house.app.test_client(), {"Authorization": f"Basic {basic}"}
    path, made = f"/v1/projects/{house.pid}/app-users", {"displayName": "T"}

    assert refused(client.post(path, json=made, headers=signed | headers)) == 403.1
    assert client.post(path, json=made, headers=signed).status_code == 200


def test_a_tablet_speaks_a_language_that_receipts_have(house: House) -> None:
    path = f"app-users/{house.amina.actor_id}"

    assert refused(house.baraka.patch(path, json={"language": "french"})) == 400.8
    assert shown(house.baraka.patch(path, json={"language": "fr"}))["language"] == "fr"


def test_the_code_of_a_device_carries_the_settings_that_were_asked_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    plain = qr.code_svg
    monkeypatch.setattr("server.api.app_users.code_svg", lambda text: (drawn.append(text), plain(text))[1])
    door = f"/v1/key/{house.amina.token}/projects/{house.pid}/qr.svg"

    house.app.test_client().get(f"{door}?image_size=small&autosend=wifi_only")

    told = json.loads(zlib.decompress(base64.b64decode(drawn[0])))["general"]
    assert (told["image_size"], told["autosend"]) == ("small", "wifi_only")


def test_the_code_of_a_device_is_drawn_for_whoever_has_its_token(house: House) -> None:
    door = f"/v1/key/{house.amina.token}/projects/{house.pid}"
    client = house.app.test_client()

    assert client.get(f"{door}/qr.png").data.startswith(b"\x89PNG")
    assert client.get(f"{door}/qr.svg").data.startswith(b"<svg")
    assert refused(client.get(f"{door}/qr.svg?image_size=tiny")) == 400.8
    assert refused(house.amina.get("qr.png")) == 404.1
    assert refused(house.baraka.get("qr.png")) == 404.1
