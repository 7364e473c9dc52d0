"""Pairs, persons and lists on pages: looked at, decided, taken back, confirmed at once, loaded from a file."""

from __future__ import annotations

import datetime as dt
import html
import io
import re
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update
from werkzeug.test import TestResponse

from server import clock
from server.db import session
from server.kept import remembered
from sync.journal import open_journal
from sync.models import Entity
from sync.models.database import begin_writing
from sync.projects.publish import publish_form
from tests.support.pages import Page, read, send, signed_in
from tests.support.people import GATHERING, a_gathering, publish_gathering
from tests.support.projects import NOON, workbook_of
from tests.support.web import House, shown

ONCE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SEXES = """
    | choices   |        |              |             |
    | list_name | name   | label::English (en) | label::Français (fr) |
    | sexes     | female | Woman        | Femme       |
    | sexes     | male   | Man          | Homme       |
"""
CENTRES = """
    | survey    |          |             |             |
    | type      | name     | label       | save_to     |
    | text      | called   | Name        | centre_name |
    | text      | village  | Village     | village     |
    | entities  |          |             |             |
    | list_name | label    |             |             |
    | centres   | ${called} |            |             |
    | matching  |          |             |             |
    | list_name | property | role        |             |
    | centres   | centre_name | name     |             |
    | centres   | village  | village     |             |
"""
HOSTILE = '<script>alert("x")</script>{{ 7 * 7 }}'


@pytest.fixture
def village(house: House) -> House:
    """Two teams have registered Djénéba Coulibaly, spelt twice; Oumou Keita was registered once."""
    publish_gathering(house)
    second = a_gathering(2, first="Dieneba", last="Koulibali")
    other = a_gathering(3, first="Oumou", last="Keita", phone="66 11 22 33", born="1975", group=HOSTILE)
    assert house.amina.outcomes(a_gathering(1), second, other) == ["stored"] * 3
    return house


def at(village: House, path: str = "") -> str:
    return f"/projects/{village.pid}/duplicates{path}"


def the_pair(village: House, state: str = "open") -> dict[str, Any]:
    [pair] = shown(village.baraka.get(f"matches?list=people&state={state}"))["matches"]
    return dict(pair)


def with_centres(village: House, *names: str) -> None:
    """Health centres of Siby, among which some may be one too."""
    with village.app.app_context():
        journal = open_journal(session(), village.pid, None, NOON)
        publish_form(journal, workbook_of("centre", "1", CENTRES))
        journal.close()
        session().commit()
    for number, name in enumerate(names, 1):
        visit = a_gathering(100 + number) | {"form": "centre", "answers": {"called": name, "village": "Siby"}}
        assert village.amina.outcomes(visit) == ["stored"]


def given(client: FlaskClient, village: House) -> str:
    """The pair of centres that the queue gives next, opened."""
    page = to(client.get(at(village, "/next?list=centres")))
    read(client, page)
    return number_in(page)


def number_in(address: str) -> str:
    return address.partition("?")[0].rpartition("/")[2]


def holders(listed: str) -> dict[str, str]:
    """Who has which pair of the list open, by the pair."""
    rows = re.findall(r'<tr>\s*<td data-of="Records">(.*?)</tr>', listed, re.DOTALL)
    said = [(row, re.search(r">([^<>]*) has it open<", row)) for row in rows]
    return {number_in(Page(row).links[0]): one[1] for row, one in said if one}


def decide(client: FlaskClient, village: House, decision: str, **more: Any) -> TestResponse:
    number = more.pop("number", None) or the_pair(village)["id"]
    page = at(village, f"/{number}")
    seen = Page(read(client, page)).hidden["seen"]
    return send(client, page, page, {"decision": decision, "seen": seen, **more})


def to(answer: TestResponse) -> str:
    assert answer.status_code == 303, answer.get_data(as_text=True)
    return answer.headers["Location"]


