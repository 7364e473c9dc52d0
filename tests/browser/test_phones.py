"""Every kind of page on a phone, with long names and long words."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page
from werkzeug.test import TestResponse

from tests.api.test_projects import a_programme
from tests.browser.conftest import a_page
from tests.support.browsing import faults_of, misfits_of, sign_in
from tests.support.busy import WORD, lengthen, make_busy
from tests.support.crawling import pages_of_each_kind, routes
from tests.support.documents import a_template
from tests.support.live import served
from tests.support.pages import signed_in
from tests.support.posting import pages_sent_for
from tests.support.web import House
from tests.support.workbooks import a_workbook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_every_page_fits_and_everything_on_it_can_be_pressed_and_seen(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    make_busy(house)
    lengthen(house)
    ask = partial(text_at, signed_in(house, "djeneba", "fr"))
    addresses = {kind: address for kind, address, _ in pages_of_each_kind(ask, routes(tmp_path))}
    misfits: list[str] = []
    for page in a_page(browser, "phone"):
        with served(house.app) as base:
            sign_in(page, base, "djeneba")
            for kind, address in addresses.items():
                page.goto(base + address)
                misfits += [f"{kind} {address}: {misfit}" for misfit in misfits_of(page)]

    assert misfits == []
    assert len(addresses) > 50


@pytest.mark.timeout(600)
def test_every_page_that_a_form_leads_to_fits_too_and_can_be_read_by_everybody(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    make_busy(house)
    lengthen(house)
    client = signed_in(house, "djeneba", "fr")
    known = routes(tmp_path)
    found = [(address, text) for _, address, text in pages_of_each_kind(partial(text_at, client), known)]
    files = files_to_hand_in(house)
    misfits: list[str] = []
    kinds: set[str] = set()

    for page in a_page(browser, "phone"):
        with served(house.app) as base:
            sign_in(page, base, "djeneba")
            for sent in pages_sent_for(client, known, found, files):
                show(page, base + sent.address, sent.answer)
                misfits += [f"{sent.kind}: {fault}" for fault in (*faults_of(page), *misfits_of(page))]
                kinds.add(sent.kind.partition(" ")[0])

    assert misfits == []
    assert len(kinds) > 30


def text_at(client: FlaskClient, address: str) -> str | None:
    answer = client.get(address)
    text = answer.get_data(as_text=True) if answer.mimetype == "text/html" else ""
    return text if answer.status_code == 200 and "<html" in text else None


def files_to_hand_in(house: House) -> dict[str, list[tuple[str, bytes]]]:
    """For each route that takes some: good ones, some to be warned of, and faulty ones."""
    warned = a_workbook("photo", WORD, f"| survey |\n| type | name | label |\n| image | {WORD} | {WORD} |\n")
    faulty = a_workbook("faulty", "1", f"| survey |\n| type | name | label |\n| {WORD} | {WORD} | ${{{WORD}}} |\n")
    people = f"{WORD},first,last\n{WORD},{WORD},{WORD}\n".encode()
    broken = {"forms__faulty_xxlsx": faulty, "statements__other_xen_xmd": f"{{{{ {WORD} }}}}"}
    return {
        "draft_pages.post_workbook": [
            ("photo.xlsx", warned),
            (f"{WORD}.xlsx", faulty),
            (f"{WORD}.csv", b"no workbook"),
        ],
        "draft_pages.post_draft": [(f"{WORD}.xlsx", faulty)],
        "programme_pages.look": [("good.zip", a_programme()), ("faulty.zip", a_programme(**broken)), ("no.zip", b"no")],
        "list_pages.post_file": [(f"{WORD}.csv", people), (f"{WORD}.csv", b"\xff")],
        "word_templates.post_template": [(f"{WORD}.docx", a_template(f"{{{{ {WORD} }}}}")), ("no.docx", b"no")],
    }


def show(page: Page, address: str, answer: TestResponse) -> None:
    """A page that was the answer to a form, without sending that once more."""
    headers = {name: value for name, value in answer.headers if name not in ("Content-Length", "Set-Cookie")}
    page.route(address, lambda route: route.fulfill(headers=headers, body=answer.get_data()), times=1)
    page.goto(address)
