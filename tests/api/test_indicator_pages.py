"""Indicators and statements as pages: what they say is what the API says, down to the visits."""

from __future__ import annotations

import datetime as dt
import gc
import html
import re
from urllib.parse import unquote

import pytest
from sqlalchemy import delete

from server import clock
from server.db import session
from server.kept import remembered
from server.pages.figures import why as why_pages
from server.pages.submissions.editing import Draft
from sync.indicators.reading import Reading
from sync.models import IssueText
from tests.support.pages import Page, read, send, signed_in
from tests.support.people import GATHERING, a_gathering, publish_gathering
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


def test_since_when_it_is_defined_is_told_by_the_clock_of_the_project(sold: House) -> None:
    shown(sold.djeneba.patch("", json={"time_zone": "Pacific/Kiritimati"}))

    page = read(signed_in(sold, language="en"), f"/projects/{sold.pid}/indicators/sacks")

    since = re.search(r"Defined since</dt><dd>([^<]+) · <a", page)
    assert since is not None
    assert re.fullmatch(r"21 Nov 2026, 02:00 · event \d+", since[1].replace("\N{NO-BREAK SPACE}", " "))


def test_in_a_year_of_which_nothing_is_known_yet_the_last_one_that_has_something_is_shown(house: House) -> None:
    client = signed_in(house)
    this_year = clock.now().year
    assert f'value="FY{this_year}" selected' in read(client, f"/projects/{house.pid}/indicators")

    house.amina.send(a_sale(1, day=f"{this_year - 2}-11-01"))
    assert f'value="FY{this_year - 2}" selected' in read(client, f"/projects/{house.pid}/indicators")

    house.amina.send(a_sale(2, day=f"{this_year}-11-01"), batch="b2")
    assert f'value="FY{this_year}" selected' in read(client, f"/projects/{house.pid}/indicators")


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

    assert '<p class="big">13,0</p>' in page
    parts = read(client, next(link for link in Page(page).links if "/indicators/sacks/cells" in link))
    assert "Par période" in parts
    behind = next(link for link in Page(page).links if "/figures/sacks" in link)
    assert read(client, behind).count("/submissions/") == 2
    assert "<polyline" in read(client, f"/projects/{sold.pid}/indicators/sacks/line?period=FY2026")


def test_a_row_of_a_breakdown_leads_to_its_visits_and_one_of_a_period_to_that_period(sold: House) -> None:
    client, year = signed_in(sold, language="en"), dt.date.fromisoformat(a_sale(1)["answers"]["day"]).year
    page = f"/projects/{sold.pid}/indicators/sacks/cells"

    of_villages = [link for link in Page(read(client, f"{page}?period={year}")).links if "/figures/sacks?is=" in link]
    of_months = Page(read(client, f"{page}?period={year}-11")).links

    assert of_villages
    assert {f"period={year}" in link for link in of_villages} == {True}
    behind = [read(client, link) for link in of_villages]
    assert sum(told.count(f"/projects/{sold.pid}/submissions/") for told in behind) == 2
    assert any("/indicators/sacks?period=" in link for link in of_months)


def test_periods_before_anything_happened_are_not_listed(sold: House) -> None:
    year = dt.date.fromisoformat(a_sale(1)["answers"]["day"]).year

    page = read(signed_in(sold, language="en"), f"/projects/{sold.pid}/indicators/sacks/cells?period={year}")

    history = page[page.index("By period") :]
    assert f">{year}</th>" in history
    assert f">{year - 1}</th>" not in history
    assert "Nothing in the 7 periods before." in history


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


def test_why_begins_with_the_last_issue_or_a_month_before_and_says_what_each_visit_did(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="en")
    page = f"/projects/{sold.pid}/indicators/sacks/changes?period=all"
    today = clock.now().date()

    first = read(client, page)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": last_event(sold), "title": "Mid-term"}))
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    since_issue = read(client, page)

    dates = [re.findall(r'name="(?:from|to)"[^>]*value="([\d-]+)"', text) for text in (first, since_issue)]
    assert dates == [[str(today - dt.timedelta(days=30)), str(today)], [str(today)] * 2]
    assert first.count("<strong>+") == 2
    assert since_issue.count("<strong>+") == 1
    assert "is an event and has a number" in first


