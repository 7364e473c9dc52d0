"""The pages of submissions and of their review, without a script: found, looked at, decided about, undone, deleted."""

from __future__ import annotations

import datetime as dt
import html
import io
import re
from typing import Any
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from PIL import Image
from werkzeug.test import TestResponse

from server import clock, current
from server.db import session
from sync.journal import open_journal
from sync.models import ReviewLease
from sync.projects.publish import publish_form
from sync.review.queue import Searched, search
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import NOON, a_sale, instance_id, workbook_of
from tests.support.web import House, shown

HOSTILE = "<script>alert(1)</script>"
TRAINING = """
    | survey       |         |         |         |          |
    | type         | name    | label   | save_to | required |
    | date         | day     | Day     |         |          |
    | begin_repeat | guests  | Guest   |         |          |
    | text         | called  | Name    | called  |          |
    | text         | village | Village |         | yes      |
    | end_repeat   | guests  |         |         |          |
    | entities     |         |         |         |          |
    | list_name    | label   |         |         |          |
    | people       | ${called} |       |         |          |
    | matching     |         |         |         |          |
    | list_name    | property | role   |         |          |
    | people       | called  | full_name |       |          |
    | indicators   |         |         |         |          |
    | name         | label   | each    | aggregate | subject |
    | guests       | Guests  | guests  | distinct | people  |
"""
CENSUS = """
    | survey                |            |           |
    | type                  | name       | label     |
    | begin_repeat          | households | Household |
    | select_multiple crops | crops      | Crops     |
    | begin_repeat          | people     | Person    |
    | text                  | called     | Name      |
    | end_repeat            | people     |           |
    | end_repeat            | households |           |
    | choices               |            |           |
    | list_name             | name       | label     |
    | crops                 | maize      | Maize     |
    | crops                 | rice       | Rice      |
"""
ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sold(house: House) -> House:
    """Five sales; the second one breaks a rule, the third has a name that would run."""
    house.amina.send(
        a_sale(1, village="Kita"),
        a_sale(2, sacks=-4),
        a_sale(3, seller=HOSTILE),
        a_sale(4, remark="Pluie d'été"),
        a_sale(5, sacks=12),
    )
    return house


def rows(house: House) -> dict[str, dict[str, Any]]:
    """By instance id what REST says of each submission."""
    return {row["instance_id"]: row for row in shown(house.baraka.get("review"))["submissions"]}


def number_of(house: House, sale: int) -> int:
    return int(rows(house)[instance_id(sale)]["id"])


def state_of(house: House, sale: int) -> str | None:
    state: str | None = rows(house)[instance_id(sale)]["reviewState"]
    return state


def listed(house: House, client: FlaskClient, query: str = "") -> list[int]:
    """The numbers of the submissions that a list shows, from the top."""
    page = Page(read(client, f"/projects/{house.pid}/submissions{query}"))
    found = [re.search(r"/submissions/(\d+)$", link) for link in page.links]
    return [int(one[1]) for one in found if one]


def is_further(link: str) -> bool:
    """Whether a search goes on there, by itself if it did before."""
    return "cursor=" in link and "lang=" not in link and "by=hand" not in link


def is_by_hand(link: str) -> bool:
    """Whether a search that was stopped goes on there."""
    return "cursor=" in link and "lang=" not in link and "by=hand" in link


def further_of(page: str) -> str:
    """Where a search goes on by itself."""
    return html.unescape(re.findall(r'hx-get="([^"]+)" hx-trigger="load"', page)[0])


def decide(house: House, client: FlaskClient, sale: int, **values: Any) -> TestResponse:
    number = number_of(house, sale)
    page = f"/projects/{house.pid}/submissions/{number}"
    seen = Page(read(client, page)).hidden["seen"]
    return send(client, page, f"{page}/decision", {"seen": seen, "was": "received", **values})


def in_the_queue(text: str) -> int:
    """The submission that the queue shows."""
    found = re.search(r"/submissions/(\d+)/decision\"><input[^>]*><input type=\"hidden\" name=\"seen\"", text)
    assert found, text
    return int(found[1])


def seen_to_undo(text: str) -> str:
    """What the button says that undoes the last decision in the queue."""
    found = re.search(r'name="undo" value="yes"><input type="hidden" name="seen" value="(\d+)"', text)
    assert found, text
    return found[1]


