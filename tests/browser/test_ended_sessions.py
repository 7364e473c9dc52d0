"""A session ends in the middle of typing: what was typed is there again for the same person, and for nobody else."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import update

from server.db import session
from sync.models import Token
from sync.models.database import begin_writing
from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import PASSWORD, House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
AGAIN = "Ce que vous aviez saisi est de nouveau là"


def end_sessions(house: House) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Token).values(last_used_at=dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
        session().commit()


def sign_in_here(page: Page, name: str = "djeneba") -> None:
    page.get_by_label("Adresse e-mail").fill(f"{name}@example.org")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()


@contextmanager
def at_a_visit(house: House, page: Page) -> Iterator[tuple[str, str]]:
    """Signed in, at the page of the one visit that there is: the server's address, and the page's."""
    house.amina.send(a_sale(1))
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        yield base, first_visit(page, base, house)


def first_visit(page: Page, base: str, house: House) -> str:
    page.goto(f"{base}/projects/{house.pid}/submissions")
    page.locator("main table a").first.click()
    expect(page.get_by_label("Votre commentaire")).to_be_visible()
    return page.url


def test_all_fields_of_a_form_are_there_again_until_they_are_sent(house: House, page: Page) -> None:
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        settings = f"{base}/projects/{house.pid}/settings"
        page.goto(settings)
        page.get_by_label("Nom", exact=True).fill("Karité de Siby")
        page.get_by_label("Les chiffres comptent").select_option("approved")
        page.get_by_label("Description").fill("Deux\nlignes")
        end_sessions(house)

        page.reload()
        sign_in_here(page)

        expect(page.get_by_text(AGAIN)).to_be_visible()
        expect(page.get_by_label("Nom", exact=True)).to_have_value("Karité de Siby")
        expect(page.get_by_label("Les chiffres comptent")).to_have_value("approved")
        expect(page.get_by_label("Description")).to_have_value("Deux\nlignes")
        assert faults_of(page) == []

        page.get_by_role("button", name="Enregistrer").click()
        page.get_by_text("Rien n’est encore changé").wait_for()
        page.get_by_role("button", name="Modifier").click()
        page.get_by_role("button", name="Annuler").wait_for()
        page.goto(settings)
        expect(page.get_by_text(AGAIN)).to_have_count(0)


def test_what_was_typed_can_be_dropped_and_is_not_for_somebody_else(house: House, desk_page: Page) -> None:
    with at_a_visit(house, desk_page) as (_base, visit):
        comment = desk_page.get_by_label("Votre commentaire")
        comment.fill("Vu sur place")
        end_sessions(house)
        desk_page.reload()
        sign_in_here(desk_page, "baraka")
        expect(comment).to_have_value("")
        end_sessions(house)
        desk_page.reload()
        sign_in_here(desk_page)
        expect(comment).to_have_value("Vu sur place")

        desk_page.get_by_role("button", name="L’abandonner").click()

        expect(comment).to_have_value("")
        desk_page.goto(visit)
        expect(comment).to_have_value("")


def test_what_was_sent_too_late_is_sent_with_one_click_after_signing_in(house: House, page: Page) -> None:
    with at_a_visit(house, page) as (_base, visit):
        page.get_by_label("Votre commentaire").fill("Vu sur place")
        end_sessions(house)
        page.get_by_role("button", name="Commenter").click()
        expect(page.get_by_role("status")).to_contain_text("ce que vous aviez rempli est là")
        assert faults_of(page) == []
        sign_in_here(page)
        expect(page.get_by_role("heading", name="Pas encore envoyé")).to_be_visible()
        assert faults_of(page) == []

        page.get_by_role("button", name="L’envoyer maintenant").click()

        expect(page.locator("#comments, main").get_by_text("Vu sur place").first).to_be_visible()
        page.goto(visit)
        expect(page.get_by_label("Votre commentaire")).to_have_value("")


def test_parts_of_a_page_have_the_whole_page_sign_in_and_come_back(house: House, page: Page) -> None:
    with at_a_visit(house, page) as (base, _visit):
        indicators = f"{base}/projects/{house.pid}/indicators"
        page.route("**/indicators/**", lambda route: (end_sessions(house), route.continue_()))
        page.goto(indicators)

        page.wait_for_url("**/sign-in**")
        expect(page.get_by_role("heading", name="Se connecter")).to_have_count(1)
        assert faults_of(page) == []
        page.unroute("**/indicators/**")
        sign_in_here(page)

        page.wait_for_url(indicators)
        page.wait_for_load_state("networkidle")


def test_what_did_not_arrive_is_there_again(house: House, page: Page) -> None:
    with at_a_visit(house, page) as (base, visit):
        comment = page.get_by_label("Votre commentaire")
        comment.fill("Vu sur place")
        page.route("**/comments", lambda route: route.abort())
        page.get_by_role("button", name="Commenter").click()
        page.wait_for_url("chrome-error://**")
        page.unroute("**/comments")

        page.goto(f"{base}/projects/{house.pid}/submissions")
        page.goto(visit)

        expect(page.get_by_text(AGAIN)).to_be_visible()
        expect(comment).to_have_value("Vu sur place")
        of_a_proxy = "<h1>Maintenance</h1>"
        page.route("**/comments", lambda route: route.fulfill(body=of_a_proxy, content_type="text/html"))
        page.get_by_role("button", name="Commenter").click()
        page.get_by_role("heading", name="Maintenance").wait_for()
        page.unroute("**/comments")
        page.goto(base)
        page.goto(visit)
        expect(comment).to_have_value("Vu sur place")

        page.get_by_role("button", name="Commenter").click()

        page.wait_for_url("**/submissions/*?done=commented*")
        page.goto(visit)
        expect(comment).to_have_value("")


def test_signing_in_in_another_tab_leaves_what_the_first_one_carries(house: House, page: Page) -> None:
    with at_a_visit(house, page) as (base, visit):
        page.get_by_label("Votre commentaire").fill("Vu sur place")
        end_sessions(house)
        another = page.context.new_page()
        another.goto(base)
        page.get_by_role("button", name="Commenter").click()
        expect(page.get_by_role("status")).to_contain_text("ce que vous aviez rempli est là")

        sign_in_here(another)
        another.get_by_role("button", name="Se déconnecter").wait_for()
        another.goto(visit)

        comment = another.get_by_label("Votre commentaire")
        expect(comment).to_have_value("Vu sur place")
        sign_in_here(page)
        page.get_by_role("button", name="L’envoyer maintenant").click()
        page.wait_for_url("**/submissions/*?done=commented*")
        another.goto(visit)
        expect(comment).to_have_value("")


def test_a_damaged_entry_harms_nothing_else(house: House, page: Page) -> None:
    with at_a_visit(house, page) as (_base, visit):
        for number, damaged in enumerate(("null", "{", "7", "{}")):
            page.evaluate(f"localStorage.setItem('siby:typed:{number}:/x:0', '{damaged}')")
        page.get_by_label("Votre commentaire").fill("Vu sur place")

        page.goto(visit)

        expect(page.get_by_label("Votre commentaire")).to_have_value("Vu sur place")
        assert page.evaluate("Object.keys(localStorage).filter((name) => name.endsWith('/x:0')).length") == 0
