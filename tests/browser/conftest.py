"""A real browser, started once for each process of the tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.api.conftest import house as house
from tests.support.machine import REMEDIES, find_chromium

SIZES = {"desk": (1280, 800), "phone": (360, 740)}
_PATIENCE = 30_000  # milliseconds: a machine that does much else is slow, not wrong


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        pytest.fail(f"These tests need a browser. {REMEDIES['chromium']}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(params=list(SIZES))
def page(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Page]:
    """A page of a French coordinator, at a desk and on a phone. Whatever the page complains about fails the test."""
    yield from a_page(browser, request.param)


@pytest.fixture
def desk_page(browser: Browser) -> Iterator[Page]:
    """The same at a desk alone, for what has to be tried only once."""
    yield from a_page(browser, "desk")


def a_page(browser: Browser, size: str) -> Iterator[Page]:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, locale="fr-FR", color_scheme="light")
    context.set_default_timeout(_PATIENCE)
    expect.set_options(timeout=_PATIENCE)
    complaints: list[str] = []
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    context.close()
    assert complaints == []