def test_why_begins_with_an_earlier_issue_where_nothing_changed_since_the_last(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="en")
    page = f"/projects/{sold.pid}/indicators/sacks/changes?period=all"
    issues = []
    for title, sacks in (("Mid-term", 5), ("Final", 0)):
        issues.append(last_event(sold))
        shown(sold.djeneba.post("statements/results/issues", json={"as_of": issues[-1], "title": title}))
        if sacks:
            sold.amina.send(a_sale(3, sacks=sacks), batch="b2")

    since_first = read(client, page)
    since_last = read(client, f"{page}&from={issues[-1]}")

    assert re.findall(r'aria-current="true">([^(<]+) \(', since_first) == ["Mid-term"]
    assert since_first.count("<strong>+") == 1
    assert re.findall(r'aria-current="true">([^(<]+) \(', since_last) == ["Final"]
    assert "Nothing changed it between the two." in since_last


@pytest.mark.parametrize(("asked", "named"), [("from=soon", "Since"), ("from=1&to=soon", "Up to")])
def test_a_moment_that_is_none_is_named_as_the_page_calls_it(sold: House, asked: str, named: str) -> None:
    client = signed_in(sold, language="en")

    refused = client.get(f"/projects/{sold.pid}/indicators/sacks/changes?period=all&{asked}")

    assert refused.status_code == 400
    assert f"<li>{named}: This is not a moment" in refused.get_data(as_text=True)


def test_why_is_told_up_to_the_moment_of_the_page_that_one_comes_from(sold: House) -> None:
    client, before = signed_in(sold, language="en"), last_event(sold)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    for page in ("indicators", "figures"):
        opened = read(client, f"/projects/{sold.pid}/{page}/sacks?period=all&as_of={before}")
        why = next(link for link in Page(opened).links if "/sacks/changes" in link)
        assert "<strong>13.0</strong>" in read(client, why)
        assert "<strong>18.0</strong>" not in read(client, why)


def test_a_moment_that_a_form_shows_as_a_day_is_kept_until_another_day_is_chosen(sold: House) -> None:
    client, before = signed_in(sold, language="en"), last_event(sold)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    why = f"/projects/{sold.pid}/indicators/sacks/changes?period=all&from={before}"
    opened = read(client, why)
    shown_day = re.search(r'name="from" required value="([0-9-]+)"', opened)
    meant = re.search(r'name="from_meant" value="([^"]+)"', opened)
    assert shown_day is not None
    assert meant is not None
    assert meant[1] == f"{shown_day[1]} {before}"
    form = {"period": "all", "from": shown_day[1], "from_meant": meant[1]}

    unchanged = client.get(f"/projects/{sold.pid}/indicators/sacks/changes", query_string=form)
    another = client.get(f"/projects/{sold.pid}/indicators/sacks/changes", query_string=form | {"from": "2026-01-02"})

    assert unchanged.location.endswith(f"?period=all&from={before}")
    assert another.location.endswith("?period=all&from=2026-01-02")
    assert "<strong>13.0</strong>" in read(client, unchanged.location)


