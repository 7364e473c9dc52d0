"""Pages and what they are drawn with go over slow lines in few bytes."""

import gzip

import pytest

from server.pages.frame import version_of
from tests.support.pages import signed_in
from tests.support.web import House

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_page_is_sent_compressed_to_whoever_can_read_it(house: House) -> None:
    client = signed_in(house)

    plain = client.get("/docs/api")
    small = client.get("/docs/api", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in plain.headers
    assert small.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(small.data) == plain.data
    assert len(small.data) * 4 < len(plain.data)
    assert "Accept-Encoding" in small.headers["Vary"]


@pytest.mark.parametrize("name", ["siby.css", "desk.js", "vendor/htmx-2.0.11.min.js"])
def test_what_pages_are_drawn_with_is_compressed_and_kept_until_it_changes(house: House, name: str) -> None:
    client = house.app.test_client()

    kept = client.get(f"/static/{name}?v={version_of(name)}", headers={"Accept-Encoding": "gzip"})
    asked = client.get(f"/static/{name}", headers={"Accept-Encoding": "gzip"})

    assert kept.headers["Content-Encoding"] == "gzip"
    assert kept.headers["Cache-Control"] == "public, max-age=31536000"
    assert asked.headers["Cache-Control"] == "public, max-age=3600"


@pytest.mark.parametrize("name", ["nothing.css", "../app.py", "%2e%2e/app.py"])
def test_there_is_nothing_beside_what_pages_are_drawn_with(house: House, name: str) -> None:
    assert house.app.test_client().get(f"/static/{name}?v=1").status_code == 404


def test_what_programs_ask_for_stays_as_it_is(house: House) -> None:
    answer = house.djeneba.get("forms", headers={"Accept-Encoding": "gzip"})

    assert "Content-Encoding" not in answer.headers
