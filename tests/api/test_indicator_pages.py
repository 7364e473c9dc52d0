"""Indicators and statements as pages: what they say is what the API says, down to the visits."""

from __future__ import annotations

import re

import pytest

from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import a_sale
from tests.support.web import House, refused, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
STATEMENT = "# Vendu\n\n{{ sacks }} sacs.\n"


@pytest.fixture
def sold(house: House) -> House:
    house.amina.send(a_sale(1, sacks=4), a_sale(2, sacks=9, village="Kalassa"))
    house.djeneba.put("statements/results/fr", data=STATEMENT)
    return house


def last_event(house: House) -> int:
    return int(shown(house.djeneba.get("figures?indicator=sacks"))["as_of"]["event"])


def test_all_indicators_stand_there_with_the_values_of_the_api(sold: House) -> None:
    client = signed_in(sold, language="fr")
    page = read(client, f"/projects/{sold.pid}/indicators?period=all")
    parts = [link for link in Page(page).links if "/indicators/of/" in link]

    whole = "".join(read(client, part) for part in parts)
    asked_for = "".join(client.get(part, headers={"HX-Request": "true"}).get_data(as_text=True) for part in parts)

    assert "<html" not in asked_for
    for figure in shown(sold.djeneba.get("figures"))["figures"]:
        for text in (whole, asked_for):
            row = re.search(rf"/indicators/{figure['indicator']}\?.*?</tr>", text, re.DOTALL)
            assert row is not None
            if figure["value"] is not None:
                assert f"<strong>{figure['value']}" in row[0]


def test_a_figure_that_was_remembered_is_worked_out_anew_once_something_has_changed(sold: House) -> None:
    client = signed_in(sold)
    part = f"/projects/{sold.pid}/indicators/of/sale?period=all"

    def shown_now() -> str:
        return client.get(part, headers={"HX-Request": "true"}).get_data(as_text=True)

    assert "<strong>13.0</strong>" in shown_now()
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    assert "<strong>18.0</strong>" in shown_now()


def test_an_indicator_opens_by_breakdown_place_and_period_and_leads_to_its_visits(sold: House) -> None:
    client = signed_in(sold, language="fr")

    page = read(client, f"/projects/{sold.pid}/indicators/sacks?period=all")

    assert "Par période" in page
    assert '<p class="big">13,0</p>' in page
    behind = next(link for link in Page(page).links if "/figures/sacks" in link)
    assert read(client, behind).count("/submissions/") == 2
    assert "<polyline" in read(client, f"/projects/{sold.pid}/indicators/sacks/line?period=FY2026")


def test_why_a_figure_changed_adds_up_and_leads_to_what_did_it(sold: House) -> None:
    client, before = signed_in(sold, language="fr"), last_event(sold)
    sold.baraka.patch(f"forms/sale/submissions/{a_sale(2)['instance_id']}", json={"reviewState": "rejected"})
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    page = read(client, f"/projects/{sold.pid}/indicators/sacks/changes?from={before}")

    told = shown(sold.djeneba.get(f"figures/sacks/changes?from={before}"))
    assert (told["before"], told["after"]) == (13, 9)
    for cause in told["causes"]:
        sign = "+" if cause["effect"] > 0 else ""
        assert f"{sign}{cause['effect']}".replace("-", "") in page.replace("-", "").replace("\N{MINUS SIGN}", "")
    assert page.count("/submissions/") == 2


def test_fields_that_were_left_empty_do_not_stand_in_the_address(sold: House) -> None:
    answer = signed_in(sold).get(f"/projects/{sold.pid}/indicators/sacks/changes?from=2&to=&place=&lang=fr")

    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/indicators/sacks/changes?from=2&lang=fr")


def test_a_statement_is_issued_once_looked_at_and_read_again_as_it_was(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")
    asking = f"/projects/{sold.pid}/statements/results/issue"
    event = last_event(sold)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    answer = send(client, asking, asking, {"as_of": event, "title": "Mi-parcours", "period": "all", "place": ""})

    assert answer.status_code == 303
    issued = read(client, answer.headers["Location"])
    assert "Mi-parcours" in issued
    assert ">13,0</a> sacs" in issued
    assert ">18,0</a> sacs" in read(client, f"/projects/{sold.pid}/statements/results")
    compared = read(client, f"{answer.headers['Location']}/changes")
    assert ">13,0<" in compared
    assert "<strong>18,0</strong>" in compared
    assert "Mi-parcours" in read(client, f"/projects/{sold.pid}/statements")


def test_an_issue_without_a_title_is_asked_for_again(sold: House) -> None:
    client = signed_in(sold, "djeneba")
    asking = f"/projects/{sold.pid}/statements/results/issue"

    answer = send(client, asking, asking, {"as_of": 1, "title": "", "period": "all", "place": ""})

    assert answer.status_code == 400
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_who_only_reads_cannot_issue_and_strangers_find_nothing(sold: House) -> None:
    reader, stranger = signed_in(sold, "fanta"), signed_in(sold, "coumba")

    assert reader.get(f"/projects/{sold.pid}/statements/results/issue").status_code == 403
    assert "/issue" not in read(reader, f"/projects/{sold.pid}/statements/results")
    for path in ("indicators", "indicators/sacks", "indicators/sacks/changes", "statements"):
        assert read(reader, f"/projects/{sold.pid}/{path}")
        assert stranger.get(f"/projects/{sold.pid}/{path}").status_code == 404


def test_what_there_is_not_is_said(sold: House) -> None:
    client = signed_in(sold)

    assert client.get(f"/projects/{sold.pid}/indicators/nothing").status_code == 404
    assert client.get(f"/projects/{sold.pid}/indicators?period=someday").status_code == 400
    assert client.get(f"/projects/{sold.pid}/indicators?place=nowhere").status_code == 400
    assert refused(sold.djeneba.get("figures?period=someday")) == 400.8


def test_a_project_without_indicators_says_what_to_do(house: House) -> None:
    page = read(signed_in(house, "coumba", language="fr"), f"/projects/{house.other}/statements")

    assert "siby load" in page
