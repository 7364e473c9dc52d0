"""A coordinator prints a statement, keeps a Word template and gives tablets their places."""

import io
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PLACES = "code,name,level,parent,latitude,longitude,aliases\nKA,Kati,cercle,,,,\nSI,Siby,commune,KA,,,\n"


def test_a_statement_on_paper_has_notes_and_no_navigation(house: House, page: Page) -> None:
    house.amina.send(a_sale(1, sacks=4))
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.goto(f"{base}/projects/{house.pid}/statements/results")
        expect(page.get_by_text("D’où viennent les chiffres")).to_be_hidden()

        page.emulate_media(media="print")

        expect(page.get_by_text("D’où viennent les chiffres")).to_be_visible()
        expect(page.get_by_role("navigation").first).to_be_hidden()
        expect(page.get_by_role("button", name="Imprimer")).to_be_hidden()


def test_a_submission_on_paper_has_its_answers_and_nothing_to_fill_in(house: House, page: Page) -> None:
    house.amina.send(a_sale(1, seller="Awa"))
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/submissions")
        page.locator("tbody a").first.click()
        expect(page.get_by_role("heading", name="Décider")).to_be_visible()

        page.emulate_media(media="print")

        expect(page.get_by_text("Awa", exact=True)).to_be_visible()
        expect(page.get_by_role("heading", name="Décider")).to_be_hidden()
        expect(page.get_by_role("textbox")).to_have_count(0)


def test_a_template_is_kept_and_places_are_given_by_page(house: House, page: Page, tmp_path: Path) -> None:
    house.djeneba.put("places", data=PLACES, headers={"Content-Type": "text/csv"})
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.goto(f"{base}/projects/{house.pid}/word-templates")
        assert faults_of(page) == []
        with page.expect_download() as example:
            page.get_by_role("link", name="Un exemple pour commencer").click()
        content = Path(example.value.path()).read_bytes()
        assert io.BytesIO(content).read(2) == b"PK"
        page.get_by_label("Document Word").set_input_files(
            {"name": "modele.docx", "mimeType": "application/octet-stream", "buffer": content}
        )
        page.get_by_role("button", name="Garder").click()
        page.get_by_text("Le modèle est enregistré").wait_for()
        assert faults_of(page) == []

        page.goto(f"{base}/projects/{house.pid}/devices")
        assert faults_of(page) == []
        page.get_by_label("Choisir Amina").check()
        page.get_by_role("button", name="Lieux des appareils choisis").click()
        page.get_by_label("Lieux ; plusieurs").select_option("KA")
        page.get_by_role("button", name="Voir ce qui changerait").click()
        page.get_by_role("heading", name="Ce qui changerait").wait_for()
        assert faults_of(page) == []
        page.get_by_role("button", name="Donner ces lieux").click()
        page.get_by_role("button", name="Annuler").wait_for()
        assert faults_of(page) == []
