"""Getting in: passwords, tokens in every place where clients put them, sessions, and what keeps guessers out."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from server.db import session
from server.door import signing_in
from server.logs import set_logs_up
from sync.accounts.passwords import verify_password
from sync.accounts.people import disable
from sync.accounts.throttle import keys_of, note_failure
from sync.accounts.tokens import digest, issue_token, revoke
from sync.models import Actor, Audit, Token
from sync.models.database import begin_writing
from tests.support.projects import a_sale, instance_id
from tests.support.web import PASSWORD, House, refused, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ME = "/v1/users/current"
EMAIL = "baraka@example.org"


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def sign_in(house: House, email: str = EMAIL, password: str = PASSWORD, **more: Any) -> Any:
    return house.app.test_client().post("/v1/sessions", json={"email": email, "password": password}, **more)


def test_a_session_lasts_until_it_is_ended(house: House) -> None:
    stranger = house.app.test_client(use_cookies=False)
    token = shown(sign_in(house))["token"]

    assert shown(stranger.get(ME, headers=bearer(token)))["email"] == EMAIL
    assert shown(stranger.delete("/v1/sessions/current", headers=bearer(token))) == {"success": True}
    assert refused(stranger.get(ME, headers=bearer(token))) == 401.2


def test_a_session_is_ended_by_its_owner_and_by_who_administers_and_by_nobody_else(house: House) -> None:
    client = house.app.test_client()
    ended, kept = (shown(sign_in(house))["token"] for _ in range(2))

    assert refused(house.djeneba.ask("DELETE", f"/v1/sessions/{ended}")) == 403.1
    mine = client.delete(f"/v1/sessions/{ended}", headers=bearer(kept))
    assert (shown(mine), mine.headers.get("Set-Cookie")) == ({"success": True}, None)
    assert refused(client.delete(f"/v1/sessions/{ended}", headers=bearer(kept))) == 403.1
    assert shown(house.sekou.ask("DELETE", f"/v1/sessions/{kept}"))
    assert refused(client.get(ME, headers=bearer(kept))) == 401.2
    assert refused(house.sekou.ask("DELETE", f"/v1/sessions/{house.baraka.token}")) == 403.1


def test_a_tablet_and_a_public_link_are_shut_out_by_their_tokens(house: House) -> None:
    device = shown(house.baraka.post("app-users", json={"displayName": "T", "all_forms": True}))
    link = shown(house.djeneba.post("forms/sale/public-links", json={"displayName": "L"}))
    stranger = house.app.test_client()

    for made in (device, link):
        path, list_of_forms = f"/v1/sessions/{made['token']}", f"/v1/key/{made['token']}/projects/{house.pid}/formList"
        assert stranger.get(list_of_forms).status_code == 200
        for nobody in (house.fanta, house.coumba):
            assert refused(nobody.ask("DELETE", path)) == 403.1
        assert refused(stranger.delete(f"/v1/key/{made['token']}/sessions/{made['token']}")) == 403.1
        assert stranger.get(list_of_forms).status_code == 200
        assert shown(house.djeneba.ask("DELETE", path)) == {"success": True}
        assert stranger.get(list_of_forms).status_code == 403
    assert refused(house.baraka.ask("DELETE", f"/v1/sessions/{device['token']}")) == 403.1
    assert shown(house.baraka.get(f"app-users/{device['id']}"))["token"] is None
    audits = shown(house.sekou.ask("GET", "/v1/audits"))
    assert {"field_key.session.end", "public_link.session.end"} <= {act["action"] for act in audits}


def test_basic_takes_a_password_or_a_token(house: House) -> None:
    stranger = house.app.test_client()

    for headers in (
        basic(EMAIL, PASSWORD),
        basic(EMAIL.upper(), PASSWORD),
        basic(EMAIL, house.baraka.token),
    ):
        assert shown(stranger.get(ME, headers=headers))["displayName"] == "Baraka"
    assert shown(stranger.get(ME, headers=basic("any name", house.amina.token)))["type"] == "field_key"
    assert refused(stranger.get(ME, headers=basic("fanta@example.org", house.baraka.token))) == 401.2


def test_a_changed_password_ends_what_was_remembered_of_the_old_one(house: House) -> None:
    stranger = house.app.test_client()
    assert stranger.get(ME, headers=basic(EMAIL, PASSWORD)).status_code == 200

    with house.app.app_context():
        begin_writing(session())
        session().get_one(Actor, house.baraka.actor_id).password_hash = None
        session().commit()

    assert refused(stranger.get(ME, headers=basic(EMAIL, PASSWORD))) == 401.2


def test_a_password_does_not_travel_over_plain_http_from_elsewhere(house: House) -> None:
    from_afar = {"REMOTE_ADDR": "192.0.2.7"}
    stranger = house.app.test_client()

    assert refused(sign_in(house, environ_overrides=from_afar)) == 401.3
    assert refused(stranger.get(ME, headers=basic(EMAIL, PASSWORD), environ_overrides=from_afar)) == 401.3
    assert stranger.get(ME, headers=bearer(house.baraka.token), environ_overrides=from_afar).status_code == 200
    over_https = from_afar | {"wsgi.url_scheme": "https"}
    assert sign_in(house, environ_overrides=over_https).status_code == 200


def test_a_token_in_the_path_serves_like_one_in_a_header(house: House) -> None:
    stranger = house.app.test_client()
    path = f"/projects/{house.pid}/capabilities"

    assert stranger.get(f"/v1/key/{house.amina.token}{path}").status_code == 200
    assert stranger.get(f"/v1{path}?st={house.amina.token}").status_code == 200


def test_a_bad_token_in_the_path_is_403_and_a_malformed_one_401(house: House) -> None:
    stranger = house.app.test_client()
    path = f"/projects/{house.pid}/capabilities"
    unknown = "siby_" + "A" * 43

    assert refused(stranger.get(f"/v1/key/{unknown}{path}")) == 403.1
    assert refused(stranger.get(f"/v1{path}?st={unknown}")) == 403.1
    assert refused(stranger.get(f"/v1/key/nonsense{path}")) == 401.2
    assert refused(stranger.get(f"/v1/key/{path}")) == 401.2
    assert refused(stranger.get(f"/v1{path}", headers=bearer(unknown))) == 401.2


def test_addresses_in_answers_carry_the_token_that_the_request_carried(house: House) -> None:
    stranger = house.app.test_client()

    by_path = shown(stranger.get(f"/v1/key/{house.amina.token}/projects/{house.pid}/changes"))
    by_header = shown(house.amina.get("changes"))

    assert by_path["forms"][0]["url"].endswith(f"/v1/key/{house.amina.token}/projects/{house.pid}/forms/sale.xml")
    assert by_header["forms"][0]["url"].endswith(f"/v1/projects/{house.pid}/forms/sale.xml")
    assert stranger.get(by_path["forms"][0]["url"]).status_code == 200


def test_a_revoked_token_and_a_disabled_person_are_out_at_once(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        revoke(session(), digest(house.fanta.token), dt.datetime.now(dt.UTC))
        disable(session(), session().get_one(Actor, house.baraka.actor_id), dt.datetime.now(dt.UTC))
        session().commit()

    assert refused(house.fanta.get(ME)) == 401.2
    assert refused(house.baraka.get(ME)) == 401.2
    assert refused(sign_in(house)) == 401.2


def test_wrong_passwords_make_the_next_try_wait_and_unknown_accounts_are_no_different(house: House) -> None:
    answers = {}
    for email in (EMAIL, "nobody@example.org"):
        tries = [sign_in(house, email, "wrong password") for _ in range(6)]
        answers[email] = [(answer.status_code, answer.get_json()["message"]) for answer in tries]

    assert answers[EMAIL] == answers["nobody@example.org"]
    assert [status for status, _ in answers[EMAIL]] == [401] * 5 + [429]
    assert 0 < int(tries[-1].headers["Retry-After"]) <= 900


def test_a_password_that_was_tried_while_others_failed_has_to_wait_with_them(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(stored: str | None, password: str) -> bool:
        begin_writing(session())
        for _ in range(6):
            note_failure(session(), keys_of(EMAIL, "127.0.0.1"), dt.datetime.now(dt.UTC))
        session().commit()
        return verify_password(stored, password)

    monkeypatch.setattr(signing_in, "verify_password", meanwhile)

    assert sign_in(house).status_code == 429


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}])
def test_a_page_of_another_site_signs_nobody_in(house: House, headers: dict[str, str]) -> None:
    body = f'{{"email": "{EMAIL}", "password": "{PASSWORD}"}}'

    answer = house.app.test_client().post("/v1/sessions", data=body, headers={"Content-Type": "text/plain", **headers})

    assert (refused(answer), answer.headers.get("Set-Cookie")) == (403.1, None)


def test_an_idle_session_ends(house: House) -> None:
    token = shown(sign_in(house))["token"]
    with house.app.app_context():
        begin_writing(session())
        row = session().get_one(Token, digest(token))
        row.created_at = row.last_used_at = dt.datetime.now(dt.UTC) - dt.timedelta(minutes=31)
        session().commit()

    assert refused(house.app.test_client().get(ME, headers=bearer(token))) == 401.2


def test_no_token_is_stored_as_it_is(house: House) -> None:
    with house.app.app_context():
        stored = session().scalars(select(Token.sha256)).all()

    assert digest(house.amina.token) in stored
    assert house.amina.token.encode() not in stored


def test_signing_in_and_failing_to_is_in_the_audit_trail(house: House) -> None:
    sign_in(house)
    sign_in(house, password="wrong password")

    with house.app.app_context():
        acts = session().execute(select(Audit.action, Audit.actor_id, Audit.address).order_by(Audit.number)).all()
    assert [tuple(act) for act in acts] == [
        ("session.began", house.baraka.actor_id, "127.0.0.1"),
        ("session.refused", None, "127.0.0.1"),
    ]


def test_a_cookie_changes_nothing_without_the_word_of_our_own_page(house: House) -> None:
    client = house.app.test_client()
    csrf = shown(client.post("/v1/sessions", json={"email": EMAIL, "password": PASSWORD}))["csrf"]
    path = f"/v1/projects/{house.pid}/batches"
    batch = {"batch": "b", "items": []}

    assert client.get(f"/v1/projects/{house.pid}/review").status_code == 200
    assert refused(client.post(path, json=batch)) == 403.1
    assert refused(client.post(path, json=batch, headers={"X-CSRF-Token": "guess"})) == 403.1
    assert client.post(path, json=batch, headers={"X-CSRF-Token": csrf}).status_code == 200
    assert client.post(path, json=batch, headers={"X-Requested-With": "XMLHttpRequest"}).status_code == 200
    comments = f"/v1/projects/{house.pid}/forms/sale/submissions/{instance_id(1)}/comments"
    house.amina.send(a_sale(1))
    assert refused(client.post(comments, json={"body": "Good.", "__csrf": "guess"})) == 403.1
    assert refused(client.post(comments, json=[{"__csrf": csrf}])) == 403.1
    assert shown(client.post(comments, json={"body": "Good.", "__csrf": csrf}))["body"] == "Good."
    elsewhere = {"X-CSRF-Token": csrf, "Origin": "https://elsewhere.example"}
    assert refused(client.post(path, json=batch, headers=elsewhere)) == 403.1


def test_behind_a_proxy_that_was_not_named_the_browser_says_that_the_page_is_ours(house: House) -> None:
    client, at = house.app.test_client(), {"base_url": "http://data.example.org"}
    csrf = shown(client.post("/v1/sessions", json={"email": EMAIL, "password": PASSWORD}, **at))["csrf"]
    path, batch = f"/v1/projects/{house.pid}/batches", {"batch": "b", "items": []}
    sent = {"X-CSRF-Token": csrf, "Origin": "https://data.example.org", "Sec-Fetch-Site": "same-origin"}

    assert client.post(path, json=batch, headers=sent, **at).status_code == 200
    assert refused(client.post(path, json=batch, headers=sent | {"Sec-Fetch-Site": "cross-site"}, **at)) == 403.1
    assert refused(client.post(path, json=batch, headers=sent | {"X-CSRF-Token": "guess"}, **at)) == 403.1


def test_a_page_of_another_site_that_hides_where_it_is_changes_nothing(house: House) -> None:
    client = house.app.test_client()
    csrf = shown(client.post("/v1/sessions", json={"email": EMAIL, "password": PASSWORD}))["csrf"]
    path, batch = f"/v1/projects/{house.pid}/batches", {"batch": "b", "items": []}
    sent = {"X-CSRF-Token": csrf, "Origin": "null"}

    assert client.post(path, json=batch, headers=sent | {"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert refused(client.post(path, json=batch, headers=sent | {"Sec-Fetch-Site": "cross-site"})) == 403.1


@pytest.mark.parametrize(("scheme", "name"), [("https", "__Host-session"), ("http", "session")])
def test_the_cookie_is_as_strict_as_the_connection_allows(house: House, scheme: str, name: str) -> None:
    answer = sign_in(house, base_url=f"{scheme}://localhost")

    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=siby_")
    assert ("Secure" in cookie) == (scheme == "https")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie


def test_logs_show_no_token(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    set_logs_up("json")
    house.app.test_client().get(f"/v1/key/{house.amina.token}/projects/{house.pid}/capabilities")
    house.app.test_client().get(f"/sign-in/link/{house.amina.token}")

    logged = capfd.readouterr().err
    assert "/v1/key/***/projects" in logged
    assert house.amina.token not in logged


def test_every_answer_carries_the_headers_that_keep_browsers_safe(app: Flask) -> None:
    client = app.test_client()

    kept = {"/v1/openapi.json": "private, no-cache"}
    for path in ("/sign-in", "/v1/projects/1", "/v1/nowhere", "/nowhere", "/static/siby.css", *kept):
        headers = client.get(path, base_url="https://localhost").headers
        assert "object-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert headers["X-Request-Id"]
        if path.startswith("/v1"):
            assert headers["Cache-Control"] == kept.get(path, "no-store")


def test_what_has_a_tag_may_be_asked_for_again_and_what_a_page_showed_is_kept_by_no_browser(house: House) -> None:
    house.amina.send(a_sale(1))
    client = house.app.test_client()
    token = shown(sign_in(house))["token"]
    client.post("/sign-in", data={"email": EMAIL, "password": PASSWORD}, base_url="https://localhost")
    submission = f"forms/sale/submissions/{instance_id(1)}"
    data = ("", "forms", "forms/sale", "forms/sale/submissions", submission, f"{submission}.xml", "app-users")
    lists = ("datasets", "datasets/people/entities", "datasets/people.svc/Entities", "forms/sale.svc/Submissions")

    kept = [client.get(f"/v1/projects/{house.pid}/{path}", headers=bearer(token)) for path in (*data, *lists)]
    session = client.get("/v1/sessions/restore", headers=bearer(token))
    pages = [client.get(f"/projects/{house.pid}/{path}", base_url="https://localhost") for path in ("", "submissions")]

    assert {(one.status_code, one.headers["Cache-Control"]) for one in kept} == {(200, "private, no-cache")}
    for one in kept:
        again = client.get(one.request.path, headers=bearer(token) | {"If-None-Match": one.headers["ETag"]})
        assert (again.status_code, again.headers["Cache-Control"]) == (304, "private, no-cache")
    for one in (session, *pages):
        assert (one.status_code, one.headers["Cache-Control"], "ETag" in one.headers) == (200, "no-store", False)


def test_whoever_signs_out_over_rest_leaves_nothing_in_the_browser(house: House) -> None:
    browser = house.app.test_client()
    signed = browser.post("/v1/sessions", json={"email": EMAIL, "password": PASSWORD}, base_url="https://localhost")

    left = browser.delete("/v1/sessions/current", headers=bearer(shown(signed)["token"]), base_url="https://localhost")

    assert (left.status_code, left.headers["Clear-Site-Data"]) == (200, '"cache"')


def test_a_one_time_link_works_once_and_only_by_its_button(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        link = issue_token(session(), house.baraka.actor_id, "link", dt.datetime.now(dt.UTC)).token
        session().commit()
    client = house.app.test_client()

    for _ in range(2):
        page = client.get(f"/sign-in/link/{link}")
        assert page.status_code == 200
        assert link in page.get_data(as_text=True)
    assert refused(house.app.test_client().get(ME, headers=bearer(link))) == 401.2
    assert client.post("/sign-in/link", data={"token": link}).status_code == 303
    assert client.get(f"/projects/{house.pid}").status_code == 200
    assert house.app.test_client().post("/sign-in/link", data={"token": link}).status_code == 403
