"""Every list on a page says how many there are in all, whatever part of them it shows."""

from __future__ import annotations

import html
import re

import pytest
from flask.testing import FlaskClient

from tests.support.pages import read, signed_in
from tests.support.people import a_gathering, publish_gathering
from tests.support.projects import a_sale
from tests.support.web import House, shown

FIRST_NAMES = {11: "Moussa", 12: "Aminata", 13: "Djibril"}


@pytest.fixture
def busy(house: House) -> House:
    """Seven sales, one of them in the bin; three people called Traoré; a statement that was issued twice."""
    house.amina.send(*(a_sale(number, village="Kita" if number == 2 else "Siby") for number in range(1, 8)))
    [gone, *_] = shown(house.baraka.get("review"))["submissions"]
    assert house.djeneba.delete(f"forms/sale/submissions/{gone['instance_id']}").status_code == 200
    publish_gathering(house)
    people = [a_gathering(number, first=first, last="Traoré") for number, first in FIRST_NAMES.items()]
    assert house.amina.outcomes(*people) == ["stored"] * 3
    house.djeneba.put("statements/results/fr", data="# Vendu\n\n{{ sacks }} sacs.\n")
    for title in ("First", "Second"):
        shown(house.djeneba.post("statements/results/issues", json={"as_of": "2100-01-01", "title": title}))
    return house


def said(client: FlaskClient, path: str) -> str:
    """What can be read on a page."""
    text = re.sub(r"<(head|script)\b.*?</\1>|<[^>]+>", " ", read(client, path), flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(text))


def test_lists_say_how_many_there_are_in_all(busy: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.pages.project.overview._LATEST", 5)
    monkeypatch.setattr("server.pages.devices.devices._LATEST", 5)
    monkeypatch.setattr("server.pages.figures.statements._MOST_ISSUES", 1)
    client, project = signed_in(busy, "djeneba", "en"), f"/projects/{busy.pid}"
    number = shown(busy.baraka.get("review"))["submissions"][0]["id"]

    assert "The last 5 of 9" in said(client, project)
    assert "9 submissions · show all" in said(client, f"{project}/devices/{busy.amina.actor_id}")
    assert "Issued (2) The last 1 are shown." in said(client, f"{project}/statements")
    assert "Projects (1)" in said(client, "/")
    assert "Versions (1)" in said(client, f"{project}/forms/sale")
    assert "History (1)" in said(client, f"{project}/submissions/{number}")
    assert re.search(r" [1-9][0-9]* acts Time ", said(client, f"{project}/team/trail"))
    assert "2 forms" in said(client, f"{project}/exports")
    assert re.search(r"What happened \([1-9]\)", said(client, f"{project}/indicators/sacks/changes?from=2020-01-01"))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_search_in_a_list_says_how_many_it_has_found(busy: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.pages.people.lists._LIMIT", 2)
    client, rows = signed_in(busy, "djeneba", "en"), f"/projects/{busy.pid}/lists/people"

    first = read(client, f"{rows}?q=Traore")
    further = html.unescape(re.findall(r'rel="next" href="([^"]+)"', first)[0])

    assert "2 found so far" in first
    assert "3 found" in said(client, further)
    assert "so far" not in said(client, further)