@ONCE
def test_what_was_chosen_in_a_form_is_said_by_its_name(house: House) -> None:
    chosen = GATHERING.replace("| text    | sex  ", "| select_one sexes | sex  ") + SEXES
    publish_gathering(house, chosen)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali"))
    client = signed_in(house, language="fr")

    for path in (f"duplicates/{the_pair(house)['id']}", "lists/people"):
        page = read(client, f"/projects/{house.pid}/{path}")
        assert "Femme" in page
        assert "female" not in page


def test_a_pair_is_decided_and_the_next_page_takes_it_back(village: House) -> None:
    client = signed_in(village, language="en")
    first = to(client.get(at(village, "/next")))
    page = read(client, first)

    following = to(decide(client, village, "same", reason="I know her"))
    landed = to(client.get(following))
    notice = read(client, landed)
    hidden = Page(notice).hidden
    decided = the_pair(village, "same")
    back = client.post(
        at(village, f"/{decided['id']}"), data={name: hidden[name] for name in ("__csrf", "decision", "seen")}
    )

    assert "Djénéba" in page
    assert "Dieneba" in page
    assert page.index("first name") < page.index("telephone")
    assert "are one person" in notice
    assert "Nothing is to be decided" in notice
    assert any("left=" in link for link in Page(read(client, to(back))).links)
    assert the_pair(village)["state"] == "open"
    history = shown(village.baraka.get(f"matches/{decided['id']}"))["decisions"]
    assert [(one["decision"], one["reason"]) for one in history] == [("same", "I know her"), ("open", None)]


def test_the_queue_is_filtered_by_likelihood_and_place_as_its_count_says(village: House) -> None:
    client = signed_in(village, language="en")
    probability = the_pair(village)["probability"]
    bands = {"sure": (0.9, 1.1), "likely": (0.5, 0.9), "maybe": (0.05, 0.5), "hardly": (0, 0.05)}

    for name, (least, most) in bands.items():
        page = read(client, at(village, f"?likely={name}"))
        assert ("1 pair<" in page) == (least <= probability < most)
    assert "1 pair<" in read(client, at(village))
    assert "No pair is like that" in read(client, at(village, "?place=nowhere"))
    decide(client, village, "different")
    assert "1 pair<" in read(client, at(village, "?state=different"))
    assert "No pair is like that" in read(client, at(village, "?state=different&place=nowhere"))


@ONCE
def test_who_comes_second_sees_what_the_first_said_and_loses_no_word(village: House) -> None:
    client = signed_in(village, language="en")
    pair = the_pair(village)
    page = at(village, f"/{pair['id']}")
    village.djeneba.post(f"matches/{pair['id']}", json={"decision": "different", "seen": pair["event"], "reason": "no"})

    answer = send(client, page, page, {"decision": "same", "seen": pair["event"], "reason": "my own words"})

    text = answer.get_data(as_text=True)
    assert answer.status_code == 409
    assert "Djeneba said: different" in text
    assert "my own words" in text
    assert the_pair(village, "different")["state"] == "different"


@ONCE
def test_who_decides_can_say_which_record_stands_for_the_person(village: House) -> None:
    client = signed_in(village)
    pair = the_pair(village)
    before = shown(village.baraka.get(f"matches/{pair['id']}"))["stands"]
    [other] = {pair["a"]["id"], pair["b"]["id"]} - {before}

    decide(client, village, "same", stands=other)

    assert shown(village.baraka.get(f"matches/{pair['id']}"))["stands"] == other
    person = read(client, f"/projects/{village.pid}/people/people/{before}")
    assert person.index(f"rows/{other}") < person.index(f"rows/{before}")


@pytest.mark.parametrize("page", ["duplicates", "person", "team/trail"])
def test_an_older_decision_is_found_and_taken_back_from(page: str, village: House) -> None:
    client = signed_in(village, "djeneba", "en")
    decide(client, village, "same", reason="I know her")
    pair = the_pair(village, "same")
    address = f"people/people/{pair['a']['id']}" if page == "person" else page

    found = read(client, f"/projects/{village.pid}/{address}")
    if page == "team/trail":
        link = next(link for link in Page(found).links if link.startswith(at(village, "/")))
        found = read(client, link)
    [form] = re.findall(r'<form method="post"[^>]+>(?:(?!</form>).)*value="open"', found, re.DOTALL)
    hidden = Page(found).hidden
    back = client.post(
        re.findall('action="([^"]+)"', form)[0].replace("&amp;", "&"),
        data={"decision": "open", "seen": hidden["seen"], "__csrf": hidden["__csrf"]},
    )

    assert "I know her" in found
    assert back.status_code == 303
    assert the_pair(village)["state"] == "open"
    assert "Decided last" not in read(client, at(village))