def test_why_is_told_after_the_list_of_the_people_was_deleted(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    shown(house.djeneba.delete("datasets/people"))

    page = read(signed_in(house, language="en"), f"/projects/{house.pid}/indicators/reached/changes?period=all&from=0")

    assert "/people/people/" not in page


def test_why_names_the_people_who_turned_out_to_be_one(house: House) -> None:
    publish_gathering(house)
    before = last_event(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    [pair] = shown(house.baraka.get("matches?list=people&state=open"))["matches"]
    sent = last_event(house)
    shown(house.baraka.post(f"matches/{pair['id']}", json={"decision": "different", "seen": pair["event"]}))
    decided = last_event(house)
    address = f"/projects/{house.pid}/indicators/reached/changes?period=all"

    arrived = read(signed_in(house, language="en"), f"{address}&from={before}&to={sent}")
    parted = read(signed_in(house, language="en"), f"{address}&from={sent}&to={decided}")
    unnamed = read(signed_in(house, "fanta", language="en"), f"{address}&from={sent}&to={decided}")

    ways = ((arrived, "are probably one.", "/people/people/"), (parted, "are two people.", f"/duplicates/{pair['id']}"))
    for text, said, way in ways:
        [address] = [link for link in Page(text).links if way in link]
        assert said in text
        assert "Koulibali" in read(signed_in(house), address)
    assert "Koulibali" not in unnamed


def test_a_decision_that_was_undone_is_told_as_that_and_not_as_the_opposite_decision(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    [pair] = shown(house.baraka.get("matches?list=people&state=open"))["matches"]
    said = shown(house.baraka.post(f"matches/{pair['id']}", json={"decision": "different", "seen": pair["event"]}))
    decided = last_event(house)
    shown(house.baraka.post(f"matches/{pair['id']}", json={"decision": "open", "seen": said["event"]}))

    told = shown(house.djeneba.get(f"figures/reached/changes?from={decided}"))
    page = read(signed_in(house, language="en"), f"/projects/{house.pid}/indicators/reached/changes?from={decided}")

    assert [(one["cause"], one["effect"]) for one in told["causes"]] == [("merged", -1)]
    assert "“Two people” undone" in page
    assert "the decision was undone" in page
    assert "count as one again" in page
    assert "are one person" not in page


def test_all_whom_one_visit_made_one_with_others_are_listed_page_by_page(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(why_pages, "_PEOPLE_AT_ONCE", 5)
    publish_gathering(house)
    house.amina.send(*(a_gathering(number) for number in range(1, 11)))
    why = f"/projects/{house.pid}/indicators/reached/changes?period=all&from=0"
    client = signed_in(house, language="en")

    page = read(client, why)
    [way] = [link for link in Page(page).links if "/changes/" in link]
    first = read(client, way)
    [further] = [link for link in Page(first).links if "first=" in link]
    second = read(client, further)

    assert "and 1 other record<" in page
    assert [text.count("are probably one.") for text in (page, first, second)] == [8, 5, 4]
    assert client.get(f"/projects/{house.pid}/indicators/reached/changes/1?from=0").status_code == 404
    assert signed_in(house, "fanta").get(way).status_code in (403, 404)


def test_where_there_was_no_figure_before_the_steps_begin_at_nought_and_add_up(sold: House) -> None:
    client = signed_in(sold, language="en")

    page = read(client, f"/projects/{sold.pid}/indicators/sacks/changes?from=0")

    told = shown(sold.djeneba.get("figures/sacks/changes?from=0"))
    assert told["before"] is None
    assert sum(cause["effect"] for cause in told["causes"]) == told["after"] == 13
    assert "the steps begin at nought" in page
    assert re.search(r"an indicator was defined|a version of a form was published", page)
    assert ">+13.0</td>" in page


def test_what_happened_to_one_cell_goes_on_with_that_cell(sold: House) -> None:
    client, before = signed_in(sold), last_event(sold)
    sold.amina.send(*[a_sale(number, sacks=1) for number in range(10, 65)], batch="b2")

    first = read(client, f"/projects/{sold.pid}/indicators/sacks/changes?from={before}&is=village:Siby")
    after = next(link for link in Page(first).links if "cursor=" in link)

    assert "is=village:Siby" in unquote(after)
    assert "<strong>59.0</strong>" in first
    assert "<strong>59.0</strong>" in read(client, after)


def test_why_a_cell_of_an_issue_changed_is_told_of_that_cell(sold: House) -> None:
    sold.djeneba.put("statements/results/fr", data="{{ sacks(village='Siby') }} sacs.\n")
    client, issued_at = signed_in(sold, "djeneba", language="fr"), last_event(sold)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": issued_at, "title": "Mi-parcours"}))
    sold.amina.send(a_sale(3, sacks=5), a_sale(4, sacks=7, village="Kalassa"), batch="b2")

    compared = read(client, f"/projects/{sold.pid}/statements/results/issues/1/changes")
    why = next(link for link in Page(compared).links if "/sacks/changes" in link)

    assert ">+5,0</td>" in compared
    told = read(client, why)
    assert "<strong>4,0</strong>" in told
    assert "<strong>9,0</strong>" in told


def test_a_share_that_rounds_to_what_it_was_is_compared_with_as_many_decimals_as_it_takes(sold: House) -> None:
    sold.djeneba.put("statements/results/fr", data="{{ sacks(village='Siby').share }} des sacs.\n")
    sold.amina.send(a_sale(3, sacks=400), a_sale(4, sacks=597, village="Kalassa"), batch="b2")
    issued_at = last_event(sold)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": issued_at, "title": "Mi-parcours"}))
    sold.amina.send(a_sale(5, sacks=1), batch="b3")

    [change] = shown(sold.djeneba.get("statements/results/issues/1/changes?lang=fr"))["changes"]

    assert change["before"]["text"] != change["after"]["text"]
    assert "," in change["before"]["text"]


def test_a_comparison_with_today_is_told_as_of_when_it_was_worked_out(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    client, issued_at = signed_in(sold, "djeneba", language="en"), last_event(sold)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": issued_at, "title": "Mid-term"}))
    page = f"/projects/{sold.pid}/statements/results/issues/1/changes"
    assert "No figure of the statement is different." in read(client, page)
    compared_at = last_event(sold)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    later = read(client, page)
    [anew] = {link for link in Page(later).links if "fresh=yes" in link}

    assert "No figure of the statement is different." in later
    assert f" (event {compared_at})" in later
    assert f", event {compared_at}." in later
    for address in (anew, page, f"{page}?as_of={last_event(sold)}"):
        assert ">+5.0</td>" in read(client, address)


def test_the_wording_of_a_statement_is_chosen_apart_from_the_language_of_the_page(sold: House) -> None:
    sold.djeneba.put("statements/results/en", data="{{ sacks }} sacks.\n")
    client = signed_in(sold, language="fr")
    page = read(client, f"/projects/{sold.pid}/statements/results")

    other = read(client, next(link for link in Page(page).links if "wording=en" in link))

    assert " sacks." in other
    assert 'type="hidden" name="wording" value="en"' in other
    assert '<html lang="fr"' in other
    assert " sacs." in read(client, f"/projects/{sold.pid}/statements/results")


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
    assert '>13,0</a><sup class="printed">1</sup> sacs' in issued
    assert '>18,0</a><sup class="printed">1</sup> sacs' in read(client, f"/projects/{sold.pid}/statements/results")
    compared = read(client, f"{answer.headers['Location']}/changes")
    assert ">13,0<" in compared
    assert "<strong>18,0</strong>" in compared
    assert "Mi-parcours" in read(client, f"/projects/{sold.pid}/statements")


def test_from_a_statement_and_its_issues_there_is_a_way_back(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")
    statements = f"/projects/{sold.pid}/statements"
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": last_event(sold), "title": "Mi-parcours"}))
    issue = f"{statements}/results/issues/1"

    ways = {
        page: re.findall(r'href="([^"]+)"', re.search(r'<p class="quiet unprinted">(.*?)</p>', read(client, page))[1])  # type: ignore[index]
        for page in (f"{statements}/results", f"{statements}/results/issue", issue, f"{issue}/changes")
    }

    assert list(ways.values()) == [
        [statements],
        [statements, f"{statements}/results"],
        [statements, f"{statements}/results"],
        [statements, f"{statements}/results", issue],
    ]


def test_an_issue_is_read_at_every_door_in_the_words_in_which_it_was_given_out(sold: House) -> None:
    sold.djeneba.put("statements/results/fr", data="# {{ project }}\n\n{{ sacks }} sacs.\n")
    client = signed_in(sold, "djeneba", language="fr")
    event = last_event(sold)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": event, "title": "Mi-parcours"}))
    issue = f"/projects/{sold.pid}/statements/results/issues/1"
    given = sold.djeneba.get("statements/results/issues/1?format=md").get_data(as_text=True)

    assert sold.djeneba.patch("", json={"name": "Autre nom"}).status_code == 200

    page, told = read(client, issue), shown(sold.djeneba.get("statements/results/issues/1"))
    assert sold.djeneba.get("statements/results/issues/1?format=md").get_data(as_text=True) == given
    assert ("<h1>Siby</h1>" in page, "<h1>Autre nom</h1>" in page) == (True, False)
    assert '<p class="quiet">Siby · ' in page
    assert (told["kept"], told["paragraphs"][0]) == (True, ["Siby"])
    assert "ne gardaient pas encore" not in page


def test_an_issue_of_before_its_words_were_kept_says_so(sold: House) -> None:
    client = signed_in(sold, "djeneba", language="fr")
    event = last_event(sold)
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": event, "title": "Mi-parcours"}))
    with sold.app.app_context():
        session().execute(delete(IssueText))
        session().commit()

    page = read(client, f"/projects/{sold.pid}/statements/results/issues/1")

    assert '>13,0</a><sup class="printed">1</sup> sacs' in page
    assert "ne gardaient pas encore leur texte" in page
    assert shown(sold.djeneba.get("statements/results/issues/1"))["kept"] is False


def test_a_text_that_could_not_be_written_when_it_was_given_out_is_told_from_one_of_before_words_were_kept(
    sold: House,
) -> None:
    sold.djeneba.put("statements/results/en", data="{{ sacks }} sacks.\n")
    client = signed_in(sold, "djeneba", language="fr")
    shown(sold.djeneba.post("statements/results/issues", json={"as_of": last_event(sold), "title": "Mi-parcours"}))
    with sold.app.app_context():
        session().execute(delete(IssueText).where(IssueText.language == "fr"))
        session().commit()

    lacking, kept = (
        read(client, f"/projects/{sold.pid}/statements/results/issues/1?wording={one}") for one in ("fr", "en")
    )

    assert "ne pouvait pas être écrit lorsque le rapport a été émis" in lacking
    assert "ne gardaient pas encore" not in lacking
    assert "rien n’en a donc été gardé" not in kept


def test_issues_of_one_statement_are_told_apart_by_their_numbers(sold: House) -> None:
    for title in ("Mi-parcours", "Corrigé"):
        shown(sold.djeneba.post("statements/results/issues", json={"as_of": last_event(sold), "title": title}))

    page = html.unescape(read(signed_in(sold, language="fr"), f"/projects/{sold.pid}/statements"))

    assert all(f", n°\u00a0{number}</td>" in page for number in (1, 2))


def test_a_statement_that_cannot_be_written_is_not_offered_to_be_issued_without_a_word(sold: House) -> None:
    sold.djeneba.put("statements/results/fr", data="{{ 1 / (sacks.value - 13) }}\n")

    answer = signed_in(sold, "djeneba").get(f"/projects/{sold.pid}/statements/results/issue")

    assert answer.status_code == 400
    assert 'role="alert"' in answer.get_data(as_text=True)
    assert "statement" in answer.get_data(as_text=True)


def test_a_statement_that_is_remembered_reads_for_each_visitor_what_they_may_see_and_anew_after_a_change(
    sold: House,
) -> None:
    sold.djeneba.put("statements/results/en", data="{{ sacks }} sacks.\n")
    page = f"/projects/{sold.pid}/statements/results?period=all"
    first, second = signed_in(sold, language="fr"), signed_in(sold, "fanta", language="en")

    for _ in range(2):
        assert '>13,0</a><sup class="printed">1</sup> sacs' in read(first, page)
        assert '>13.0</a><sup class="printed">1</sup> sacks' in read(second, page)
        assert '>0,0</a><sup class="printed">1</sup> sacs' in read(first, page.replace("all", "2020"))
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    sold.djeneba.put("statements/results/en", data="{{ sacks }} bags.\n")

    assert '>18,0</a><sup class="printed">1</sup> sacs' in read(first, page)
    assert '>18.0</a><sup class="printed">1</sup> bags' in read(second, page)


def test_the_page_of_a_statement_is_called_by_its_heading_and_its_day(sold: House) -> None:
    sold.djeneba.put("statements/results/fr", data="# Vendu : {{ sales }} fois\n\n{{ sacks }} sacs.\n")

    page = read(signed_in(sold, language="en"), f"/projects/{sold.pid}/statements/results?period=all")

    assert re.search(r"<title>Vendu : 2 fois, \d+\xa0\w+\xa0\d{4} · Siby</title>", page)


def test_an_issue_without_a_title_is_asked_for_again(sold: House) -> None:
    client = signed_in(sold, "djeneba")
    asking = f"/projects/{sold.pid}/statements/results/issue"

    answer = send(client, asking, asking, {"as_of": 1, "title": "", "period": "all", "place": ""})

    assert answer.status_code == 400
    assert 'role="alert"' in answer.get_data(as_text=True)


def test_a_place_that_there_is_not_is_refused_when_a_statement_is_issued(sold: House) -> None:
    client = signed_in(sold, "djeneba")
    asking = f"/projects/{sold.pid}/statements/results/issue"

    for title in ("", "Halfway"):
        asked = {"as_of": last_event(sold), "title": title, "period": "all", "place": "nowhere"}
        assert send(client, asking, asking, asked).status_code == 400


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
    elsewhere = read(signed_in(house, "coumba", language="fr"), f"/projects/{house.other}/statements")
    page = read(signed_in(house, "djeneba", language="fr"), f"/projects/{house.pid}/statements")

    assert "n’a pas encore" in elsewhere
    assert f'href="/projects/{house.pid}/programme"' in page


def test_what_takes_long_is_told_as_of_when_it_was_worked_out_until_it_is_brought_up_to_date(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    client, event = signed_in(sold, language="en"), last_event(sold)
    part, statement = f"/projects/{sold.pid}/indicators/of/sale?period=all", f"/projects/{sold.pid}/statements/results"

    def shown_now(address: str) -> str:
        return client.get(address, headers={"HX-Request": "true"}).get_data(as_text=True)

    line = f"/projects/{sold.pid}/indicators/sacks/line?period=FY2026"
    for address in (part, statement, line):
        assert "fresh=yes" not in shown_now(address)
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    for address, before, after in ((part, "<strong>13.0", "<strong>18.0"), (statement, ">13,0", ">18,0")):
        old = shown_now(address)
        assert before in old
        assert f", event {event}." in old
        anew = next(link for link in Page(old).links if "fresh=yes" in link)
        assert after in shown_now(anew)
        assert "fresh=yes" not in shown_now(address)
    assert "fresh=yes" not in shown_now(line)
    assert ">13,0" in shown_now(f"{statement}?as_of={event}")
    assert "fresh=yes" not in shown_now(f"{statement}?as_of={event}")


def test_a_part_that_was_worked_out_is_shown_alone_as_well(sold: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    client = signed_in(sold, language="en")
    addresses = [f"/projects/{sold.pid}/indicators/{part}?period=all" for part in ("of/sale", "sacks/cells")]
    parts = [client.get(address, headers={"HX-Request": "true"}).get_data(as_text=True) for address in addresses]
    pages = [read(client, address) for address in addresses]
    sold.amina.send(a_sale(3, sacks=5), batch="b2")

    for address, part, page in zip(addresses, parts, pages, strict=True):
        assert part in page
        assert "<h1>" in page
        assert "As it stood" in read(client, address)
        assert part not in read(client, f"{address}&fresh=yes")


def test_nothing_of_the_visits_is_kept_in_memory_once_a_page_is_shown(house: House) -> None:
    born = GATHERING.replace("aggregate  | subject ", "aggregate  | value ").replace(
        "distinct | people ", "mean | ${born} "
    )
    publish_gathering(house, born)
    assert house.amina.outcomes(a_gathering(1), a_gathering(2)) == ["stored"] * 2
    house.djeneba.put("statements/results/fr", data="# Venus\n\n{{ reached }}\n")
    client = signed_in(house)
    figures = (
        "statements/results",
        "indicators/of/gathering?period=all",
        "indicators/reached/changes?period=all&from=0",
    )
    visits = Page(read(client, f"/projects/{house.pid}/submissions")).links
    visit = next(link for link in visits if re.fullmatch(r"/projects/\d+/submissions/\d+", link))
    gc.collect()
    gc.disable()
    try:
        for address in (*(f"/projects/{house.pid}/{page}" for page in figures), f"{visit}/edit"):
            read(client, address)
        held = [one for one in gc.get_objects() if isinstance(one, (Reading, Draft))]
    finally:
        gc.enable()

    assert held == []


def test_what_one_cause_did_is_listed_alone(sold: House) -> None:
    client, before = signed_in(sold, language="en"), last_event(sold)
    sold.baraka.patch(f"forms/sale/submissions/{a_sale(2)['instance_id']}", json={"reviewState": "rejected"})
    sold.amina.send(a_sale(3, sacks=5), batch="b2")
    whole = read(client, f"/projects/{sold.pid}/indicators/sacks/changes?period=all&from={before}")
    links = Page(whole).links
    ways = {cause: link for link in links for cause in ("submitted", "rejected") if f"cause={cause}" in link}

    for cause, link in ways.items():
        shown_alone = shown(sold.djeneba.get(f"figures/sacks/changes?from={before}&cause={cause}"))
        assert {event["cause"] for event in shown_alone["events"]} == {cause}
        assert read(client, link).count("event ") < whole.count("event ")
    assert set(ways) == {"submitted", "rejected"}
    assert sold.djeneba.get("figures/sacks/changes?cause=magic").status_code == 400
