"""A coordinator looks at the indicators, asks why one changed, and issues the statement."""

import datetime as dt

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STATEMENT = "# Vendu\n\n{{ sacks }} sacs.\n"


def test_from_the_indicators_to_why_one_changed_and_the_statement_that_is_issued(house: House, page: Page) -> None:
    house.amina.send(a_sale(1, sacks=4), a_sale(2, sacks=9, village="Kalassa"))
    house.djeneba.put("statements/results/fr", data=STATEMENT)
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.goto(f"{base}/projects/{house.pid}/indicators?period=all")
        page.get_by_role("cell", name="13,0").first.wait_for()
        page.locator("svg.chart-spark").first.wait_for()
        assert faults_of(page) == []

        page.get_by_role("table").get_by_role("link").first.click()
        page.get_by_role("link", name="Pourquoi a-t-il changé ?").click()
        page.get_by_label("Du", exact=True).fill((dt.date.today() - dt.timedelta(days=1)).isoformat())
        page.get_by_role("button", name="Afficher").click()
        expect(page.get_by_role("link", name="Visites arrivées")).to_be_visible()
        assert faults_of(page) == []

        page.goto(f"{base}/projects/{house.pid}/statements")
        assert faults_of(page) == []
        page.get_by_role("main").get_by_role("link", name="Vendu").click()
        assert faults_of(page) == []
        page.get_by_role("link", name="L’émettre…").click()
        assert faults_of(page) == []
        page.get_by_label("Titre").fill("Mi-parcours")
        page.get_by_role("button", name="L’émettre").click()
        expect(page.get_by_role("main")).to_contain_text("Mi-parcours")
        assert faults_of(page) == []
        page.get_by_role("link", name="Qu’est-ce qui serait différent aujourd’hui ?").click()
        expect(page.get_by_role("main")).to_contain_text("Aucun chiffre")
        assert faults_of(page) == []