@pytest.mark.parametrize(("most", "than"), [(1000, ""), (1, "≥ ")])
def test_each_flag_says_how_many_of_what_is_sought_have_it(
    sold: House, monkeypatch: pytest.MonkeyPatch, most: int, than: str
) -> None:
    monkeypatch.setattr("sync.review.queue._MOST_FLAGGED", most)
    client = signed_in(sold, language="en")
    sold.amina.send(a_sale(8, sacks=-1), batch="b8")
    decide(sold, client, 8, decision="approved")

    def counted(page: str) -> list[str]:
        text = read(client, f"/projects/{sold.pid}/{page}")
        return re.findall(r'<option value="(?:constraint|match)"[^>]*>[^<(]*\(([^)]*)\)<', text)

    every = "1" if most == 1 else "2"
    assert counted("submissions") == [f"{than}{every}", f"{than}0"]
    assert counted("submissions?state=approved&flag=match&form=sale") == [f"{than}1", f"{than}0"]
    assert counted("review") == [f"{than}{int(every) - 1}", f"{than}0"]
    assert counted("review/many?place=nowhere") == [f"{than}0", f"{than}0"]


def test_a_list_finds_what_is_asked_for(sold: House) -> None:
    client = signed_in(sold, language="en")
    ids = {sale: number_of(sold, sale) for sale in range(1, 6)}
    decide(sold, client, 5, decision="approved")

    assert listed(sold, client) == [ids[sale] for sale in (5, 4, 3, 2, 1)]
    assert listed(sold, client, "?state=approved") == [ids[5]]
    assert listed(sold, client, "?state=undecided") == [ids[sale] for sale in (4, 3, 2, 1)]
    assert listed(sold, client, "?flag=constraint") == [ids[2]]
    assert listed(sold, client, "?state=flagged") == [ids[2]]
    assert listed(sold, client, "?flag=double_save") == []
    assert listed(sold, client, "?words=PLUIE") == [ids[4]]
    assert listed(sold, client, "?words=100%25") == []
    assert listed(sold, client, f"?collector={sold.amina.actor_id}&form=sale") == [ids[s] for s in (5, 4, 3, 2, 1)]
    assert listed(sold, client, "?collector=999") == []
    assert listed(sold, client, "?to=2020-01-01") == []
    assert len(listed(sold, client, "?from=2020-01-01&to=9999-12-31")) == 5
    assert "Nothing was found" in read(client, f"/projects/{sold.pid}/submissions?to=2020-01-01")
    assert "5 submissions" in read(client, f"/projects/{sold.pid}/submissions")


def test_pages_of_a_list_follow_each_other_without_a_gap(sold: House) -> None:
    client = signed_in(sold)
    sold.amina.send(*(a_sale(number) for number in range(6, 60)), batch="b2")

    first = Page(read(client, f"/projects/{sold.pid}/submissions?state=received"))
    following = next(link for link in first.links if "cursor=" in link)
    second = listed(sold, client, following[following.index("?") :])

    assert len(listed(sold, client, "?state=received")) == 50
    assert len(second) == 9
    assert "state=received" in following


def test_beside_what_a_search_finds_stand_the_answers_with_the_words_those_of_one_person_first(house: House) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("training", "1", TRAINING))
        journal.close()
        session().commit()
    guests = [
        ("Sali Traoré", "Kita"),
        ("Moussa <b> Diallo", "Siby"),
        ("Awa Cissé", "Siby"),
        ("Salimata", "Diallobougou"),
    ]
    answers = {"day": "2026-11-01", "guests": [{"called": called, "village": village} for called, village in guests]}
    house.amina.send({**a_sale(1, form="training"), "answers": answers})
    page = read(signed_in(house, language="en"), f"/projects/{house.pid}/submissions?words=diallo+SALI")

    hits = re.findall(r'<span class="hit">(.*?)</span>', page)

    assert hits == [
        "Guest 4 – Name: <mark>Sali</mark>mata",
        "Guest 4 – Village: <mark>Diallo</mark>bougou",
        "Guest 1 – Name: <mark>Sali</mark> Traoré",
        "Guest 2 – Name: Moussa &lt;b&gt; <mark>Diallo</mark>",
    ]


@ON_SQLITE
def test_an_answer_of_several_choices_is_told_by_their_names_and_a_turn_within_a_turn_by_both(house: House) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("census", "1", CENSUS))
        journal.close()
        session().commit()
    households = [
        {"crops": ["maize", "rice"], "people": [{"called": "Awa"}, {"called": "Awa"}]},
        {"crops": ["rice"], "people": [{"called": "Moussa"}, {"called": "Awa Maize"}]},
    ]
    house.amina.send({**a_sale(1, form="census"), "answers": {"households": households}})
    page = read(signed_in(house, language="en"), f"/projects/{house.pid}/submissions?words=awa+maize")

    hits = re.findall(r'<span class="hit">(.*?)</span>', page)

    assert hits == [
        "Household 2 – Person 2 – Name: <mark>Awa</mark> <mark>Maize</mark>",
        "Household 1 – Crops: <mark>Maize</mark>, Rice",
        "Household 1 – Person 1 – Name: <mark>Awa</mark>",
        "Household 1 – Person 2 – Name: <mark>Awa</mark>",
    ]