def test_what_was_confirmed_at_once_stands_among_the_last_decisions_as_one(village: House) -> None:
    client = signed_in(village, "djeneba", "en")
    form = {"list": "people", "percent": "50", "act": "confirm"}
    to(send(client, at(village, "/bulk"), at(village, "/bulk"), form))

    page = read(client, at(village))
    trail = read(client, f"/projects/{village.pid}/team/trail")
    from_the_trail = read(client, next(link for link in Page(trail).links if "bulk=" in link))
    [undo] = re.findall(r'action="([^"]+/undo)"', page)
    to(client.post(undo, data={"__csrf": Page(page).hidden["__csrf"], "list": "people"}))

    assert "1 pair at once" in page
    assert undo in from_the_trail
    assert the_pair(village)["state"] == "open"
    assert "at once</td>" not in read(client, at(village))


@ONCE
def test_later_goes_on_without_the_pair_and_decides_nothing(village: House) -> None:
    client = signed_in(village, language="en")
    first = to(client.get(at(village, "/next")))
    page = read(client, first)

    [later] = {link for link in Page(page).links if "/next?" in link}

    after = to(client.get(later))
    told = read(client, after)

    assert after.startswith(at(village, "?"))
    assert "Left for later" in told
    assert first.partition("?")[0] in {link.partition("?")[0] for link in Page(told).links}
    assert the_pair(village)["state"] == "open"


@ONCE
def test_reasons_are_a_waterfall_whose_sums_are_those_of_the_weights_as_they_are_said(village: House) -> None:
    pair = the_pair(village)

    page = read(signed_in(village, language="en"), at(village, f"/{pair['id']}"))
    sums = [one.replace("−", "-") for one in re.findall(r'<td class="number">(−?[\d.]+)</td>', page)]

    assert len(sums) == len(pair["reasons"])
    assert float(sums[-1]) == pytest.approx(sum(round(reason["weight"], 1) for reason in pair["reasons"]))
    assert float(sums[-1]) == pytest.approx(pair["weight"], abs=0.05 * len(sums) + 0.01)
    assert all(reason["words"] in page for reason in pair["reasons"] if '"' not in reason["words"])


def test_the_last_sum_of_the_waterfall_gives_how_likely_the_pair_is(village: House) -> None:
    pair = the_pair(village)

    page = read(signed_in(village, language="en"), at(village, f"/{pair['id']}")).replace("−", "-")

    weights, steps = re.findall(r"([+-][\d.]+)</th>", page), re.findall(r'<td class="number">(-?[\d.]+)</td>', page)
    last = re.findall(r'<td class="number rest">(-?[\d.]+)</td>', page)
    assert {len(number.partition(".")[2]) for number in steps} == {1}
    assert sum(map(float, weights)) == pytest.approx(float([*steps, *last][-1]), abs=0.001)
    assert 1 / (1 + 2 ** -float([*steps, *last][-1])) == pytest.approx(pair["probability"], abs=0.005)


