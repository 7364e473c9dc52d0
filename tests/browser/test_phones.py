"""Every kind of page on a phone, with long names and long words."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import a_page
from tests.support.browsing import misfits_of, sign_in
from tests.support.busy import lengthen, make_busy
from tests.support.crawling import pages_of_each_kind, routes
from tests.support.live import served
from tests.support.pages import signed_in
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_every_page_fits_and_everything_on_it_can_be_pressed_and_seen(
    house: House, browser: Browser, tmp_path: Path
) -> None:
    make_busy(house)
    lengthen(house)
    client = signed_in(house, "djeneba", "fr")

    def ask(address: str) -> str | None:
        answer = client.get(address)
        text = answer.get_data(as_text=True) if answer.mimetype == "text/html" else ""
        return text if answer.status_code == 200 and "<html" in text else None

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
