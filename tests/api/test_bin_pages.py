"""The bin on pages: what was deleted, by whom, until when, and back out of it."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import update

from server import clock
from server.db import session
from sync.models import Submission
from sync.models.database import begin_writing
from tests.api.test_purging import purge
from tests.support.pages import Page, read, send, signed_in
from tests.support.projects import KEPT_FOR, a_sale
from tests.support.web import House, refused, shown

ONCE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def at(house: House, path: str = "") -> str:
    return f"/projects/{house.pid}/bin{path}"


def deleted(house: House, count: int) -> list[str]:
    """So many submissions, all deleted by Djeneba; the last deleted first."""
    house.amina.send(*(a_sale(number) for number in range(1, count + 1)))
    rows = shown(house.baraka.get("review"))["submissions"]
    for row in rows:
        assert house.djeneba.delete(f"forms/sale/submissions/{row['instance_id']}").status_code == 200
    return [row["id"] for row in reversed(rows)]


def test_the_bin_says_who_deleted_what_and_gives_it_back(house: House) -> None:
    number = deleted(house, 1)[0]
    client = signed_in(house, "djeneba", "en")
    page = read(client, at(house))

    answer = send(client, at(house), at(house, f"/{number}/restore"), {})
    after = read(client, answer.headers["Location"])

    assert "1 deleted submission" in page
    assert "Djeneba" in page
    assert "back in lists and figures" in after
    assert "No submission was deleted" in after
    assert [row["id"] for row in shown(house.baraka.get("review"))["submissions"]] == [number]


def test_a_long_bin_is_read_page_by_page_and_nothing_is_left_out(house: House) -> None:
    numbers = deleted(house, 5)
    with house.app.app_context():
        begin_writing(session())  # all in the same moment, so that only the number tells them apart
        session().execute(update(Submission).values(deleted_at=clock.now()))
        session().commit()
    client, seen, path = signed_in(house, "djeneba", "en"), [], at(house, "?limit=2")
    for _ in range(3):
        page = read(client, path)
        seen += [number for number in numbers if at(house, f"/{number}/restore") in page]
        following = [link for link in Page(page).links if "cursor=" in link and "lang=" not in link]
        path = f"{following[0]}&limit=2" if following else ""

    assert sorted(seen) == sorted(numbers)
    assert path == ""


@ONCE
def test_a_deleted_form_lies_there_too(house: House) -> None:
    assert house.djeneba.delete("forms/sale").status_code == 200
    client = signed_in(house, "djeneba", "en")

    page = read(client, at(house))

    assert "Deleted forms" in page
    assert '<code class="quiet">sale</code>' in page


@ONCE
def test_only_who_may_delete_sees_the_bin(house: House) -> None:
    number = deleted(house, 1)[0]

    assert signed_in(house).get(at(house)).status_code == 403
    assert signed_in(house, "djeneba").get(f"/projects/{house.other}/bin").status_code == 404
    assert signed_in(house, "djeneba").get(at(house, "?cursor=x-y")).status_code == 400
    assert send(signed_in(house, "djeneba"), at(house), at(house, "/999/restore"), {}).status_code == 404
    assert shown(house.djeneba.get("forms/sale/submissions?deleted=true"))[0]["deletedAt"] is not None
    assert number


def test_a_project_that_keeps_longer_is_purged_later(house: House) -> None:
    deleted(house, 1)
    assert house.djeneba.patch("", json={"keep_deleted": 60}).status_code == 200

    assert purge(house, KEPT_FOR + dt.timedelta(hours=1)) == 0
    assert purge(house, dt.timedelta(days=60, hours=1)) == 1


def test_what_was_discarded_from_the_quarantine_is_purged_like_what_was_deleted(house: House) -> None:
    house.amina.send(a_sale(1, version="9"), a_sale(2, version="9"))
    gone, back = [item["id"] for item in shown(house.baraka.get("quarantine?state=open"))["items"]]
    for item in (gone, back):
        house.baraka.post(f"quarantine/{item}/resolve", json={"action": "discard", "reason": "a test"})
    assert shown(house.baraka.post(f"quarantine/{back}/resolve", json={"action": "restore"}))["state"] == "open"

    assert purge(house, KEPT_FOR - dt.timedelta(hours=1)) == 0
    assert purge(house, KEPT_FOR + dt.timedelta(hours=1)) == 1

    assert refused(house.baraka.get(f"quarantine/{gone}")) == 404.1
    assert shown(house.baraka.get(f"quarantine/{back}"))["resolution"] is None
