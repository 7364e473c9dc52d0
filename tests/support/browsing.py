"""What tests do with a page in a real browser."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.web import PASSWORD

_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
}
_TARGETS = {"runOnly": {"type": "rule", "values": ["target-size"]}}
# From the top and from the bottom: what comes into sight comes from either side.
_HIDDEN = """(() => {
  const all = [...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")];
  const found = new Set();
  for (const one of [...all, ...all.toReversed()]) {
    one.focus();
    const box = one.getBoundingClientRect();
    if (document.activeElement !== one || box.width < 2) continue;
    const seen = [0.1, 0.5, 0.9].some((x) => [0.1, 0.5, 0.9].some((y) => {
      const there = document.elementFromPoint(box.left + x * box.width, box.top + y * box.height);
      return there && (one.contains(there) || there.contains(one) && !there.matches("main, body, html"));
    }));
    if (!seen) found.add(`hidden while it has the focus: ${one.outerHTML.slice(0, 200)}`);
  }
  return [...found];
})()"""
_STICKING_OUT = """[...document.body.querySelectorAll("*")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth + 1 && !one.closest(".wide, .sections"))
  .map((one) => `sticking out: ${one.outerHTML.slice(0, 200)}`).slice(-3)"""
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
    _come_to_rest(page)
    return [*_broken_rules(page, _RULES), *_too_wide(page)]


def misfits_of(page: Page) -> list[str]:
    """What of a page, with all of it folded out, is wider than the screen, too small to be pressed, or hidden behind
    what stays in its place when it has the focus."""
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    _come_to_rest(page)
    return [*_broken_rules(page, _TARGETS), *page.evaluate(_HIDDEN), *_too_wide(page)]


def _come_to_rest(page: Page) -> None:
    page.wait_for_load_state()  # by then all parts that come after the page are asked for
    # Not by a function for the page to evaluate, which its policy forbids.
    expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)


def _broken_rules(page: Page, rules: dict[str, Any]) -> list[str]:
    found = _axe.run(page, options=rules).response["violations"]
    return [f"{fault['id']}: {node['html'][:200]}" for fault in found for node in fault["nodes"]]


def _too_wide(page: Page) -> list[str]:
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return [f"{wide} pixels wider than the screen", *page.evaluate(_STICKING_OUT)] if wide > 0 else []
