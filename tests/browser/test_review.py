"""A coordinator goes through what came in with the keyboard, and finds a submission again by its filters."""

import time
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from server.api.review import decide_many
from server.pages.submissions import review as review_pages
from sync.review.bulk import Reviewed
from tests.browser.conftest import a_page
from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale, instance_id
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def states(house: House) -> list[str | None]:
    found = {row["instance_id"]: row["reviewState"] for row in shown(house.baraka.get("review"))["submissions"]}
    return [found[instance_id(sale)] for sale in (1, 2, 3)]


def test_the_queue_is_gone_through_with_keys_alone(house: House, page: Page) -> None:
    house.amina.send(a_sale(1), a_sale(2, seller="<b>Awa</b>" * 20), a_sale(3, sacks=-4))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/review")
        expect(page.locator(".wrongs").get_by_text("contrainte non respectée")).to_be_visible()
        assert faults_of(page) == []

        page.keyboard.press("2")
        page.get_by_role("status").wait_for()
        assert faults_of(page) == []
        assert states(house) == [None, None, "hasIssues"]

        page.keyboard.press("a")
        page.get_by_text("1 à revoir").wait_for()
        page.keyboard.press("u")
        page.get_by_text("2 à revoir").wait_for()
        assert states(house) == [None, None, "hasIssues"]

        page.keyboard.press("j")
        page.wait_for_url("**after=*")
        page.keyboard.press("r")
        page.get_by_text("C’était la dernière").wait_for()
        assert states(house) == ["rejected", None, "hasIssues"]


def test_keys_that_were_switched_off_press_nothing_and_are_not_told(house: House, page: Page) -> None:
    house.amina.send(a_sale(1), a_sale(2), a_sale(3))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/review")
        switch = page.get_by_label("Une touche seule actionne un bouton").locator("visible=true")
        switch.uncheck()
        page.reload()

        expect(switch).not_to_be_checked()
        expect(page.locator("kbd").locator("visible=true")).to_have_count(0)
        page.locator("h1").click()
        page.keyboard.press("a")
        page.get_by_role("button", name="Se déconnecter").click()
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/review")
        page.keyboard.press("r")
        assert faults_of(page) == []
        assert states(house) == [None, None, None]

        page.get_by_text("Aide", exact=True).click()
        expect(page.get_by_text("Touches : a")).to_be_hidden()
        switch.last.check()
        page.locator("h1").click()
        page.keyboard.press("a")
        expect(page.get_by_role("status")).to_be_focused()
        assert faults_of(page) == []
        page.keyboard.press("u")
        expect(page.get_by_role("status").filter(has_text="Annulé. Elle est maintenant : reçue")).to_be_focused()


def test_on_a_phone_sending_back_leads_into_the_comment_in_sight_of_its_button(house: House, browser: Browser) -> None:
    house.amina.send(a_sale(1, remark="mil " * 80), a_sale(2))
    for page in a_page(browser, "phone"):
        with served(house.app) as base:
            sign_in(page, base)
            page.goto(f"{base}/projects/{house.pid}/review")
            page.get_by_role("link", name="Renvoyer").click()
            own = page.get_by_label("ou avec vos propres mots")
            expect(own).to_be_focused()
            page.keyboard.type("Combien de sacs ?")
            button = page.get_by_role("button", name="Renvoyer", exact=True)
            for seen in (own, button):
                expect(seen).to_be_in_viewport(ratio=1)
            button.click()
            page.get_by_role("status").wait_for()

    assert sorted(filter(None, (row["reviewState"] for row in shown(house.baraka.get("review"))["submissions"]))) == [
        "hasIssues"
    ]


