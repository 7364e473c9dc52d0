"""A coordinator corrects a visit at her desk: a question appears, a session ends in the middle, nothing is lost."""

import pytest
from playwright.sync_api import Page, expect

from server.db import session
from sync.journal import open_journal
from sync.projects.publish import publish_form
from tests.support.browsing import faults_of, sign_in
from tests.support.live import served
from tests.support.projects import NOON, a_sale, workbook_of
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VISIT = """
    | survey            |       |             |                  |            |
    | type              | name  | label       | relevant         | constraint |
    | text              | who   | Nom         |                  |            |
    | select_one yes_no | sold  | Vendu ?     |                  |            |
    | integer           | sacks | Sacs        | ${sold} = 'yes'  | . < 100    |
    | geopoint          | spot  | Position    |                  |            |
    | begin repeat      | field | Champ       |                  |            |
    | decimal           | area  | Surface     |                  |            |
    | end repeat        | field |             |                  |            |
    | choices           |       |             |                  |            |
    | list_name         | name  | label       |                  |            |
    | yes_no            | yes   | Oui         |                  |            |
    | yes_no            | no    | Non         |                  |            |
"""


def test_a_visit_is_corrected_and_what_was_typed_outlives_the_session(house: House, page: Page) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("visit", "1", VISIT))
        journal.close()
        session().commit()
    answers = {"who": "Awa", "sold": "no", "spot": "12.38 -8.33 0 0", "field": [{"area": 1.5}]}
    house.amina.send(a_sale(1, form="visit") | {"answers": answers})
    number = shown(house.baraka.get("review"))["submissions"][0]["id"]
    with served(house.app) as base:
        sign_in(page, base)
        page.goto(f"{base}/projects/{house.pid}/submissions/{number}")
        assert faults_of(page) == []

        page.get_by_role("link", name="Modifier les réponses").click()
        page.get_by_label("Nom").fill("Bintou")
        page.get_by_label("Oui").check()
        page.get_by_label("Sacs").fill("500")
        expect(page.get_by_label("Nom")).to_have_value("Bintou")
        assert faults_of(page) == []

        page.reload()
        page.get_by_role("button", name="Reprendre ma saisie").click()
        expect(page.get_by_label("Nom")).to_have_value("Bintou")
        page.get_by_role("button", name="Ajouter : Champ").click()
        page.get_by_label("Surface").nth(1).fill("2.5")
        page.get_by_role("button", name="Voir ce qui changerait").click()
        expect(page.get_by_role("alert")).to_contain_text("Des règles sont enfreintes")
        assert faults_of(page) == []

        page.get_by_label("Sacs").fill("50")
        page.get_by_role("button", name="Voir ce qui changerait").click()
        page.get_by_label("Pourquoi ce changement").fill("Vu sur le cahier")
        assert faults_of(page) == []
        page.get_by_role("button", name="Enregistrer comme nouvelle version").click()

        expect(page.get_by_role("status")).to_contain_text("version 2")
        assert faults_of(page) == []
        page.goto(f"{base}/projects/{house.pid}/submissions/{number}/edit")
        expect(page.get_by_role("button", name="Reprendre ma saisie")).to_be_hidden()
        expect(page.get_by_label("Nom")).to_have_value("Bintou")

        page.get_by_label("Nom").fill("Kadia")
        page.get_by_role("button", name="Se déconnecter").click()
        expect(page.get_by_label("Mot de passe")).to_be_visible()
        assert page.evaluate("Object.keys(localStorage).filter((name) => name.startsWith('siby:'))") == []
