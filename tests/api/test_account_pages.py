"""One's own account, signing in with a second factor, invitations, the team, devices and settings, without scripts."""

from __future__ import annotations

import re

import pyotp
import pytest

from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import a_sale
from tests.support.web import PASSWORD, House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
OTHER = "four baskets of shea"


def enrolled(house: House) -> tuple[pyotp.TOTP, list[str]]:
    """Baraka's phone, and the recovery codes; the second factor is on."""
    client = signed_in(house)
    page = send(client, "/account", "/account/second-factor", {}).get_data(as_text=True)
    phone = pyotp.TOTP(re.search(r"<code>([A-Z2-7 ]+)</code>", page)[1].replace(" ", ""))  # type: ignore[index]
    wrong = send(client, "/account", "/account/second-factor/confirm", {"code": "000000"})
    assert wrong.status_code == 400
    shown = send(client, "/account", "/account/second-factor/confirm", {"code": phone.now()})
    return phone, re.findall(r"<code>([a-z2-7-]{19})</code>", shown.get_data(as_text=True))


def half(house: House) -> str:
    answer = house.app.test_client().post("/sign-in", data={"email": "baraka@example.org", "password": PASSWORD})
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    return re.search(r'name="half" value="([^"]+)"', answer.get_data(as_text=True))[1]  # type: ignore[index]


def with_code(house: House, code: str) -> int:
    given = {"half": half(house), "code": code}
    return house.app.test_client().post("/sign-in/code", data=given).status_code


def test_with_a_second_factor_a_code_is_asked_for_and_none_is_good_twice(house: House) -> None:
    phone, codes = enrolled(house)
    assert len(set(codes)) == 10
    used = phone.now()

    assert with_code(house, used) == 401
    assert with_code(house, codes[0]) == 303
    assert with_code(house, codes[0]) == 401
    assert with_code(house, codes[1].upper().replace("-", " ")) == 303


def test_a_password_alone_opens_no_door_of_the_api_and_a_half_is_no_token(house: House) -> None:
    _, codes = enrolled(house)
    client = house.app.test_client()
    given = {"email": "baraka@example.org", "password": PASSWORD}

    assert client.post("/v1/sessions", json=given).get_json()["code"] == 401.4
    assert client.post("/v1/sessions", json=given | {"code": codes[2]}).status_code == 200
    plain = house.app.test_client()
    assert plain.get("/v1/projects", auth=(given["email"], PASSWORD)).get_json()["code"] == 401.4
    shown = {"Authorization": f"Bearer {half(house)}"}
    assert plain.get("/v1/projects", headers=shown).status_code == 401
    assert house.baraka.get("/v1/projects").status_code == 200


def test_wrong_codes_make_the_next_try_wait(house: House) -> None:
    _, codes = enrolled(house)

    tried = [with_code(house, "123456") for _ in range(6)]

    assert tried[-1] == 429
    assert with_code(house, codes[3]) == 429


def test_the_second_factor_goes_off_for_the_password_or_a_code_only(house: House) -> None:
    _, codes = enrolled(house)
    client = house.app.test_client()
    client.post("/sign-in/code", data={"half": half(house), "code": codes[0]})

    assert send(client, "/account", "/account/second-factor/off", {"proof": "not the one"}).status_code == 401
    assert send(client, "/account", "/account/second-factor/off", {"proof": codes[1]}).status_code == 303
    assert signed_in(house).get("/account").status_code == 200


def test_a_new_password_ends_the_other_sessions(house: House) -> None:
    client, elsewhere = signed_in(house), signed_in(house)
    given = {"old": PASSWORD, "new": OTHER, "again": OTHER}

    assert send(client, "/account", "/account/password", given | {"again": "x"}).status_code == 400
    assert send(client, "/account", "/account/password", given).status_code == 303
    assert client.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303


def test_a_token_is_shown_once_and_works_until_it_is_revoked(house: House) -> None:
    client = signed_in(house)
    made = send(client, "/account", "/account/tokens", {"name": "<b>Excel</b>"}).get_data(as_text=True)
    token = re.search(r"siby_[\w-]{43}", made)[0]  # type: ignore[index]
    program = house.app.test_client()
    shown = {"Authorization": f"Bearer {token}"}

    assert program.get("/v1/projects", headers=shown).status_code == 200
    page = read(client, "/account")
    assert token not in page
    assert "&lt;b&gt;Excel" in page
    row = page[page.index("&lt;b&gt;Excel") :]
    asked = re.search(r"/account/tokens/([0-9a-f]{64})/revoke", row)[0]  # type: ignore[index]
    which = Page(read(client, asked)).hidden["which"]
    assert program.get("/v1/projects", headers=shown).status_code == 200
    assert send(client, asked, "/account/sessions/end", {"which": which}).status_code == 303
    assert program.get("/v1/projects", headers=shown).status_code == 401
    coumba = signed_in(house, "coumba")
    assert send(coumba, "/account", "/account/sessions/end", {"which": which}).status_code == 404


def test_a_session_is_told_by_browser_and_system(house: House) -> None:
    phone = "Mozilla/5.0 (Linux; Android 13; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"
    for agent in (phone, "something of its own"):
        given = {"email": "baraka@example.org", "password": PASSWORD}
        house.app.test_client().post("/sign-in", data=given, headers={"User-Agent": agent})

    page = read(signed_in(house), "/account")

    assert ">Chrome, Android<" in page
    assert ">something of its own<" in page


