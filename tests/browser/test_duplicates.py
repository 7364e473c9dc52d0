"""A coordinator goes through duplicates with the keyboard, and empties the quarantine."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import a_sale
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_pair_is_decided_with_one_key_and_taken_back_with_another(house: House, page: Page) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali", group="<b>Benkadi</b>" * 9))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/duplicates")
        page.get_by_text("à trancher", exact=False).locator("visible=true").first.wait_for()
        assert faults_of(page) == []

        page.locator("summary", has_text="Filtres").press("Enter")
        page.locator("details.filters[open]").wait_for()
        page.locator("h1").click()
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Une personne ou deux ?").wait_for()
        assert faults_of(page) == []
        page.get_by_role("heading", name="Une personne ou deux ?").click()
        page.keyboard.press("s")
        page.get_by_text("la même personne.").wait_for()
        assert faults_of(page) == []

        page.keyboard.press("u")
        page.get_by_role("button", name="La même personne").wait_for()
        expect(page.get_by_role("status").filter(has_text="La décision est annulée")).to_be_focused()
        assert faults_of(page) == []
        page.get_by_role("link", name="La personne dans son ensemble").first.click()
        page.get_by_role("heading", name="Décisions et paires possibles").wait_for()
        assert faults_of(page) == []
    assert [one["state"] for one in shown(house.baraka.get("matches?list=people"))["matches"]] == ["open"]


def test_the_buttons_of_a_pair_lie_over_nothing_at_a_desk(house: House, desk_page: Page) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    with served(house.app) as base:
        sign_in(desk_page, base)
        desk_page.goto(f"{base}/projects/{house.pid}/duplicates/next")

        expect(desk_page.get_by_role("button", name="La même personne")).to_be_in_viewport(ratio=0.9)
        for height in range(500, 820, 60):
            desk_page.set_viewport_size({"width": 1280, "height": height})
            assert (height, faults_of(desk_page)) == (height, [])


def test_what_waits_is_read_and_discarded(house: House, page: Page) -> None:
    house.amina.send(a_sale(1, version="9", seller="a" * 400))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/quarantine")
        assert faults_of(page) == []

        page.locator("tbody a").first.click()
        page.get_by_role("heading", name="Ce qui a été envoyé").wait_for()
        assert faults_of(page) == []
        page.locator("summary", has_text="Écarter").click()
        page.get_by_label("Pourquoi l’écarter").fill("un essai")
        page.get_by_role("button", name="Écarter").click()
        page.get_by_text("est écarté").first.wait_for()
        assert faults_of(page) == []