@ONCE
def test_what_is_the_same_stands_on_both_sides_and_what_is_missing_is_said_to_be(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", phone=""))
    page = read(signed_in(house, language="en"), at(house, f"/{the_pair(house)['id']}"))
    rows = dict(re.findall(r'<tr class="(?:agrees|differs)"><th scope="row">([a-z ]+)&nbsp;<(.*?)</tr>', page))

    def cells(name: str) -> list[str]:
        return [re.sub("<[^>]+>", "", cell) for cell in re.findall("<td[^>]*>(.*?)</td>", rows[name])]

    assert cells("sex") == ["female", "female"]
    assert "the same in both" in rows["sex"]
    assert sorted(cells("first name")) == ["Dieneba", "Djénéba"]
    assert "differs" in rows["first name"]
    assert sorted(cells("telephone")) == ["76 00 00 01", "not filled in"]


@ONCE
@pytest.mark.parametrize(
    ("second", "against"),
    [
        ({}, "hardly anything"),
        ({"phone": "66 00 00 00"}, "telephone differs ("),
        ({"commune": "Kati", "village": "Kati"}, "different communes ("),
    ],
)
def test_a_row_of_the_list_says_what_speaks_most_for_the_pair_and_what_most_against_it(
    house: House, second: dict[str, str], against: str
) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, **second))
    reasons = {reason["weight"]: reason["words"] for reason in the_pair(house)["reasons"]}

    row = html.unescape(read(signed_in(house, language="en"), at(house)).partition("<tbody>")[2])
    told = dict(re.findall(r'data-of="Speaks most (for|against) it"><span>(?:<span[^>]*>)?([^<]*)<', row))

    assert told["for"] == reasons[max(reasons)]
    assert told["against"].startswith(against)


@ONCE
def test_a_pair_is_called_by_its_people_in_titles_links_and_the_trail(village: House) -> None:
    client = signed_in(village, "djeneba", "en")
    pair = the_pair(village)
    name = f"{pair['a']['label']} / {pair['b']['label']}"

    page = read(client, at(village, f"/{pair['id']}"))
    figures = read(client, at(village, f"/{pair['id']}/figures"))
    decide(client, village, "same")
    trail = read(client, f"/projects/{village.pid}/team/trail?looks=yes")

    assert f"<title>{name}: one person or two? ·" in page
    assert f">{name}: one person or two? <" in page
    assert f"<h1>What hangs on the pair “{name}”</h1>" in figures
    assert f"decided about a possible duplicate: {name} (the same)" in trail
    assert f"looked at a possible duplicate: {name}<" in trail
    assert f": {pair['id']}" not in trail


@ONCE
def test_people_come_before_organisations_and_each_list_is_chosen_by_itself(village: House) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby", "Siby CSCOM")
    client = signed_in(village, language="en")

    overview = read(client, f"/projects/{village.pid}")
    first = read(client, at(village))
    [link] = {link for link in Page(first).links if link.endswith("?list=centres")}
    centres = read(client, link)

    assert re.search(r">1</a><br>\s*pair that may be one person", overview)
    assert re.search(r"centres</a>: 3 pairs<", overview)
    assert 'aria-current="page">people</a> <span class="quiet">1 to be decided' in first
    assert "Djénéba" in first
    assert 'aria-current="page">centres</a> <span class="quiet">3 to be decided' in centres
    assert "Djénéba" not in centres


@ONCE
def test_the_list_of_projects_counts_the_pairs_of_each_list_by_itself(village: House) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby", "Siby CSCOM")

    home = read(signed_in(village, language="en"), "/")

    people, centres = home.index("1 possible duplicate in “people”"), home.index("3 possible duplicates in “centres”")
    assert people < centres
    assert {at(village, "?list=people"), at(village, "?list=centres")} <= set(Page(home).links)


@ONCE
def test_whoever_decides_about_a_pair_goes_on_in_its_own_list(village: House) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby", "Siby CSCOM")
    client = signed_in(village, language="en")
    number = given(client, village)

    following = to(decide(client, village, "different", number=number))

    assert "list=centres" in following
    assert given(client, village) != number


def test_two_coordinators_are_given_two_pairs_and_the_list_says_who_has_which(village: House) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby", "Siby CSCOM")
    mine, theirs = signed_in(village, language="en"), signed_in(village, "djeneba", "en")

    first, second = given(mine, village), given(theirs, village)
    listed = read(mine, at(village, "?list=centres"))
    freed = given(theirs, village)
    told = read(mine, at(village, "?list=centres"))

    assert first != second
    assert holders(listed) == {second: "Djeneba"}
    assert freed == first
    assert holders(told) == {first: "Djeneba"}


