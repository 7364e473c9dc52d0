"""What must not get through the pages of an account, a team and its devices: tokens, strangers, hostile addresses."""

from __future__ import annotations

import pytest

from tests.support.pages import read, send, signed_in
from tests.support.web import House

HUGE = "9" * 30


def test_a_token_neither_makes_more_tokens_nor_sets_up_a_second_factor(house: House) -> None:
    tried = [
        house.baraka.get("/account"),
        house.baraka.post("/account/tokens", data={"name": "one more"}),
        house.baraka.post("/account/second-factor"),
        house.baraka.post("/account/password", data={"new": "four baskets", "again": "four baskets"}),
        house.baraka.post("/account/sessions/end", data={"others": "yes"}),
    ]

    assert [answer.status_code for answer in tried] == [403] * 5
    assert house.amina.get("/account").status_code == 404
    assert "one more" not in read(signed_in(house), "/account")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_readers_are_shown_files_only_and_other_projects_nothing(house: House) -> None:
    paths = [f"/projects/{house.pid}/{page}" for page in ("exports", "devices", "team", "team/trail", "settings")]
    fanta, coumba = signed_in(house, "fanta"), signed_in(house, "coumba")

    assert [fanta.get(path).status_code for path in paths] == [200, 403, 403, 403, 403]
    assert [coumba.get(path).status_code for path in paths] == [404] * 5


def test_no_address_and_no_field_makes_the_server_fail(house: House) -> None:
    client, project = signed_in(house, "djeneba"), f"/projects/{house.pid}"
    bad = [
        f"team/trail?below={HUGE}",
        f"team/trail?person={HUGE}",
        "team/trail?below=-1",
        "team/trail?person=x",
        f"team/{HUGE}/remove",
        f"devices/{HUGE}",
        f"settings/webhooks/{HUGE}",
        "team/trail?day=%00&act=%00",
    ]
    odd = ["devices?after=1&name=%00", "team/trail?day=9999-12-31", "devices?after=x"]

    assert {client.get(f"{project}/{path}").status_code for path in bad} == {400, 404}
    assert {client.get(f"{project}/{path}").status_code for path in odd} == {200}
    given = {"email": "\0a@example.org", "role": "viewer"}
    assert send(client, f"{project}/team", f"{project}/team/invitations", given).status_code == 400


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_filters_of_the_trail_work_with_nothing_chosen_and_with_one(house: House) -> None:
    client, team = signed_in(house, "djeneba", "en"), f"/projects/{house.pid}/team"
    send(client, team, f"{team}/invitations", {"email": "nana@example.org", "role": "viewer"})

    assert "invited somebody: reader" in read(client, f"{team}/trail?person=&act=&day=")
    person = house.djeneba.actor_id
    assert "invited somebody: reader" in read(client, f"{team}/trail?person={person}&act=invitation.made&day=")
    assert "invited somebody: reader" not in read(client, f"{team}/trail?person={house.fanta.actor_id}&act=&day=")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_device_that_is_refused_keeps_what_was_typed(house: House) -> None:
    client, devices = signed_in(house), f"/projects/{house.pid}/devices"

    answer = send(client, devices, devices, {"name": "<b>Tab</b>", "language": "bm", "places": "</textarea>nowhere"})

    text = answer.get_data(as_text=True)
    assert answer.status_code == 400
    assert "&lt;b&gt;Tab&lt;/b&gt;" in text
    assert '<option value="bm" lang="bm" selected>' in text
    assert "&lt;/textarea&gt;nowhere" in text