@ON_SQLITE
def test_a_search_in_vain_says_for_what_and_leads_to_the_list_in_which_somebody_is_called_so(house: House) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("training", "1", TRAINING))
        journal.close()
        session().commit()
    shown(house.djeneba.post("datasets/people/entities", json={"label": "Fanta", "data": {"called": "Fanta Keïta"}}))
    client, base = signed_in(house, language="en"), f"/projects/{house.pid}"

    known, unknown = (read(client, f"{base}/submissions?words={words}") for words in ("Keita+Fanta", "Nobody"))

    assert "No submission has “Keita Fanta” in its answers." in known
    assert f"{base}/lists/people?q=Keita+Fanta" in Page(known).links
    assert "No submission has “Nobody” in its answers." in unknown
    assert not any("/lists/people" in link for link in Page(unknown).links)


@ON_SQLITE
def test_words_are_looked_for_in_portions_until_all_was_looked_at(sold: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 2)
    client, path = signed_in(sold), f"/projects/{sold.pid}/submissions?words=Kita"
    found = []
    for _ in range(5):
        text = read(client, path)
        found += [link for link in Page(text).links if re.search(r"/submissions/\d+$", link)]
        further = [link for link in Page(text).links if "cursor=" in link and "lang=" not in link]
        if not further:
            break
        path = further[0]

    assert found == [f"/projects/{sold.pid}/submissions/{number_of(sold, 1)}"]


def test_a_search_keeps_what_it_has_found_and_says_how_far_it_has_come(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 2)
    monkeypatch.setattr("server.pages.submissions.searching._SECONDS", 0)
    client, path = signed_in(sold, language="en"), f"/projects/{sold.pid}/submissions?words=sacks"
    ids = {sale: number_of(sold, sale) for sale in range(1, 6)}
    pages: list[str] = []
    shown_there: list[list[int]] = []
    while path:
        pages.append(read(client, path))
        shown_there.append(listed(sold, client, path[path.index("?") :]))
        path = next((link for link in Page(pages[-1]).links if is_further(link)), "")

    assert shown_there == [[ids[5], ids[4]], [ids[5], ids[4], ids[3], ids[2]], [ids[sale] for sale in (5, 4, 3, 2, 1)]]
    assert "2 found so far" in pages[0]
    assert "2 of 5 submissions looked through" in pages[0]
    assert 'hx-trigger="load"' in pages[0]
    assert f'<meta http-equiv="refresh" content="1; url={html.escape(further_of(pages[0]))}">' in pages[0]
    assert "5 found" in pages[2]
    assert "5 submissions were looked through, which are all." in pages[2]
    assert 'hx-trigger="load"' not in pages[2]
    assert "refresh" not in pages[2]


@ON_SQLITE
def test_a_search_goes_on_by_itself_until_a_page_is_full_or_somebody_stops_it(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 2)
    monkeypatch.setattr("server.pages.submissions.searching._SECONDS", 0)
    client, path = signed_in(sold, language="en"), f"/projects/{sold.pid}/submissions?words=Kita"
    first = read(client, path)

    part = client.get(further_of(first), headers={"HX-Request": "true"}).get_data(as_text=True)
    last = client.get(further_of(part), headers={"HX-Request": "true"}).get_data(as_text=True)
    stopped = read(client, next(link for link in Page(first).links if "by=hand" in link))
    further = next(link for link in Page(stopped).links if is_by_hand(link))
    monkeypatch.setattr("server.pages.submissions.searching.PAGE", 2)
    full = read(client, path.replace("Kita", "sacks"))
    following = next(link for link in Page(full).links if is_further(link))

    assert part.lstrip().startswith('<div id="far"')
    assert "4 of 5 submissions looked through" in part
    assert "/submissions/" not in part
    assert f"/submissions/{number_of(sold, 1)}" in last
    assert 'id="told" hx-swap-oob="innerHTML"><strong>1 found' in last
    assert "4 of 5 submissions looked through" in stopped
    assert "1 found" in read(client, further)
    assert 'hx-trigger="load"' not in stopped + last
    assert "Next page" in full
    assert 'hx-trigger="load"' not in full
    assert "4 found so far" in read(client, following)


@pytest.mark.parametrize("found", ["x", "1,", "1" * 30, "-1", "1\n"])
def test_an_odd_address_of_a_search_is_refused_in_words(sold: House, found: str) -> None:
    answer = signed_in(sold).get(f"/projects/{sold.pid}/submissions", query_string={"words": "Kita", "found": found})

    assert answer.status_code == 400


