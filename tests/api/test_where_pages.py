"""Where a submission was made: a small drawing on its page, with nothing fetched from anywhere else."""

from __future__ import annotations

import html
from typing import Any

import pytest

from server.db import session
from sync.journal import open_journal
from sync.projects.publish import publish_form
from tests.support.pages import read, signed_in
from tests.support.projects import NOON, a_sale, workbook_of
from tests.support.web import House, shown

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WALK = """
    | survey       |       |             |
    | type         | name  | label       |
    | geopoint     | spot  | The spot    |
    | geotrace     | way   | The way     |
    | begin repeat | field | Field       |
    | geoshape     | edge  | Its edge    |
    | end repeat   | field |             |
"""
NEAR_SIBY = "12.3800 -8.3300 400 5"
SQUARE = "12.38 -8.33 0 0;12.38 -8.32 0 0;12.39 -8.32 0 0;12.39 -8.33 0 0;12.38 -8.33 0 0"


@pytest.fixture
def walked(house: House) -> House:
    with house.app.app_context():
        journal = open_journal(session(), house.pid, None, NOON)
        publish_form(journal, workbook_of("walk", "1", WALK))
        journal.close()
        session().commit()
    return house


def page_of(house: House, answers: dict[str, Any]) -> str:
    assert house.amina.outcomes(a_sale(1, form="walk") | {"answers": answers}) == ["stored"]
    number = next(int(row["id"]) for row in shown(house.baraka.get("review"))["submissions"])
    return html.unescape(read(signed_in(house, language="en"), f"/projects/{house.pid}/submissions/{number}"))


def test_points_lines_and_areas_are_drawn_and_said(walked: House) -> None:
    text = page_of(walked, {"spot": NEAR_SIBY, "way": SQUARE[: SQUARE.rindex(";")], "field": [{"edge": SQUARE}]})

    assert 'href="geo:12.380000,-8.330000"' in text
    assert "12.38000, -8.33000" in text
    assert 'class="land"' in text
    assert text.count('<circle class="bar"') == 3
    assert "Its edge (1)" in text
    assert "121.04 ha" in text
    assert "4 points · 3,288 m" in text
    assert 'class="trace" d="M' in text
    assert text.count("http") == text.count("http://www.w3.org")  # nothing is fetched from elsewhere


def test_what_is_no_position_on_earth_is_not_drawn(walked: House) -> None:
    text = page_of(walked, {"spot": "95 400", "way": "<script> 1;nan nan", "field": [{"edge": "12.38 -8.33 0 0"}]})

    assert text.count('<circle class="bar"') == 1  # an area of one point is a point
    assert "geo:95" not in text


def test_a_submission_that_says_nothing_about_where_has_no_drawing(walked: House) -> None:
    assert "geo:" not in page_of(walked, {})


def test_the_review_queue_draws_it_too(walked: House) -> None:
    page_of(walked, {"spot": NEAR_SIBY})

    text = read(signed_in(walked, language="en"), f"/projects/{walked.pid}/review")

    assert 'href="geo:12.380000,-8.330000"' in text
    assert text.count('<circle class="bar"') == 1
