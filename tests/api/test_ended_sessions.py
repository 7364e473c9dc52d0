"""What was filled in when a session had ended is carried through the sign-in, and waits for its author's word."""

from __future__ import annotations

import datetime as dt
import html
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from server.db import session
from sync.models import Assignment, Token
from sync.models.database import begin_writing
from tests.support.pages import Page, read, signed_in
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import a_sale
from tests.support.web import PASSWORD, House
from tests.support.web import shown as shown_of

COMMENT = "Vu « sur place »,\r\n<b>12</b> sacs"


@pytest.fixture
def sold(house: House) -> House:
    house.amina.send(a_sale(1, sacks=4))
    return house


def visit(house: House) -> str:
    links = Page(read(signed_in(house, "djeneba"), f"/projects/{house.pid}/submissions")).links
    return next(link for link in links if re.fullmatch(r"/projects/\d+/submissions/\d+", link))


def end_sessions(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Token).values(last_used_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
        session().commit()


def comment(house: House, client: FlaskClient, **more: str) -> TestResponse:
    """Write a comment on a page that was open when the session ended."""
    page = visit(house)
    csrf = Page(read(client, page)).hidden["__csrf"]
    end_sessions(house)
    headers = {"Referer": f"https://localhost{page}"}
    return client.post(f"{page}/comments", data={"__csrf": csrf, "body": COMMENT, **more}, headers=headers)


def too_late(house: House, client: FlaskClient, body: str | bytes) -> TestResponse:
    """The same with a body written by hand, from a page that said it was ours."""
    page = f"{visit(house)}/comments"
    end_sessions(house)
    return client.post(page, data=body, content_type="application/x-www-form-urlencoded")


def sign_in(client: FlaskClient, asked: TestResponse, name: str, password: str = PASSWORD) -> TestResponse:
    fields = Page(asked.get_data(as_text=True)).hidden
    return client.post("/sign-in", data={**fields, "email": f"{name}@example.org", "password": password})


def is_there(house: House) -> bool:
    return "Vu « sur place »" in read(signed_in(house, "djeneba"), visit(house))


def send_after_all(client: FlaskClient, shown: TestResponse) -> TestResponse:
    text = shown.get_data(as_text=True)
    to = re.search(r'<form method="post" action="(/projects/[^"]+)"', text)
    assert to is not None
    return client.post(html.unescape(to[1]), data=Page(text).hidden)


def test_it_is_sent_by_whoever_filled_it_in_once_they_say_so(sold: House) -> None:
    client = signed_in(sold, language="fr")

    asked = comment(sold, client)
    refused = sign_in(client, asked, "baraka", "not this one")
    shown = sign_in(client, refused, "baraka")

    assert "ce que vous aviez rempli est là" in asked.get_data(as_text=True)
    assert refused.status_code == 401
    assert html.escape("Vu « sur place »") in shown.get_data(as_text=True)
    assert "<b>12</b>" not in shown.get_data(as_text=True)
    assert f'href="{visit(sold)}"' in shown.get_data(as_text=True)
    assert not is_there(sold)

    sent = send_after_all(client, shown)

    assert sent.status_code == 303
    assert is_there(sold)


def test_somebody_else_does_not_get_to_see_it(sold: House) -> None:
    asked = comment(sold, signed_in(sold))

    answer = sign_in(sold.app.test_client(), asked, "djeneba")

    assert (answer.status_code, answer.headers["Location"]) == (303, visit(sold))
    assert "sur place" not in answer.get_data(as_text=True)


def test_a_page_from_before_its_reader_signed_in_anew_asks_before_it_is_sent(sold: House) -> None:
    client, page = signed_in(sold), visit(sold)
    csrf = Page(read(client, page)).hidden["__csrf"]
    anew = client.post("/sign-in", data={"email": "baraka@example.org", "password": PASSWORD})

    shown = client.post(f"{page}/comments", data={"__csrf": csrf, "body": COMMENT})
    forged = client.post(f"{page}/comments", data={"__csrf": "guessed", "body": COMMENT})

    assert (anew.status_code, shown.status_code, forged.status_code) == (303, 409, 403)
    assert not is_there(sold)
    assert send_after_all(client, shown).status_code == 303
    assert is_there(sold)


def test_passwords_are_carried_nowhere(sold: House) -> None:
    client = signed_in(sold)
    csrf = Page(read(client, "/account")).hidden["__csrf"]
    end_sessions(sold)

    answer = client.post("/account/password", data={"__csrf": csrf, "old": PASSWORD, "new": "x" * 12})

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?ended=yes")


@pytest.mark.parametrize(
    "carried",
    [
        *("", "[", "7", '{"to":1}', '{"to":"//elsewhere.example","csrf":"","fields":[]}'),
        '{"to":"/account","csrf":"\\u0000","fields":[]}',
    ],
)
def test_what_cannot_be_carried_is_left(house: House, carried: str) -> None:
    asked = {"email": "baraka@example.org", "password": PASSWORD, "carried": carried}

    assert house.app.test_client().post("/sign-in", data=asked).status_code == 303


def test_what_was_written_is_shown_by_its_name_and_the_rest_goes_along(sold: House) -> None:
    client = signed_in(sold, language="fr")

    asked = comment(sold, client, seen="4", decision="hasIssues", __sent="0.25")
    shown = sign_in(client, asked, "baraka")

    text = shown.get_data(as_text=True)
    facts = re.findall(r"<dt>(.*?)</dt>", text)
    assert facts == ["Votre commentaire"]
    assert Page(text).hidden.items() >= {"seen": "4", "decision": "hasIssues", "__sent": "0.25"}.items()
    assert "lang=" not in " ".join(Page(asked.get_data(as_text=True)).links + Page(text).links)
    assert "lang=" in " ".join(Page(client.get("/sign-in").get_data(as_text=True)).links)


def test_only_who_was_signed_in_has_something_carried(sold: House) -> None:
    known = too_late(sold, signed_in(sold), "__csrf=x&body=y")
    stranger = too_late(sold, sold.app.test_client(), "__csrf=x&body=y")

    assert "carried" in Page(known.get_data(as_text=True)).hidden
    assert (stranger.status_code, stranger.headers["Location"]) == (303, "/sign-in?ended=yes")


@pytest.mark.parametrize(
    "body", ["a&" * 501 + "__csrf=x", "__csrf=x&body=" + "a" * 300_001, b"__csrf=x&body=" + b"\x01" * 200_000]
)
def test_what_is_too_long_to_be_carried_is_said_to_be(sold: House, body: str | bytes) -> None:
    client = signed_in(sold, language="fr")

    answer = too_late(sold, client, body)

    assert (answer.status_code, answer.headers["Location"]) == (303, "/sign-in?ended=long")
    assert "trop long pour être gardé ici" in client.get("/sign-in?ended=long").get_data(as_text=True)


@pytest.mark.parametrize("sign", ["a", "%01", "%22", "\u00e9"])
def test_all_that_is_carried_can_be_sent_back(sold: House, sign: str) -> None:
    csrf = Page(read(client := signed_in(sold), visit(sold))).hidden["__csrf"]

    asked = too_late(sold, client, f"__csrf={csrf}&body=" + sign * (299_000 // len(sign.encode())))
    fields = Page(asked.get_data(as_text=True)).hidden
    given = {**fields, "email": "baraka@example.org", "password": PASSWORD}
    shown = client.post("/sign-in", data=given, content_type="multipart/form-data")

    assert (asked.status_code, shown.status_code) == (200, 200)
    assert "Not sent yet" in shown.get_data(as_text=True)


def test_programs_are_refused_in_their_own_way(sold: House) -> None:
    client = signed_in(sold)
    csrf = Page(read(client, visit(sold))).hidden["__csrf"]
    client.post("/sign-in", data={"email": "baraka@example.org", "password": PASSWORD})

    answer = client.post(f"/v1/projects/{sold.pid}/batches", data={"__csrf": csrf, "body": COMMENT})

    assert (answer.status_code, answer.mimetype) == (403, "application/json")


def test_the_mark_of_a_form_comes_back_only_when_the_form_was_taken(sold: House) -> None:
    client, page = signed_in(sold), f"{visit(sold)}/comments"
    given = {"__csrf": Page(read(client, visit(sold))).hidden["__csrf"], "__sent": "2.5e-7"}

    refused = client.post(page, data={**given, "body": "x" * 10_001})
    assert (refused.status_code, client.get_cookie("taken")) == (400, None)

    taken = client.post(page, data={**given, "body": COMMENT})
    cookie = client.get_cookie("taken")
    assert (taken.status_code, cookie and cookie.value) == (303, "2.5e-7")


@pytest.mark.parametrize("path", ["/", "/sign-in", "/v1/projects", "/v1/projects/1/formList"])
def test_bytes_in_a_query_that_are_no_text_are_refused(house: House, path: str) -> None:
    answer = signed_in(house).get(path, environ_overrides={"QUERY_STRING": "x=\xff"})

    assert answer.status_code == 400


def test_a_part_of_a_page_has_the_whole_page_sign_in_and_come_back(sold: House) -> None:
    client, page = signed_in(sold), f"/projects/{sold.pid}/indicators?period=all"
    read(client, page)
    end_sessions(sold)

    headers = {"HX-Request": "true", "Referer": f"https://localhost{page}"}
    answer = client.get(f"/projects/{sold.pid}/indicators/of?name=sacks", headers=headers)

    assert (answer.status_code, answer.get_data()) == (204, b"")
    back = parse_qs(urlsplit(answer.headers["HX-Redirect"]).query)
    assert back == {"next": [page], "ended": ["yes"]}


def late(house: House, client: FlaskClient, page: str, to: str, **given: str) -> str:
    """What is shown to who sends a form after the session has ended, and signs in."""
    hidden = Page(read(client, page)).hidden
    end_sessions(house)
    headers = {"Referer": f"https://localhost{page}"}
    asked = client.post(to, data={**hidden, **given}, headers=headers)
    return html.unescape(sign_in(client, asked, "baraka").get_data(as_text=True))


def test_a_decision_that_waits_says_which_one_and_about_which_visit(sold: House) -> None:
    page = visit(sold)

    shown = late(sold, signed_in(sold, language="fr"), page, f"{page}/decision", decision="approved")

    assert "Décision\N{NO-BREAK SPACE}: approuvée" in shown
    assert f'<a href="{page}">sale\N{NO-BREAK SPACE}: ' in shown


def test_a_decision_about_a_pair_that_waits_names_the_two(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    number = shown_of(house.baraka.get("matches?list=people"))["matches"][0]["id"]
    page = f"/projects/{house.pid}/duplicates/{number}"

    shown = late(house, signed_in(house, language="fr"), page, page, decision="different", reason="Deux sœurs")

    assert "Décision\N{NO-BREAK SPACE}: deux personnes" in shown
    assert "Dieneba Koulibali" in shown
    assert "Deux sœurs" in shown


def test_answers_that_wait_are_called_as_their_questions_are(sold: House) -> None:
    page, client = f"{visit(sold)}/edit", signed_in(sold, language="fr")

    shown = late(sold, client, page, page, act="check", **{"/data/seller": "Awa Diarra"})

    assert "/data/seller</dt>" not in shown
    assert "<ins>Awa Diarra</ins>" in shown
    assert f'<a href="{visit(sold)}">' in shown


def test_who_may_not_do_it_any_more_is_told_nothing_about_it(sold: House) -> None:
    client, page = signed_in(sold, language="fr"), visit(sold)
    hidden = Page(read(client, page)).hidden
    end_sessions(sold)
    asked = client.post(f"{page}/decision", data={**hidden, "decision": "approved"})
    with sold.app.app_context():
        begin_writing(session())
        session().execute(update(Assignment).values(role="viewer"))
        session().commit()

    shown = sign_in(client, asked, "baraka").get_data(as_text=True)

    assert "Pas encore envoyé" in shown
    assert page not in Page(shown).links