def test_a_program_hears_who_else_has_a_pair_or_a_submission_open(
    village: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = signed_in(village, "djeneba", "en")
    djeneba = {"id": village.djeneba.actor_id, "name": "Djeneba"}

    number = number_in(to(theirs.get(at(village, "/next"))))
    read(theirs, at(village, f"/{number}"))
    pairs = [the_pair(village), shown(village.baraka.get(f"matches/{number}")), shown(village.djeneba.get("matches"))]
    read(theirs, f"/projects/{village.pid}/review")
    [first, *others] = shown(village.baraka.get("review"))["submissions"]
    let_go = the_pair(village)
    moment = clock.now() + dt.timedelta(minutes=4)
    monkeypatch.setattr(clock, "now", lambda: moment)
    later = shown(village.baraka.get("review"))["submissions"]

    assert [pairs[0]["held_by"], pairs[1]["held_by"], pairs[2]["matches"][0]["held_by"]] == [djeneba, djeneba, None]
    assert first["held_by"] == djeneba
    assert others
    assert {one["held_by"] for one in [*others, let_go, *later]} == {None}


def test_a_pair_left_for_later_and_one_of_a_closed_laptop_are_given_to_others(
    village: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby", "Siby CSCOM")
    mine, theirs = signed_in(village, language="en"), signed_in(village, "djeneba", "en")
    first = given(mine, village)
    [later] = {link for link in Page(read(mine, at(village, f"/{first}?list=centres"))).links if "left=" in link}

    second = number_in(to(mine.get(later)))
    taken_up = given(theirs, village)
    third = number_in(to(theirs.get(at(village, f"/next?list=centres&left={first}"))))
    moment = clock.now() + dt.timedelta(minutes=4)
    monkeypatch.setattr(clock, "now", lambda: moment)
    freed = number_in(to(theirs.get(at(village, f"/next?list=centres&left={first}"))))

    assert taken_up == first
    assert len({first, second, third}) == 3
    assert freed == second


def test_the_only_pair_is_in_one_hand_and_decided_over_it_where_somebody_opens_it(village: House) -> None:
    mine, theirs = signed_in(village, language="en"), signed_in(village, "djeneba", "en")
    number = the_pair(village)["id"]
    page = read(mine, to(mine.get(at(village, "/next"))))

    told = read(theirs, to(theirs.get(at(village, "/next"))))
    opened = read(theirs, at(village, f"/{number}"))
    decided = decide(theirs, village, "different", number=number)
    late = send(mine, at(village), at(village, f"/{number}"), {"decision": "same", "seen": Page(page).hidden["seen"]})

    assert "What is left is open with Baraka at this moment" in told
    assert "Begin with the first pair" not in told
    assert "Baraka has this pair open" in opened
    assert decided.status_code == 303
    assert late.status_code == 409
    assert "Djeneba said: different" in late.get_data(as_text=True)


@ONCE
def test_who_has_a_pair_open_has_no_submission(village: House) -> None:
    mine, theirs = signed_in(village, language="en"), signed_in(village, "djeneba", "en")
    review = f"/projects/{village.pid}/review"

    read(mine, review)
    meanwhile = read(theirs, review)
    read(mine, to(mine.get(at(village, "/next"))))
    afterwards = read(theirs, review)

    assert "Reviewing now too: Baraka" in meanwhile
    assert "Reviewing now too" not in afterwards


@ONCE
def test_two_organisations_are_not_called_people(village: House) -> None:
    with_centres(village, "CSCOM Siby", "Cscom de Siby")
    client = signed_in(village, language="en")
    first = to(client.get(at(village, "/next?list=centres")))

    page = read(client, first)
    answer = client.post(
        first.partition("?")[0] + "?list=centres", data={**Page(page).hidden, "decision": "same", "reason": ""}
    )
    told = read(client, to(client.get(to(answer))))

    assert "one organisation or two?" in page
    assert "person" not in page.partition("<main")[2].partition("</form>")[0]
    assert "” are one organisation." in told


@ONCE
def test_what_hangs_on_pairs_is_said_as_the_api_says_it(village: House) -> None:
    client = signed_in(village, language="en")
    found = shown(village.baraka.get("matches/waiting?lang=en"))

    whole = read(client, at(village, "/waiting?list=people"))
    part = client.get(at(village, "/waiting?list=people"), headers={"HX-Request": "true"}).get_data(as_text=True)
    of_pair = read(client, at(village, f"/{the_pair(village)['id']}/figures"))

    assert f"{found['open']} pair is to be decided" in whole
    assert all(one["words"] in html.unescape(whole) for one in found["figures"])
    assert f"on {found['deciding']} of them" in whole
    assert "<html" not in part
    assert ("People reached" in of_pair) == bool(the_pair(village)["effect"])


def test_each_issue_of_one_moment_says_on_how_many_pairs_its_figures_hung_and_so_do_their_pages(house: House) -> None:
    places = "code,name,level,parent,latitude,longitude,aliases\nML-2-S,Siby,commune,,,,Siby|Siby-ville\n"
    shown(house.djeneba.put("places", data=places, headers={"Content-Type": "text/csv"}))
    head, row = "| date      | unit    |", "| ${day}    | people  |"
    publish_gathering(house, GATHERING.replace(head, f"{head} place |").replace(row, f"{row} ${{village}} |"))
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali", phone="", born=""))
    shown(house.djeneba.put("statements/results/en", data="We reached {{ reached(place='siby-VILLE') }}."))
    event = shown(house.djeneba.get("figures?indicator=reached"))["as_of"]["event"]
    client, said = signed_in(house, language="en"), "(1 to 2, depending on one pair not reviewed)"

    for number in (1, 2):
        shown(house.djeneba.post("statements/results/issues", json={"as_of": event, "title": f"No. {number}"}))
        house.amina.send(a_gathering(2 + number, first="Oumou", last="Keita", phone="", born="1975"))

    for number in (1, 2):
        issue = read(client, f"/projects/{house.pid}/statements/results/issues/{number}")
        [figure] = re.findall(r'<a class="figure" href="([^"]*)">', issue)
        assert said in issue
        assert said in read(client, html.unescape(figure))


def test_what_was_written_before_its_pairs_were_known_is_not_given_out_to_whoever_has_read_them(house: House) -> None:
    publish_gathering(house)
    house.amina.send(a_gathering(1), a_gathering(2, first="Dieneba", last="Koulibali", phone="", born=""))
    shown(house.djeneba.put("statements/results/en", data="We reached {{ reached }}."))
    event = shown(house.djeneba.get("figures?indicator=reached"))["as_of"]["event"]
    client, page = signed_in(house, "djeneba", language="en"), f"/projects/{house.pid}/statements/results"
    asked = {"as_of": event, "title": "As I read it", "period": "all", "place": ""}
    looked = read(client, f"{page}?period=all")
    house.amina.send(a_gathering(3, first="Oumou", last="Keita", phone="", born="1975"))
    shown(house.djeneba.post("statements/results/issues", json={"as_of": event, "title": "Unread"}))

    answer = send(client, f"{page}/issue?as_of={event}", f"{page}/issue", asked)

    said = "(1 to 2, depending on one pair not reviewed)"
    assert said in looked
    assert said in read(client, answer.headers["Location"])


@ONCE
def test_what_hangs_on_many_pairs_is_told_as_of_when_it_was_worked_out(
    village: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "DEAR_SECONDS", 0.0)
    client = signed_in(village, language="en")
    page = at(village, "/waiting?list=people")

    first = read(client, page)
    decide(client, village, "same")
    later = read(client, page)
    [anew] = {link for link in Page(later).links if "fresh=yes" in link}

    assert "1 pair is to be decided" in first
    assert "As it stood" not in first
    assert "1 pair is to be decided" in later
    assert "As it stood" in later
    assert "0 pairs are to be decided" in read(client, anew)
    assert "0 pairs are to be decided" in read(client, page)


@ONCE
def test_the_surest_are_confirmed_after_a_preview_and_taken_back_at_once(village: House) -> None:
    client = signed_in(village, language="en")
    least = int(the_pair(village)["probability"] * 100)
    form = {"list": "people", "percent": str(max(50, least))}

    preview = send(client, at(village, "/bulk"), at(village, "/bulk"), {**form, "act": "preview"}).get_data(
        as_text=True
    )
    state = the_pair(village)["state"]
    done = to(send(client, at(village, "/bulk"), at(village, "/bulk"), {**form, "act": "confirm", "reason": "sure"}))
    notice = read(client, done)
    [undo] = set(re.findall(r'action="([^"]+/undo)"', notice))
    again = read(client, to(client.post(undo, data={"__csrf": Page(notice).hidden["__csrf"], "list": "people"})))

    assert "1 pair would be confirmed" in preview
    assert state == "open"
    assert "can be taken back at once" in notice
    assert "1 pair is to be decided again" in again
    assert the_pair(village)["state"] == "open"


@ONCE
def test_what_a_visit_adds_to_figures_is_said_by_name(village: House) -> None:
    client, pair = signed_in(village, language="en"), the_pair(village)
    person = read(client, f"/projects/{village.pid}/people/people/{pair['a']['id']}")
    visit = next(link for link in Page(person).links if "/submissions/" in link).partition("#")[0]

    page = read(client, visit)

    added = page[page.index("What it adds to figures") :]
    assert f">{pair['a']['label']}<" in added


@ONCE
def test_a_person_shows_records_visits_figures_and_decisions(village: House) -> None:
    client = signed_in(village, language="en")
    pair = the_pair(village)
    decide(client, village, "same", reason="one and the same")

    page = read(client, f"/projects/{village.pid}/people/people/{pair['a']['id']}")

    assert "2 records stand for this person" in page
    assert "2 visits" in page
    assert page.count(">People reached</a>") == 2
    assert "one and the same" in page
    assert client.get(f"/projects/{village.pid}/people/people/nobody").status_code == 404


@ONCE
def test_a_list_is_searched_however_a_name_is_spelt_and_shows_a_row_with_its_history(village: House) -> None:
    client = signed_in(village, language="en")
    lists = read(client, f"/projects/{village.pid}/lists")
    found = read(client, f"/projects/{village.pid}/lists/people?q=jeneba")
    nobody = read(client, f"/projects/{village.pid}/lists/people?q=Zan")
    person = read(client, next(link for link in Page(found).links if "/people/people/" in link))
    row = read(client, next(link for link in Page(person).links if "/rows/" in link))

    assert f"/projects/{village.pid}/lists/people" in Page(lists).links
    assert "Koulibali" in found
    assert "Keita" not in found
    assert "Nobody is called like that" in nobody
    assert "gathering" in row


@ONCE
def test_what_people_wrote_into_names_runs_nowhere(village: House) -> None:
    client = signed_in(village)
    people = shown(village.baraka.get("people?q=oumou"))["people"]
    uuid = people[0]["stands"]["id"]

    pages = [
        read(client, f"/projects/{village.pid}/people/people/{uuid}"),
        read(client, f"/projects/{village.pid}/lists/people/rows/{uuid}"),
        read(client, f"/projects/{village.pid}/lists/people"),
        read(client, f"/projects/{village.pid}/lists/people?q=%3Cscript%3E%22"),
    ]

    assert all("<script>alert" not in page for page in pages)
    assert "{{ 7 * 7 }}" in pages[0]


@ONCE
def test_a_file_is_compared_first_and_only_that_file_is_loaded(village: House) -> None:
    client = signed_in(village, language="en")
    path = f"/projects/{village.pid}/lists/people/load"
    rows = b"first_name,last_name,birth_year,village,commune\nMoussa,Sangare,1955,Kangaba,Kangaba\n"

    def hand_in(content: bytes, **more: str) -> TestResponse:
        return send(client, path, path, {"file": (io.BytesIO(content), "register.csv"), **more})

    faulty = hand_in(rows.replace(b"1955", b"long ago"), act="preview").get_data(as_text=True)
    compared = hand_in(rows, act="preview").get_data(as_text=True)
    crowded = hand_in(rows + rows.splitlines(keepends=True)[1] * 200, act="preview").get_data(as_text=True)
    stamp = Page(compared).hidden["seen"]
    other = hand_in(rows.replace(b"Moussa", b"Madou"), act="load", seen=stamp)
    empty = hand_in(b"", act="preview")
    size = len(shown(village.baraka.get("datasets/people/entities")))
    loaded = read(client, to(hand_in(rows, act="load", seen=stamp)))

    assert "is not a year of birth" in faulty
    assert 'name="seen"' not in faulty
    assert "somebody new" in compared
    assert "compared with nobody" not in compared
    assert "201 rows were compared with nobody" in crowded
    assert (other.status_code, empty.status_code, size) == (400, 400, 3)
    assert "1 new row" in loaded
    assert len(shown(village.baraka.get("datasets/people/entities"))) == 4


def test_rows_in_conflict_are_marked_and_settled(house: House) -> None:
    client = signed_in(house, language="en")
    made = shown(house.djeneba.post("datasets", json={"name": "wells"}))["name"]
    house.djeneba.post(f"datasets/{made}/properties", json={"name": "depth"})
    row = shown(house.baraka.post(f"datasets/{made}/entities", json={"label": "Well 1", "data": {"depth": "5"}}))
    path = f"/projects/{house.pid}/lists/wells/rows/{row['uuid']}"
    mark_conflict(house, row["uuid"])

    listed = read(client, f"/projects/{house.pid}/lists/wells?conflicts=true")
    page = read(client, path)
    stale = send(client, path, f"{path}/settle", {"version": "7"})
    settled = to(send(client, path, f"{path}/settle", {"version": Page(page).hidden["version"]}))

    assert "Well 1" in listed
    assert "contradict" in page
    assert stale.status_code == 409
    assert "in no conflict any more" in read(client, settled)
    assert "No row is in conflict" in read(client, f"/projects/{house.pid}/lists/wells?conflicts=true")


def mark_conflict(house: House, uuid: str) -> None:
    with house.app.app_context():
        begin_writing(session())
        session().execute(update(Entity).where(Entity.id == uuid).values(conflict="hard"))
        session().commit()


@ONCE
def test_pages_of_a_project_without_a_compared_list_say_what_to_do(house: House) -> None:
    client = signed_in(house, language="en")

    assert "matching" in read(client, at(house))
    assert client.get(at(house, "/next")).status_code == 404
    assert client.get(at(house, "/12345")).status_code == 404


@ONCE
@pytest.mark.parametrize("query", ["cursor=x", "state=odd", "likely=odd", "done=x", "list=nothing", "cursor=1_nan_2"])
def test_what_no_page_leads_to_is_refused_and_breaks_nothing(village: House, query: str) -> None:
    client = signed_in(village)

    assert client.get(at(village, f"?{query}")).status_code in (400, 404)
    assert client.get(at(village, f"/next?{query}")).status_code in (303, 400, 404)


def test_the_trail_names_what_was_done_before_what_was_looked_at(village: House) -> None:
    client, trail = signed_in(village, "djeneba", "en"), f"/projects/{village.pid}/team/trail"
    pair = the_pair(village)
    name = f"{pair['a']['label']} / {pair['b']['label']}"
    read(client, at(village))
    read(client, f"/projects/{village.pid}/people/people/{pair['a']['id']}")
    decide(client, village, "different")
    decide(client, village, "open", number=pair["id"])

    deeds, all_of_it = read(client, trail), read(client, f"{trail}?looks=yes")

    assert f"took back a decision about a possible duplicate: {name}<" in deeds
    assert f"decided about a possible duplicate: {name} (different)" in deeds
    assert "looked" not in deeds.split("<table")[1]
    assert "looked through possible duplicates: " in all_of_it
    assert f"looked at a person: {pair['a']['label']}<" in all_of_it
    assert "looked at a person: " in read(client, f"{trail}?act=people.viewed")


@ONCE
def test_who_looked_at_a_pair_or_a_person_is_in_the_audit_trail(village: House) -> None:
    client = signed_in(village)
    pair = the_pair(village)
    read(client, at(village, f"/{pair['id']}"))
    read(client, f"/projects/{village.pid}/people/people/{pair['a']['id']}")

    acts = [(act["action"], act.get("details")) for act in shown(village.sekou.get("/v1/audits?limit=50"))]

    assert {"match.viewed", "people.viewed"} <= {action for action, _ in acts}
