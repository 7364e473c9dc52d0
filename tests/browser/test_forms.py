"""A coordinator reads the overview; an administrator uploads a workbook, looks it through, and publishes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import SALE, a_sale
from tests.support.web import House
from tests.support.workbooks import a_workbook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PLACES = "code,name,level,parent,latitude,longitude,aliases\nK,Koulikoro,region,,12.86,-7.56,Siby\n"


def test_the_overview_is_whole_once_its_parts_have_come(house: House, page: Page) -> None:
    house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"})
    house.amina.send(a_sale(1, seller="<b>Awa</b>"), a_sale(2))
    with served(house.app) as base:
        sign_in(page, base)
        assert faults_of(page) == []

        page.goto(f"{base}/projects/{house.pid}")
        page.get_by_role("heading", name="Par jour").wait_for()
        page.get_by_text("appareil", exact=False).first.wait_for()
        page.locator(".later").first.wait_for(state="detached")
        expect(page.locator(".later")).to_have_count(0)

        expect(page.get_by_role("img", name="Soumissions par jour")).to_be_visible()
        expect(page.get_by_role("rowheader", name="sale")).to_be_visible()
        assert faults_of(page) == []

        page.goto(f"{base}/projects/{house.pid}/overview/arrivals")
        assert faults_of(page) == []
        page.goto(f"{base}/docs/api")
        assert faults_of(page) == []


def test_a_workbook_is_uploaded_looked_through_and_published(house: House, page: Page, tmp_path: Path) -> None:
    workbook = tmp_path / "sale.xlsx"
    workbook.write_bytes(a_workbook("sale", "2", SALE.replace("| Village   |", f"| Hameau{'x' * 400} |")))
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.goto(f"{base}/projects/{house.pid}/forms")
        assert faults_of(page) == []
        page.get_by_role("link", name="Téléverser un classeur").click()
        page.get_by_label("Classeur").set_input_files(workbook)
        page.get_by_role("button", name="Téléverser et vérifier").click()
        page.get_by_role("heading", name="Avertissements").wait_for()
        assert faults_of(page) == []

        page.get_by_role("link", name="Accepter et continuer").click()
        page.get_by_role("link", name="Publier…").wait_for()
        page.locator("#found").wait_for(state="attached")
        assert faults_of(page) == []

        page.get_by_role("link", name="Voir les questions").click()
        expect(page.get_by_text("Hameau").first).to_be_visible()
        assert faults_of(page) == []
        page.go_back()
        page.get_by_role("link", name="Ce que change le brouillon").click()
        expect(page.locator("ins", has_text="Hameau")).to_be_visible()
        assert faults_of(page) == []
        page.go_back()
        page.get_by_role("link", name="Publier…").click()
        assert faults_of(page) == []
        page.get_by_role("button", name="Publier").click()
        page.get_by_role("status").wait_for()
        assert faults_of(page) == []