@pytest.mark.parametrize("page", ["submissions?state=received", "review?form=sale"])
def test_a_long_list_is_counted_out_when_that_is_asked_for(
    sold: House, monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    client, address = signed_in(sold, language="en"), f"/projects/{sold.pid}/{page}"
    plainly = read(client, address)
    monkeypatch.setattr("server.pages.submissions.submissions._MOST_COUNTED", 2)

    text = read(client, address)
    link = next(link for link in Page(text).links if "count=all" in link)
    counted = read(client, urljoin(address, link))

    said = next(re.finditer(r"([0-9]+) (submissions|to be reviewed)", plainly))
    assert int(said[1]) > 2
    assert ("2 or more" in text, said[0] in text) == (True, False)
    assert ("or more" in counted, said[0] in counted) == (False, True)


def test_a_view_is_saved_for_oneself_or_for_all_and_deleted(sold: House) -> None:
    client, other = signed_in(sold, language="en"), signed_in(sold, "djeneba", "en")
    page, to = f"/projects/{sold.pid}/submissions?state=flagged", f"/projects/{sold.pid}/submissions/views"
    for name, shared in (("Mine <b>", ""), ("Ours", "yes"), ("Ours", "yes")):
        answer = send(client, page, to, {"name": name, "shared": shared, "state": "flagged"})
        assert answer.status_code == 303

    mine, theirs = read(client, page), read(other, page)
    assert mine.count(">Ours</a>") == 1
    assert "Mine &lt;b&gt;" in mine
    assert "Ours" in theirs
    assert "Mine" not in theirs
    assert "state=flagged" in answer.headers["Location"]
    deleted = re.findall(r'action="([^"]+/views/\d+/delete)"', mine)
    assert [send(other, page, path, {}).status_code for path in deleted].count(404) == 1
    refused = send(client, page, to, {"name": " ", "state": "flagged"})
    assert refused.status_code == 400
    assert 'value="flagged"' in refused.get_data(as_text=True)


def test_a_submission_is_approved_and_the_decision_undone(sold: House) -> None:
    client = signed_in(sold, language="en")

    answer = decide(sold, client, 1, decision="approved")
    decided = state_of(sold, 1)
    page = read(client, answer.headers["Location"])
    undo = send(
        client,
        answer.headers["Location"],
        f"/projects/{sold.pid}/submissions/{number_of(sold, 1)}/decision",
        {"decision": "received", "undo": "yes", "seen": Page(page).hidden["seen"]},
    )

    assert answer.status_code == 303
    assert decided == "approved"
    assert "Undo" in page
    assert (undo.status_code, state_of(sold, 1)) == (303, None)
    assert "Undone" in read(client, undo.headers["Location"])


def test_sending_back_takes_a_sentence_and_the_device_is_told(sold: House) -> None:
    client = signed_in(sold, language="en")

    silent = decide(sold, client, 2, decision="hasIssues")
    with_template = decide(sold, client, 2, decision="hasIssues", template="number")
    own = decide(sold, client, 4, decision="hasIssues", template="", comment=HOSTILE)

    assert silent.status_code == 400
    assert "Say what is to be corrected" in silent.get_data(as_text=True)
    assert (with_template.status_code, own.status_code) == (303, 303)
    assert (state_of(sold, 2), state_of(sold, 4)) == ("hasIssues", "hasIssues")
    text = read(client, f"/projects/{sold.pid}/submissions/{number_of(sold, 2)}")
    assert "A number looks wrong" in text
    assert "Review: has issues" in text
    assert "To be corrected by Amina." in text
    assert "This form does not ask what is corrected" in text
    assert "&lt;script&gt;" in read(client, f"/projects/{sold.pid}/submissions/{number_of(sold, 4)}")


def test_whoever_comes_second_sees_what_the_first_decided_and_decides_again(sold: House) -> None:
    first, second = signed_in(sold, "djeneba", "en"), signed_in(sold, "baraka", "en")
    path = f"/projects/{sold.pid}/submissions/{number_of(sold, 1)}"
    seen = Page(read(second, path)).hidden["seen"]
    decide(sold, first, 1, decision="rejected")

    late = send(second, path, f"{path}/decision", {"decision": "hasIssues", "seen": seen, "comment": "typed words"})
    text = late.get_data(as_text=True)
    again = send(
        second, path, f"{path}/decision", {"decision": "approved", "seen": Page(text).hidden["seen"], "was": "rejected"}
    )

    assert late.status_code == 409
    assert "It is now: rejected" in text
    assert "Djeneba" in text
    assert "typed words" in text
    assert (again.status_code, state_of(sold, 1)) == (303, "approved")


@ON_SQLITE
def test_a_broken_rule_is_told_in_the_words_of_the_form(sold: House) -> None:
    text = read(signed_in(sold, language="en"), f"/projects/{sold.pid}/submissions/{number_of(sold, 2)}")

    assert '<strong>constraint not met</strong> – <a href="#/data/sacks">Sacks</a>' in text
    assert '<span id="/data/sacks">Sacks</span>' in text
    assert "Rule: the answer ≥ 0" in text
    assert re.search(r'class="differs">-4 <span class="wrong">', text)


@ON_SQLITE
def test_what_leads_to_a_long_visit_leads_to_the_very_turn_that_it_is_about(house: House) -> None:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("training", "1", TRAINING))
        journal.close()
        session().commit()
    guests = [{"called": "Awa Traoré", "village": "Siby"}, {"called": "Binta Koné"}]
    house.amina.send(a_sale(1, form="training") | {"answers": {"day": "2026-11-20", "guests": guests}})
    client, path = signed_in(house, language="en"), f"/projects/{house.pid}"

    evidence = Page(read(client, f"{path}/figures/guests")).links
    [visit] = {link.partition("#")[0] for link in evidence if "/submissions/" in link}
    text = read(client, visit)
    [row] = shown(house.baraka.get("forms/training/submissions"))
    people = shown(house.baraka.get("datasets/people/entities"))
    person = Page(read(client, f"{path}/people/people/{people[0]['uuid']}")).links

    assert {link.partition("#")[2] for link in evidence if link.startswith(visit)} == {"guests:1", "guests:2"}
    assert row["instanceId"] == instance_id(1)
    assert '<strong>answer missing</strong> – <a href="#guests%3A2">' in text
    assert all(f'<span id="{anchor}">' in text for anchor in ("guests:1", "guests:2", people[0]["uuid"]))
    assert f"{visit}#{people[0]['uuid']}" in person
    assert f'<a href="#{people[0]["uuid"]}">{people[0]["currentVersion"]["label"]}</a>' in text