def test_who_is_invited_chooses_a_password_once_and_is_in_the_team(house: House) -> None:
    client, team = signed_in(house, "djeneba"), f"/projects/{house.pid}/team"
    given = {"email": "Nana@example.org", "role": "viewer"}
    page = send(client, team, f"{team}/invitations", given).get_data(as_text=True)
    link = re.search(r"/invitation/siby_[\w-]{43}", page)[0]  # type: ignore[index]
    guest = house.app.test_client()

    assert guest.post(link, data={"name": "Nana", "password": "short"}).status_code == 400
    assert guest.post(link, data={"name": "Nana", "password": OTHER}).status_code == 303
    assert guest.get(f"/projects/{house.pid}").status_code == 200
    assert house.app.test_client().post(link, data={"name": "Nana", "password": OTHER}).status_code == 410
    assert "nana@example.org" in read(client, team)
    trail = read(signed_in(house, "djeneba", "fr"), f"{team}/trail")
    assert re.search(r">Nana</span></td><td><span[^>]*>a accepté une invitation\s: Nana \(lecteur\)<", trail)


def test_an_invitation_that_was_withdrawn_or_has_expired_opens_nothing(house: House) -> None:
    client, team = signed_in(house, "djeneba"), f"/projects/{house.pid}/team"
    page = send(client, team, f"{team}/invitations", {"email": "n@example.org", "role": "viewer"})
    link = re.search(r"/invitation/siby_[\w-]{43}", page.get_data(as_text=True))[0]  # type: ignore[index]
    key = re.search(r"invitations/([0-9a-f]{64})/revoke", read(client, team))[1]  # type: ignore[index]
    asked = f"{team}/invitations/{key}/revoke"

    assert "n@example.org" in read(client, asked)
    assert house.app.test_client().get(link).status_code == 200
    assert send(client, asked, asked, {}).status_code == 303
    assert client.get(asked).status_code == 404
    assert house.app.test_client().get(link).status_code == 410
    assert house.app.test_client().get(link[:-1] + "!").status_code == 404


def test_the_last_administrator_stays_and_the_trail_says_what_was_done(house: House) -> None:
    client, team = signed_in(house, "djeneba", "fr"), f"/projects/{house.pid}/team"
    page = read(client, team)
    numbers = dict(re.findall(r">(\w+)@example\.org</span>.*?team/(\d+)/role", page, re.DOTALL))

    own = send(client, team, f"{team}/{numbers['djeneba']}/role", {"role": "viewer"})
    assert own.status_code == 409
    assert "dernier administrateur" in own.get_data(as_text=True)
    assert send(client, team, f"{team}/{numbers['djeneba']}/remove", {}).status_code == 409
    assert send(client, team, f"{team}/{numbers['fanta']}/role", {"role": "administrator"}).status_code == 303
    asked = f"{team}/{numbers['fanta']}/role"
    assert send(client, asked, asked, {"role": "administrator", "sure": "yes"}).status_code == 303
    assert "a donné un rôle" in read(client, f"{team}/trail?act=role.given")
    assert "a donné un rôle : " not in read(client, f"{team}/trail?act=role.given&day=2001-01-01")
    assert send(client, team, f"{team}/{numbers['fanta']}/remove", {}).status_code == 303


def test_who_administers_everything_stands_with_the_team(house: House) -> None:
    page = read(signed_in(house, "sekou", "en"), f"/projects/{house.pid}/team")
    trail = read(signed_in(house, "sekou", "en"), f"/projects/{house.pid}/team/trail")

    assert "May do everything, here and in all projects" in page
    assert "(sekou@example.org)" in page
    assert f'<option value="{house.sekou.actor_id}"' in trail


def test_a_device_is_added_read_changed_and_shut_out(house: House) -> None:
    client, devices = signed_in(house), f"/projects/{house.pid}/devices"
    house.amina.send(a_sale(1))
    made = send(client, devices, devices, {"name": "<i>Tab</i> 9", "language": "fr"})
    assert "<svg" in made.get_data(as_text=True)
    listed = read(client, devices)
    assert "&lt;i&gt;Tab" in listed
    number = re.search(r"devices/(\d+)\">&lt;i", listed)[1]  # type: ignore[index]
    one = f"{devices}/{number}"

    assert send(client, one, one, {"name": "Amina"}).status_code == 409
    assert send(client, one, one, {"name": "Tab 9"}).status_code == 303
    assert "Tab 9" in read(client, f"{one}/revoke")
    assert send(client, one, f"{one}/revoke", {}).status_code == 303
    assert client.get(one).status_code == 404
    for known in re.findall(r"devices/(\d+)\"", read(client, devices)):
        read(client, f"{devices}/{known}")


def test_settings_are_changed_and_what_is_wrong_is_shown_with_what_was_typed(house: House) -> None:
    client, path = signed_in(house, "djeneba"), f"/projects/{house.pid}/settings"
    given = {"name": "Riz & Karité", "languages": "fr, en", "fiscal_year_start": "7", "counts": "received"}

    wrong = send(client, path, path, given | {"time_zone": "Mali"})
    assert wrong.status_code == 400
    assert "Riz &amp; Karité" in wrong.get_data(as_text=True)
    sensible = given | {"time_zone": "Africa/Bamako"}
    asked = Page(send(client, path, path, sensible).get_data(as_text=True))
    assert send(client, path, path, sensible | {"sure": asked.hidden["sure"]}).status_code == 303
    assert house.djeneba.get("").get_json()["fiscal_year_start"] == 7
    assert ".svc</code>" in read(client, f"/projects/{house.pid}/exports")
    read(client, f"{path}/webhooks")
    assert client.get("/health").status_code == 403
    assert "Siby" in read(signed_in(house, "sekou"), "/health")
