"""An administrator goes through settings, webhooks, a programme and the bin, in a real browser."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.api.test_projects import a_programme
from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import a_sale
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_settings_webhooks_and_the_bin_can_be_used_at_a_desk_and_on_a_phone(house: House, page: Page) -> None:
    house.amina.send(a_sale(1))
    [row] = shown(house.baraka.get("review"))["submissions"]
    house.djeneba.delete(f"forms/sale/submissions/{row['instance_id']}")
    with served(house.app) as base:
        project = f"{base}/projects/{house.pid}"
        sign_in(page, base, "djeneba")

        page.goto(f"{project}/settings")
        page.get_by_label("Les chiffres comptent").select_option("approved")
        page.get_by_role("button", name="Enregistrer").click()
        page.get_by_text("Rien n’est encore changé").wait_for()
        assert faults_of(page) == []
        page.get_by_role("button", name="Modifier").click()
        page.get_by_role("button", name="Annuler").click()
        page.get_by_text("de nouveau comme avant").wait_for()

        page.goto(f"{project}/settings/webhooks")
        assert faults_of(page) == []
        page.get_by_label("Adresse").fill("https://example.org/siby")
        page.get_by_role("button", name="Ajouter").click()
        page.get_by_role("heading", name="Webhook ajouté").wait_for()
        assert faults_of(page) == []
        page.get_by_role("link", name="Continuer").click()
        page.get_by_role("button", name="Mettre en pause").click()
        page.get_by_role("button", name="Reprendre").wait_for()
        assert faults_of(page) == []

        page.goto(f"{project}/bin")
        assert faults_of(page) == []
        page.get_by_role("button", name="Rétablir").click()
        page.get_by_text("de nouveau dans les listes").wait_for()
        page.goto(f"{project}/settings/retention")
        assert faults_of(page) == []


def test_a_programme_is_looked_at_and_loaded(house: House, page: Page, tmp_path: Path) -> None:
    (tmp_path / "programme.zip").write_bytes(a_programme())
    with served(house.app) as base:
        sign_in(page, base, "djeneba")
        page.goto(f"{base}/projects/{house.pid}/programme")
        assert faults_of(page) == []

        page.get_by_label("Dossier compressé").set_input_files(tmp_path / "programme.zip")
        page.get_by_role("button", name="Téléverser et vérifier").click()
        page.get_by_role("heading", name="Ce que le programme changerait").wait_for()
        assert faults_of(page) == []
        page.get_by_role("button", name="Charger").click()
        page.get_by_role("heading", name="Le programme est chargé").wait_for()

        assert faults_of(page) == []