@ON_SQLITE
@pytest.mark.parametrize(
    ("language", "sacks", "day"), [("fr", "12\u202f345", "1er\xa0nov.\xa02026"), ("en", "12,345", "1\xa0Nov\xa02026")]
)
def test_numbers_and_days_are_written_as_the_language_writes_them(
    house: House, language: str, sacks: str, day: str
) -> None:
    house.amina.send(a_sale(1, sacks=12345))

    page = read(signed_in(house, language=language), f"/projects/{house.pid}/submissions/{number_of(house, 1)}")

    assert sacks in page
    assert day in page


def test_what_a_version_changed_is_told_question_by_question(sold: House) -> None:
    sold.amina.send(a_sale(6, edits=5, sacks=20, remark=HOSTILE), batch="b3")
    text = read(signed_in(sold, language="en"), f"/projects/{sold.pid}/submissions/{number_of(sold, 5)}")

    assert re.search(r"Sacks</span></td>.*<del>12</del>.*<ins>20</ins>", text)
    assert "<ins>&lt;script&gt;" in text
    assert "Its answers were corrected" in text
    assert "instanceID" not in text


@ON_SQLITE
def test_a_comment_is_added_and_an_empty_one_refused(sold: House) -> None:
    client, path = signed_in(sold, language="en"), f"/projects/{sold.pid}/submissions/{number_of(sold, 3)}"

    said = send(client, path, f"{path}/comments", {"body": "Who is this?"})
    empty = send(client, path, f"{path}/comments", {"body": "   "})

    assert said.status_code == 303
    assert "Who is this?" in read(client, path)
    assert empty.status_code == 400
    assert Page(empty.get_data(as_text=True)).runs == []


def test_a_submission_is_deleted_after_a_question_and_restored(sold: House) -> None:
    client = signed_in(sold, "djeneba", "en")
    number = number_of(sold, 1)
    path = f"/projects/{sold.pid}/submissions/{number}"

    asked = read(client, f"{path}/delete")
    deleted = send(client, f"{path}/delete", f"{path}/delete", {})
    gone = client.get(path).status_code
    restored = send(client, deleted.headers["Location"], f"{path}/restore", {})

    assert "It leaves lists and figures at once: " in asked
    assert deleted.status_code == 303
    assert gone == 404
    assert "counts as before" in read(client, restored.headers["Location"])


@ON_SQLITE
def test_a_photo_is_shown_small_without_what_the_camera_wrote(house: House) -> None:
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (12.0, 22.0, 0.0)}
    exif[0x010E] = "a secret of the camera"
    buffer = io.BytesIO()
    Image.new("RGB", (2000, 1000), "tan").save(buffer, "JPEG", exif=exif)
    house.amina.send(a_sale(1, photo="well.jpg"), a_sale(2, photo="fake.jpg"))
    for sale, name, content in ((1, "well.jpg", buffer.getvalue()), (2, "fake.jpg", b"<svg onload=alert(1)>")):
        target = f"forms/sale/submissions/{instance_id(sale)}/attachments/{name}"
        shown(house.baraka.post(target, data=content, headers={"Content-Type": "image/jpeg"}))
    client = signed_in(house)
    path = f"/projects/{house.pid}/submissions/{number_of(house, 1)}"

    text = read(client, path)
    answer = client.get(f"{path}/photos/well.jpg")
    again = client.get(f"{path}/photos/well.jpg", headers={"If-None-Match": answer.headers["ETag"]})

    assert 'src="' + f"{path}/photos/well.jpg" in text
    assert (answer.status_code, answer.mimetype, again.status_code) == (200, "image/webp", 304)
    picture = Image.open(io.BytesIO(answer.data))
    assert (picture.format, picture.size, dict(picture.getexif())) == ("WEBP", (640, 320), {})
    assert b"secret" not in answer.data
    fake = client.get(f"/projects/{house.pid}/submissions/{number_of(house, 2)}/photos/fake.jpg")
    assert fake.status_code == 404
    assert signed_in(house, "fanta").get(f"{path}/photos/well.jpg").status_code == 403
    assert signed_in(house, "coumba").get(f"{path}/photos/well.jpg").status_code == 404


