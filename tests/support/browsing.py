"""What tests do with a page in a real browser."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.web import PASSWORD

_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
_axe = Axe()


def sign_in(page: Page, base: str, name: str = "baraka") -> None:
    """By the form, as a person does."""
    page.goto(f"{base}/sign-in")
    page.get_by_label("Adresse e-mail").fill(f"{name}@example.org")
    page.get_by_label("Mot de passe").fill(PASSWORD)
    page.get_by_role("button", name="Se connecter").click()
    page.get_by_role("button", name="Se déconnecter").wait_for()


def faults_of(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is now; and whether it is wider than the screen."""
    page.wait_for_load_state("networkidle")  # parts of a page come after it
    # Not by a function for the page to evaluate, which its policy forbids.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
    found = _axe.run(page, options=_RULES).response["violations"]
    faults = [f"{fault['id']}: {node['html'][:200]}" for fault in found for node in fault["nodes"]]
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [*faults, f"{wide} pixels wider than the screen"] if wide > 0 else faults