def test_a_submission_is_found_by_a_filter_and_sent_back_in_own_words(house: House, page: Page) -> None:
    house.amina.send(a_sale(1), a_sale(2, sacks=-4, remark="mil " * 80))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/submissions")
        page.get_by_text("Filtres").click()
        assert faults_of(page) == []

        page.locator("select[name=state]").select_option("flagged")
        page.wait_for_url("**state=flagged**")
        page.locator("tbody a").click()
        assert faults_of(page) == []

        page.get_by_label("ou avec vos propres mots").fill("Combien de sacs ?")
        page.get_by_role("button", name="Renvoyer", exact=True).click()
        expect(page.get_by_role("status").get_by_text("à corriger")).to_be_visible()

        page.goto(f"{base}/projects/{house.pid}/review/many?state=received")
        page.get_by_role("radio", name="approuvée").check()
        page.get_by_role("button", name="Qu’est-ce qui changerait ?").click()
        page.get_by_text("1 soumission changerait").wait_for()
        assert faults_of(page) == []
        page.goto(f"{base}/projects/{house.pid}/submissions")
        page.go_back()
        expect(page.get_by_text("1 soumission changerait")).to_be_visible()


def test_what_takes_long_shows_that_it_is_being_worked_on(
    house: House, desk_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.amina.send(a_sale(1))

    def slowly(*given: Any, **named: Any) -> Reviewed:
        time.sleep(3)
        return decide_many(*given, **named)

    monkeypatch.setattr(review_pages, "decide_many", slowly)
    with served(house.app) as base:
        sign_in(desk_page, base)
        desk_page.goto(f"{base}/projects/{house.pid}/review/many")
        desk_page.get_by_role("radio", name="rejetée").check()
        # Playwright looks at no page that another one is about to follow.
        desk_page.evaluate(
            "new MutationObserver(() => { sessionStorage.seen = document.querySelector('.working')?.innerText; })"
            ".observe(document.body, { childList: true, subtree: true })"
        )

        desk_page.get_by_role("button", name="Qu’est-ce qui changerait ?").click()

        expect(desk_page.get_by_role("heading", name="1 soumission changerait")).to_be_visible()
        assert "Travail en cours" in desk_page.evaluate("sessionStorage.seen")
        expect(desk_page.get_by_text("Travail en cours")).to_have_count(0)


def test_a_search_goes_on_by_itself_and_the_way_back_leads_to_what_it_has_found(
    house: House, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 1)
    monkeypatch.setattr("server.pages.submissions.searching._SECONDS", 0)
    house.amina.send(*(a_sale(number, village="Kita" if number in (2, 6) else "Siby") for number in range(1, 8)))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/submissions?words=Kita")

        page.get_by_text("7 soumissions parcourues, c’est-à-dire toutes.").wait_for()
        expect(page.locator("tbody tr")).to_have_count(2)
        expect(page.get_by_text("2 résultats")).to_be_visible()
        assert faults_of(page) == []

        page.locator("tbody a").last.click()
        page.get_by_role("heading", name="Réponses").wait_for()
        page.go_back()
        page.get_by_text("2 résultats").wait_for()
        expect(page.locator("tbody tr")).to_have_count(2)


def test_a_search_keeps_the_focus_and_is_stopped_where_it_has_come(
    house: House, desk_page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 1)
    monkeypatch.setattr("server.pages.submissions.searching._SECONDS", 0)
    house.amina.send(*(a_sale(number, village="Kita" if number in (2, 39, 40) else "Siby") for number in range(1, 41)))
    with served(house.app) as base:
        sign_in(desk_page, base)
        desk_page.goto(f"{base}/projects/{house.pid}/submissions?words=Kita")
        first, stop, told = (desk_page.locator(one) for one in ("tbody a >> nth=0", "#stop", "#told"))
        kept = first.element_handle()
        first.focus()
        told.get_by_text("40 soumissions parcourues").wait_for()
        expect(desk_page.locator("tbody tr")).to_have_count(3)
        assert kept is not None
        assert kept.evaluate("link => link === document.activeElement")
        expect(stop).to_be_hidden()

        desk_page.goto(f"{base}/projects/{house.pid}/submissions?words=Kita")
        stop.focus()
        expect(told).to_be_focused()

        desk_page.goto(f"{base}/projects/{house.pid}/submissions?words=Kita")
        stop.click()
        desk_page.wait_for_url("**by=hand*")
        further = desk_page.get_by_role("link", name="Chercher plus loin")
        expect(further).to_be_visible()
        assert faults_of(desk_page) == []
