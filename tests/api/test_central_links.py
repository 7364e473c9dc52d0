"""Links to photos and submissions that were made with ODK Central still lead there."""

from __future__ import annotations

import re

import pytest
from flask.testing import FlaskClient

from tests.support.pages import read, signed_in
from tests.support.projects import a_sale, instance_id
from tests.support.web import PASSWORD, House, shown

JPEG = b"\xff\xd8\xff a photo"


def sent(house: House, name: str, content: bytes) -> str:
    """The address that Central has for a file of a submission."""
    house.amina.send(a_sale(1, photo=name))
    inside = f"projects/{house.pid}/forms/sale/submissions/{instance_id(1).replace(':', '%3A')}/attachments/"
    encoded = name.replace("%", "%25").replace("#", "%23")
    shown(house.baraka.post(f"/v1/{inside}{encoded}", data=content, content_type="image/jpeg"))
    return f"/dl/{inside}{encoded}"


def signs_in_at(client: FlaskClient, page: str) -> str:
    """Signs in where one was led, and gives where it leads on to."""
    hidden = re.search(r'name="next" value="([^"]+)"', client.get(page).get_data(as_text=True))
    assert hidden is not None
    filled = {"email": "baraka@example.org", "password": PASSWORD, "next": hidden[1]}
    return client.post("/sign-in", data=filled).headers["Location"]


@pytest.mark.parametrize("name", ["1.jpg", "50% #1.jpg", "été.jpg"])
def test_an_old_link_to_a_photo_leads_through_the_sign_in_to_the_photo(house: House, name: str) -> None:
    link = sent(house, name, JPEG)
    browser = house.app.test_client()

    away = browser.get(link)
    photo = browser.get(signs_in_at(browser, away.headers["Location"]))

    assert (away.status_code, photo.status_code, photo.data) == (303, 200, JPEG)
    assert (photo.mimetype, photo.headers["Content-Disposition"].split(";")[0]) == ("image/jpeg", "inline")
    assert photo.headers["X-Content-Type-Options"] == "nosniff"
    assert photo.headers["Content-Security-Policy"].startswith("sandbox")


def test_a_spreadsheet_that_was_led_to_the_sign_in_itself_takes_whoever_is_signed_in_on(house: House) -> None:
    link = sent(house, "1.jpg", JPEG)
    led_to = house.app.test_client().get(link).headers["Location"]

    onwards = signed_in(house).get(led_to)

    assert (onwards.status_code, onwards.headers["Location"]) == (303, link)
    assert signed_in(house).get("/sign-in?next=//elsewhere.example/").status_code == 200


@pytest.mark.parametrize("content", [b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"<html>", b"a photo", b"II*\0"])
def test_what_is_no_plain_picture_is_saved_and_never_shown(house: House, content: bytes) -> None:
    file = signed_in(house).get(sent(house, "1.jpg", content))

    assert (file.status_code, file.data) == (200, content)
    assert file.headers["Content-Disposition"].startswith("attachment")


def test_an_old_link_is_for_those_who_may_see_photos(house: House) -> None:
    link = sent(house, "1.jpg", JPEG)

    assert signed_in(house, "fanta").get(link).status_code == 403
    assert signed_in(house, "coumba").get(link).status_code == 404
    assert signed_in(house).get(link.replace("1.jpg", "2.jpg")).status_code == 404
    assert signed_in(house).get(link.replace("/sale/", "/other/")).status_code == 404


def test_an_old_link_to_a_submission_leads_to_its_page(house: House) -> None:
    submission = sent(house, "1.jpg", JPEG).removeprefix("/dl").partition("/attachments/")[0]
    browser = signed_in(house)

    led = browser.get(submission)

    assert led.status_code == 302
    assert "1.jpg" in read(browser, led.headers["Location"])
    assert signed_in(house, "coumba").get(submission).status_code == 404
