"""A coordinator signs in, reads a statement, and follows a figure down to a visit."""

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STATEMENT = "# Vendu\n\n{{ sacks }} sacs.\n"


def test_a_figure_of_the_statement_opens_down_to_the_visit(house: House, page: Page) -> None:
    house.amina.send(a_sale(1, seller="<b>Awa</b>", sacks=4), a_sale(2, sacks=9))
    house.djeneba.put("statements/results/fr", data=STATEMENT)
    with served(house.app) as base:
        sign_in(page, base)
        assert faults_of(page) == []

        page.get_by_role("banner").get_by_role("link", name="Siby").click()
        page.get_by_role("main").get_by_role("link").first.click()
        assert faults_of(page) == []

        page.get_by_role("link", name="Vendu").click()
        expect(page.get_by_role("heading", name="Vendu")).to_be_visible()
        assert faults_of(page) == []

        page.get_by_role("link", name="13").click()
        assert faults_of(page) == []

        page.locator("tbody a").last.click()
        expect(page.get_by_role("main")).to_contain_text("<b>Awa</b>")
        assert faults_of(page) == []
