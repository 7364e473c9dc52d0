"""`make screenshots`: each kind of page with the demonstration's data, in French, at a desk and on a phone.

They are there to be looked at: what poor contrast, a cut word or an empty corner looks like no test can say.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

from playwright.sync_api import Page, sync_playwright

from bench.installation import free_port
from tests.browser.conftest import SIZES
from tests.support.crawling import pages_of_each_kind, routes
from tests.support.machine import REMEDIES, find_chromium

SIBY = str(Path(sys.executable).with_name("siby"))
_TALLEST = 3000  # pixels of a picture
_MOST = 300  # pages looked at
_ADMINISTRATOR = "pictures@example.org"


def main() -> int:
    """Writes a picture of each kind of page and says where."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.screenshots", description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("demo-data/siby"), help="an installation, as the demo makes it"
    )
    parser.add_argument("--to", type=Path, default=Path("build/screenshots"), help="where the pictures go")
    chosen = parser.parse_args()
    program = find_chromium()
    if program is None:
        print(REMEDIES["chromium"], file=sys.stderr)
        return 1
    if not chosen.data.exists():
        print(f"{chosen.data} is not there: `make demo ARGS=--no-wait` makes it.", file=sys.stderr)
        return 1
    with serving(chosen.data) as (base, link, folder), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(locale="fr-FR")
        page.goto(link)
        page.get_by_role("button").last.click()
        found = kinds(page, base, folder)
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            (chosen.to / size).mkdir(parents=True, exist_ok=True)
            for kind, address in sorted(found.items()):
                page.goto(base + address, wait_until="networkidle")
                tall = min(_TALLEST, page.evaluate("document.documentElement.scrollHeight"))
                clip = {"x": 0, "y": 0, "width": width, "height": max(tall, height)}
                page.screenshot(path=chosen.to / size / f"{kind}.png", full_page=True, clip=clip)  # type: ignore[arg-type]
        browser.close()
    print(f"{len(found)} kinds of pages, in {len(SIZES)} sizes, are in {chosen.to}.")
    return 0


@contextmanager
def serving(data: Path) -> Iterator[tuple[str, str, Path]]:
    """A copy of the installation, served: its address, a link that signs somebody in, and a folder for scratch."""
    with tempfile.TemporaryDirectory(prefix="siby-pictures-") as scratch:
        folder, port = Path(scratch) / "siby", free_port()
        shutil.copytree(data, folder)
        environment = os.environ | {"SIBY_FOLDER": str(folder)}
        for command in (["migrate"], ["user", "add", _ADMINISTRATOR, "--admin"]):
            subprocess.run([SIBY, *command], env=environment, check=True, capture_output=True)
        asked = [SIBY, "login-link", _ADMINISTRATOR]
        told = subprocess.run(asked, env=environment, check=True, capture_output=True, text=True).stdout
        path = urlsplit(told.split()[-1]).path
        server = subprocess.Popen(
            [SIBY, "serve", "--port", str(port)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        base = f"http://127.0.0.1:{port}"
        try:
            wait_for(f"{base}/sign-in")
            yield base, base + path, Path(scratch)
        finally:
            server.terminate()
            server.wait(30)


def wait_for(address: str) -> None:
    """Until something answers there."""
    for _ in range(200):
        try:
            urlopen(address).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(address)


def kinds(page: Page, base: str, folder: Path) -> dict[str, str]:
    """One address for each kind of page, found by following links from the first project."""

    def ask(address: str) -> str | None:
        answer = page.request.get(base + address)
        text = answer.text() if "html" in answer.headers.get("content-type", "") else ""
        return text if answer.status == 200 and "<html" in text else None

    page.goto(f"{base}/?lang=fr")
    found = pages_of_each_kind(ask, routes(folder / "routes"), ("/", "/sign-in"), most=_MOST)
    return {kind: address for kind, address, _ in found}


if __name__ == "__main__":
    raise SystemExit(main())