def test_the_trail_has_the_photos_of_each_submission_on_a_line_of_their_own(house: House) -> None:
    house.amina.send(a_sale(1, photo="well.jpg"), a_sale(2, photo="well.jpg"))
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG")
    client, trail = signed_in(house, "djeneba", "en"), f"/projects/{house.pid}/team/trail"
    for sale in (1, 2):
        target = f"forms/sale/submissions/{instance_id(sale)}/attachments/well.jpg"
        shown(house.baraka.post(target, data=buffer.getvalue(), headers={"Content-Type": "image/jpeg"}))
    for sale in (1, 1, 2, 2, 2):
        client.get(f"/projects/{house.pid}/submissions/{number_of(house, sale)}/photos/well.jpg")

    page = read(client, f"{trail}?looks=yes")

    assert re.findall(r"looked at a submission: (?!\d)[^<(]+ \((\d) files\)", page) == ["3", "2"]


def test_the_trail_says_what_was_decided_and_has_the_photos_of_a_page_on_one_line(house: House) -> None:
    house.amina.send(a_sale(1, photo="well.jpg"))
    number = number_of(house, 1)
    buffer = io.BytesIO()
    Image.new("RGB", (9, 9)).save(buffer, "JPEG")
    target = f"forms/sale/submissions/{instance_id(1)}/attachments/well.jpg"
    shown(house.baraka.post(target, data=buffer.getvalue(), headers={"Content-Type": "image/jpeg"}))
    client, trail = signed_in(house, "djeneba", "en"), f"/projects/{house.pid}/team/trail"
    for _ in range(3):
        client.get(f"/projects/{house.pid}/submissions/{number}/photos/well.jpg")
    for decision in ("rejected", "received"):
        page = f"/projects/{house.pid}/submissions/{number}"
        seen = Page(read(client, page)).hidden["seen"]
        assert send(client, page, f"{page}/decision", {"decision": decision, "seen": seen}).status_code == 303

    page = read(client, f"{trail}?looks=yes")

    assert re.search(r"decided on a submission: [^<]+ \(rejected\)", page)
    assert re.search(r"took back a decision on a submission: (?!\d)[^<(]+<", page)
    assert len(re.findall(r"looked at a submission: (?!\d)[^<]+ \(3 files\)", page)) == 1
    assert not re.search(r"looked at a submission: [^<]*well.jpg", page)


