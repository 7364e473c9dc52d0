"""The quarantine on pages: why something waits, what was sent, and what a coordinator does with it."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from tests.support.pages import Page, read, send, signed_in
from tests.support.people import publish_gathering
from tests.support.projects import a_sale
from tests.support.web import House, shown

ONCE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def waiting(house: House, state: str = "open") -> list[str]:
    return [item["id"] for item in shown(house.baraka.get(f"quarantine?state={state}"))["items"]]


def at(house: House, path: str = "") -> str:
    return f"/projects/{house.pid}/quarantine{path}"


def decide(house: House, item: str, **values: str) -> TestResponse:
    client = signed_in(house, language="en")
    return send(client, at(house, f"/{item}"), at(house, f"/{item}"), values)


@ONCE
def test_each_item_says_why_it_waits_and_what_was_sent(house: House) -> None:
    house.amina.send(a_sale(1, version="9", seller="<script>alert(1)</script>"))
    client = signed_in(house, language="en")
    listed = read(client, at(house))
    [item] = waiting(house)

    page = read(client, at(house, f"/{item}"))

    assert "Publish that version" in listed
    assert at(house, f"/{item}") in Page(listed).links
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_what_waits_is_counted_and_shown_by_reason(house: House) -> None:
    house.amina.send(a_sale(1, version="9"), a_sale(2, version="9"), {"instance_id": "uuid:x", "form": "odd"})
    client = signed_in(house, language="en")

    every, some = read(client, at(house)), read(client, at(house, "?reason=unknown_version"))

    assert "3 waiting for a decision" in every
    assert "2 waiting for a decision" in some
    assert "(2)" in every


def test_a_conflict_shows_both_by_their_questions_what_differs_first(house: House) -> None:
    house.amina.send(a_sale(1, sacks=4, seller="Awa <b>Coulibaly</b>"))
    house.amina.send(a_sale(1, sacks=9, seller="Awa <b>Coulibaly</b>", remark="counted again"))
    [item] = waiting(house)

    page = read(signed_in(house, language="en"), at(house, f"/{item}"))

    cells = r'<td data-of="1">(.*?)</td><td data-of="2">(.*?)</td>'
    rows = re.findall(r'<tr class="(agrees|differs)">.*?scope="row">([^<&]+).*?' + cells, page, re.DOTALL)
    differing = [(label, one, other) for kind, label, one, other in rows if kind == "differs"]
    assert ("Sacks", "4", "9") in differing
    assert next(row[2] for row in differing if row[0] == "Remark") == "counted again"
    assert [kind for kind, *_rest in rows[: len(differing)]] == ["differs"] * len(differing)
    assert "Awa &lt;b&gt;Coulibaly&lt;/b&gt;" in [row[2] for row in rows]


@ONCE
def test_a_conflict_is_accepted_as_a_correction(house: House) -> None:
    house.amina.send(a_sale(1, sacks=4))
    house.amina.send(a_sale(1, sacks=9))
    [item] = waiting(house)

    answer = decide(house, item, action="accept_as_edit")
    notice = read(signed_in(house, language="en"), answer.headers["Location"])

    assert answer.status_code == 303
    assert "became a new version" in notice
    assert any("/submissions/" in link for link in Page(notice).links)
    assert waiting(house) == []


def test_what_was_accepted_as_a_correction_leads_back_to_what_it_replaced_while_that_is_the_last_act(
    house: House,
) -> None:
    house.amina.send(a_sale(1, sacks=4))
    house.amina.send(a_sale(1, sacks=9))
    [item] = waiting(house)
    client, said = signed_in(house, language="en"), decide(house, item, action="accept_as_edit").headers["Location"]

    [undo] = [link for link in Page(read(client, said)).links if "/edit/back" in link]
    page = read(client, undo)
    back = {**Page(page).hidden, "act": "save", "reason": "It was the first that was right."}
    send(client, undo, undo.partition("/back")[0], back)

    assert "Go back to version 1?" in page
    [row] = shown(house.fanta.get("forms/sale.svc/Submissions"))["value"]
    assert (row["sacks"], row["__system"]["edits"]) == (4, 2)
    assert not any("/edit/back" in link for link in Page(read(client, said)).links)


@ONCE
def test_the_first_act_is_the_one_that_resolves_what_waits(house: House) -> None:
    house.amina.send(a_sale(1, sacks=4), a_sale(2, version="9"))
    house.amina.send(a_sale(1, sacks=9), {"instance_id": "uuid:x", "form": "sale", "xml": "<data"})
    client = signed_in(house, language="en")

    first = {
        item["reason"]: re.search(r"<button(?! class=\"quiet-button\").*?>([\w ]+?)( <kbd>|<)", decided)[1]  # type: ignore[index]
        for item in shown(house.baraka.get("quarantine?state=open"))["items"]
        if (decided := read(client, at(house, f"/{item['id']}")).partition("<h2>Decide</h2>")[2])
    }

    assert first == {
        "conflict": "Accept it as a correction of what is stored",
        "unknown_version": "Try again",
        "unreadable": "Discard it",
    }


@ONCE
def test_discarding_asks_for_a_reason_and_is_found_again(house: House) -> None:
    house.amina.send(a_sale(1, version="9"))
    [item] = waiting(house)

    unsaid = decide(house, item, action="discard")
    said = decide(house, item, action="discard", reason="a test of the tablet")
    found = read(signed_in(house, language="en"), at(house, "?state=discarded"))
    again = decide(house, item, action="retry")

    assert unsaid.status_code == 400
    assert "Say why it is discarded" in unsaid.get_data(as_text=True)
    assert said.status_code == 303
    assert "a test of the tablet" in found
    assert again.status_code == 409


@ONCE
def test_what_was_discarded_can_be_taken_back(house: House) -> None:
    house.amina.send(a_sale(1, version="9"))
    [item] = waiting(house)
    done = decide(house, item, action="discard", reason="by mistake")
    notice = read(signed_in(house, language="en"), done.headers["Location"])
    page = read(signed_in(house, language="en"), at(house, f"/{item}"))

    back = decide(house, item, action="restore")
    twice = decide(house, item, action="restore")

    assert "Undo" in notice
    assert "Will be erased" in page
    assert "waits again" in read(signed_in(house, language="en"), back.headers["Location"])
    assert twice.status_code == 409
    assert waiting(house) == [item]


@ONCE
def test_what_cannot_be_filed_yet_stays_and_says_so(house: House) -> None:
    house.amina.send(a_sale(1, version="9"))
    [item] = waiting(house)

    answer = decide(house, item, action="retry")
    page = read(signed_in(house, language="en"), answer.headers["Location"])

    assert "could not be filed" in page
    assert waiting(house) == [item]


@ONCE
def test_a_second_correction_of_one_visit_that_is_tried_again_still_waits(house: House) -> None:
    house.amina.send(a_sale(1), a_sale(2, edits=1), a_sale(3, edits=1))
    [item] = waiting(house)

    answer = decide(house, item, action="retry")
    page = read(signed_in(house, language="en"), answer.headers["Location"])

    assert "It was tried again and could not be filed: conflict with what is stored." in page
    assert waiting(house) == [item]


@ONCE
def test_what_waits_for_another_reason_after_a_try_is_not_called_filed(house: House) -> None:
    shown(house.djeneba.patch("forms/sale", json={"state": "closed"}))
    house.amina.send(a_sale(2, edits=1), a_sale(4, edits=3))
    first, _second = waiting(house)
    shown(house.djeneba.patch("forms/sale", json={"state": "open"}))

    one = read(signed_in(house, language="en"), decide(house, first, action="retry").headers["Location"])
    others = send(signed_in(house, language="en"), at(house), at(house, "/retry"), {"reason": "form_closed"})

    assert "could not be filed: waits for another reason now." in one
    assert "filed=0" in others.headers["Location"]
    assert len(waiting(house)) == 2


@ONCE
def test_what_was_filed_by_itself_says_so(house: House) -> None:
    house.amina.send(a_sale(2, edits=1))
    house.amina.send(a_sale(1))

    page = read(signed_in(house, language="fr"), at(house, "?state=resolved"))

    assert "repris de lui-même" in page
    assert "released" not in page


@ONCE
def test_many_are_tried_again_at_once(house: House) -> None:
    house.amina.send(a_sale(1, version="9"), a_sale(2, version="9"), {"instance_id": "uuid:x", "form": "gathering"})
    publish_gathering(house)
    client = signed_in(house, language="en")

    answer = send(client, at(house), at(house, "/retry"), {"reason": "unknown_version"})
    page = read(client, answer.headers["Location"])
    odd = send(client, at(house), at(house, "/retry"), {"reason": "odd"})

    assert "2 were tried again" in page
    assert "The others wait as before" in page
    assert odd.status_code == 400


@ONCE
def test_nothing_that_waits_is_said_kindly_and_strangers_find_nothing(house: House) -> None:
    house.amina.send(a_sale(1, version="9"))
    [item] = waiting(house)

    assert "There is no such entry" in read(signed_in(house, language="en"), at(house, "?state=resolved"))
    assert signed_in(house, "fanta").get(at(house, f"/{item}")).status_code == 403
    assert signed_in(house).get(f"/projects/{house.other}/quarantine/{item}").status_code == 404
    assert signed_in(house).get(at(house, "/999")).status_code == 404


@ONCE
@pytest.mark.parametrize(
    "sent",
    [
        b'<!DOCTYPE d [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><data id="sale"><x>&b;</x></data>',
        b"<data><unfinished",
        b"\xff\xfe\x00 not a text",
        b"<data>" * 5000,
    ],
)
def test_whatever_was_sent_can_be_looked_at(house: House, sent: bytes) -> None:
    house.amina.send({"instance_id": "uuid:odd", "form": "sale", "version": "1", "xml": sent.decode("latin-1")})
    items = waiting(house)

    pages = [read(signed_in(house), at(house, f"/{item}")) for item in items]

    assert len(pages) == 1
