"""Somebody looks after the own account, a coordinator after the devices, in a real browser."""

import pytest
from playwright.sync_api import Page

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_account_team_devices_and_settings_can_be_used_at_a_desk_and_on_a_phone(house: House, page: Page) -> None:
    house.amina.send(a_sale(1))
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.get_by_role("link", name="Mon compte").click()
        page.get_by_role("heading", name="Mon compte").wait_for()
        assert faults_of(page) == []

        page.get_by_role("button", name="Mettre en place un deuxième facteur").click()
        page.get_by_role("heading", name="Deuxième facteur").wait_for()
        assert faults_of(page) == []

        project = f"{base}/projects/{house.pid}"
        for path in ("team", "team/trail", "devices", "exports", "settings", "settings/webhooks"):
            page.goto(f"{project}/{path}")
            assert (path, faults_of(page)) == (path, [])

        page.goto(f"{project}/devices")
        page.locator("tbody a").first.click()
        page.get_by_role("heading", name="Ses dernières soumissions").wait_for()
        assert faults_of(page) == []