@ON_SQLITE
def test_a_photo_that_lies_on_its_side_is_shown_upright_and_one_made_to_fill_the_memory_not_at_all(
    house: House,
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    files = {"well.jpg": io.BytesIO(), "vast.png": io.BytesIO(), "vast.webp": io.BytesIO()}
    Image.new("RGB", (2000, 1000), "tan").save(files["well.jpg"], "JPEG", exif=exif)
    Image.new("1", (5000, 5000)).save(files["vast.png"], "PNG")
    Image.new("RGB", (5000, 5000)).save(files["vast.webp"], "WEBP", method=0)
    house.amina.send(*(a_sale(number, photo=name) for number, name in enumerate(files, start=1)))
    client, answers = signed_in(house), {}
    for number, (name, content) in enumerate(files.items(), start=1):
        target = f"forms/sale/submissions/{instance_id(number)}/attachments/{name}"
        shown(house.baraka.post(target, data=content.getvalue(), headers={"Content-Type": "image/jpeg"}))
        answers[name] = client.get(f"/projects/{house.pid}/submissions/{number_of(house, number)}/photos/{name}")

    assert Image.open(io.BytesIO(answers["well.jpg"].data)).size == (320, 640)
    assert [answers[name].status_code for name in files] == [200, 404, 404]


@ON_SQLITE
def test_a_small_picture_goes_with_its_photo(house: House) -> None:
    with house.app.app_context():
        store = current.store()
        sha256 = store.put(b"photo")
        store.beside(sha256, "webp").write_bytes(b"small")
        store.set_aside(sha256)

        assert not store.beside(sha256, "webp").exists()


def test_the_queue_shows_one_after_the_other_with_an_undo_for_the_last(sold: House) -> None:
    client, base = signed_in(sold, language="en"), f"/projects/{sold.pid}/review"
    text = read(client, base)
    first = in_the_queue(text)
    seen = Page(text).hidden["seen"]

    decided = send(
        client,
        base,
        f"/projects/{sold.pid}/submissions/{first}/decision",
        {"decision": "approved", "seen": seen, "was": "received", "queue": "yes"},
    )
    second = read(client, decided.headers["Location"])
    undone = send(
        client,
        decided.headers["Location"],
        f"/projects/{sold.pid}/submissions/{first}/decision",
        {"decision": "received", "undo": "yes", "queue": "yes", "seen": seen_to_undo(second)},
    )

    assert first == number_of(sold, 5)
    assert in_the_queue(second) == number_of(sold, 4)
    assert "Undo" in second
    assert "4 to be reviewed" in second
    assert in_the_queue(read(client, f"{base}?after={first}")) == number_of(sold, 4)
    assert undone.status_code == 303


def test_one_is_flagged_in_the_queue_as_something_to_look_at_again(sold: House) -> None:
    client, base = signed_in(sold, language="en"), f"/projects/{sold.pid}/review"
    text = read(client, base)
    given = {"decision": "hasIssues", "template": "again", "seen": Page(text).hidden["seen"], "queue": "yes"}

    flagged = send(client, base, f"/projects/{sold.pid}/submissions/{in_the_queue(text)}/decision", given)

    assert re.search(r'name="template" value="again"><button name="decision" value="hasIssues"[^>]* data-key="f"', text)
    assert flagged.status_code == 303
    assert in_the_queue(read(client, flagged.headers["Location"])) == number_of(sold, 4)
    assert state_of(sold, 5) == "hasIssues"
    assert "Something looks odd" in read(client, f"/projects/{sold.pid}/submissions/{number_of(sold, 5)}")


def test_two_coordinators_are_shown_two_submissions_and_a_closed_laptop_frees_its_own(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = signed_in(sold, "baraka", "en"), signed_in(sold, "djeneba", "en")
    base = f"/projects/{sold.pid}/review"

    here, there = read(mine, base), read(theirs, base)
    again = read(mine, base)
    later = clock.now() + dt.timedelta(minutes=4)
    monkeypatch.setattr(clock, "now", lambda: later)
    left = read(theirs, base)

    assert in_the_queue(here) == in_the_queue(again) == number_of(sold, 5)
    assert in_the_queue(there) == number_of(sold, 4)
    assert "Reviewing now too: Baraka" in there
    assert in_the_queue(left) == number_of(sold, 5)
    with sold.app.app_context():
        assert session().query(ReviewLease).count() == 2


def test_words_in_the_queue_are_looked_for_a_while_at_a_time(sold: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sync.review.queue.SEARCHED_AT_ONCE", 2)
    client, base, last = signed_in(sold, language="en"), f"/projects/{sold.pid}/review", number_of(sold, 2)
    path = f"{base}?words=Kita"
    at_once = read(client, path)
    monkeypatch.setattr("server.pages.submissions.review._SECONDS", 0)
    pages = [read(client, path)]
    while path := next((link for link in Page(pages[-1]).links if is_further(link)), ""):
        pages.append(read(client, path))

    assert in_the_queue(at_once) == in_the_queue(pages[-1]) == number_of(sold, 1)
    assert ["2 submissions looked through, back to" in page for page in pages] == [True, True, False]
    assert "Nothing is to be reviewed with these filters." in read(client, f"{base}?words=Nowhere&cursor={last}")


def test_whoever_takes_one_while_another_looks_for_words_has_it_alone(
    sold: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = signed_in(sold, "baraka", "en"), signed_in(sold, "djeneba", "en")
    path, there = f"/projects/{sold.pid}/review?words=sacks", []

    def found_by_another(*asked: Any) -> Searched:
        found = search(*asked)
        if not there:
            there.append("")
            there[0] = read(theirs, path)
        return found

    monkeypatch.setattr("server.pages.submissions.review.search", found_by_another)
    here = read(mine, path)

    assert in_the_queue(there[0]) == number_of(sold, 5)
    assert in_the_queue(here) == number_of(sold, 4)
    assert "Reviewing now too: Djeneba" in here


def test_the_second_decision_in_the_queue_is_not_taken_over_the_first(sold: House) -> None:
    client, base = signed_in(sold, language="en"), f"/projects/{sold.pid}/review"
    text = read(client, base)
    number, seen = in_the_queue(text), Page(text).hidden["seen"]
    target = f"forms/sale/submissions/{instance_id(5)}"
    shown(sold.djeneba.patch(target, json={"reviewState": "rejected"}))

    late = send(
        client,
        base,
        f"/projects/{sold.pid}/submissions/{number}/decision",
        {"decision": "approved", "seen": seen, "was": "received", "queue": "yes"},
    )

    assert late.status_code == 409
    assert "It is now: rejected" in late.get_data(as_text=True)
    assert in_the_queue(late.get_data(as_text=True)) == number
    assert state_of(sold, 5) == "rejected"


def test_many_are_decided_about_after_a_look_at_the_figures_and_undone_at_once(sold: House) -> None:
    client, path = signed_in(sold, language="en"), f"/projects/{sold.pid}/review/many"
    page = f"{path}?state=received"
    values = {"state": "received", "decision": "rejected", "comment": "Sent for training"}

    told = send(client, page, path, values | {"act": "preview"})
    text = told.get_data(as_text=True)
    before = state_of(sold, 1)
    done = send(client, page, path, values | {"act": "decide", "seen": Page(text).hidden["seen"]})
    decided = [state_of(sold, sale) for sale in range(1, 6)]
    after = read(client, done.headers["Location"])
    undo = re.search(r'action="([^"]+/review/many/\d+/undo)"', after)
    undone = send(client, page, undo[1] if undo else "", {"state": "received"})

    assert told.status_code == 200
    assert "5 submissions would change" in text
    shifts = re.findall(r'data-of="Before">([^<]*)</td><td class="number" data-of="After">([^<]*)<', text)
    assert shifts == [("20.0", "0.0"), ("5", "0")]
    assert before is None
    assert decided == ["rejected"] * 5
    assert "5 submissions are now: rejected" in after
    assert "Undone: 5 submissions" in read(client, undone.headers["Location"])
    assert [state_of(sold, sale) for sale in range(1, 6)] == [None] * 5


@ON_SQLITE
def test_who_decides_about_many_says_what_and_why(sold: House) -> None:
    client, path = signed_in(sold, language="en"), f"/projects/{sold.pid}/review/many"

    nothing = send(client, path, path, {"act": "preview"})
    silent = send(client, path, path, {"act": "decide", "decision": "hasIssues"})
    unknown = send(client, path, path, {"act": "decide", "decision": "fine"})

    assert [answer.status_code for answer in (nothing, silent, unknown)] == [400] * 3
    assert "Choose what is to be decided" in nothing.get_data(as_text=True)
    assert state_of(sold, 1) is None


@ON_SQLITE
@pytest.mark.parametrize(
    "query",
    [
        "?state=fine",
        "?flag=fine",
        "?collector=x",
        "?from=yesterday",
        "?cursor=x",
        "?words=%00",
        "?place=%00",
        "?from=0001-01-01",
    ],
)
def test_a_filter_that_there_is_not_is_refused_and_breaks_nothing(sold: House, query: str) -> None:
    client = signed_in(sold)

    for page in ("submissions", "review", "review/many"):
        assert client.get(f"/projects/{sold.pid}/{page}{query}").status_code in (200, 400)


@ON_SQLITE
def test_only_those_who_review_have_these_pages(sold: House) -> None:
    number = number_of(sold, 1)
    pages = ["submissions", f"submissions/{number}", "review", "review/many", f"submissions/{number}/delete"]
    acts = [f"submissions/{number}/decision", f"submissions/{number}/comments", "submissions/views", "review/many"]

    for name, expected in (("fanta", 403), ("coumba", 404)):
        client = signed_in(sold, name)
        for page in pages:
            assert (name, page, client.get(f"/projects/{sold.pid}/{page}").status_code) == (name, page, expected)
        for act in acts:
            csrf = Page(client.get("/").get_data(as_text=True)).hidden["__csrf"]
            answer = client.post(f"/projects/{sold.pid}/{act}", data={"__csrf": csrf})
            assert (name, act, answer.status_code) == (name, act, expected)
    coordinator = signed_in(sold)
    assert coordinator.get(f"/projects/{sold.pid}/submissions/{number}/delete").status_code == 403
    assert coordinator.post(f"/projects/{sold.pid}/submissions/{number}/decision", data={}).status_code in (400, 403)


@ON_SQLITE
def test_all_of_it_can_be_read_in_french_and_bambara(sold: House) -> None:
    for language, approve, skip in (("fr", "Approuver", "Passer"), ("bm", "Sɔn a ma", "Passer")):
        page = read(signed_in(sold, language=language), f"/projects/{sold.pid}/review")
        assert approve in page
        assert skip in page  # which nobody has said in Bambara yet


@ON_SQLITE
def test_nobody_has_sent_anything_yet(house: House) -> None:
    client = signed_in(house, language="en")

    assert "Nothing has arrived yet" in read(client, f"/projects/{house.pid}/submissions")
    assert "Nothing is to be reviewed" in read(client, f"/projects/{house.pid}/review")
    assert "Nothing was found" in read(client, f"/projects/{house.pid}/review/many")
