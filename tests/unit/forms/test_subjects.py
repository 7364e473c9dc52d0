"""Whom a visit is about: the first that the form makes, changes or counts, or the first of the list that it names."""

import datetime as dt

import pytest

from forms.indicators.contributing import Contribution
from forms.indicators.sheets import Indicator, Sheets
from forms.indicators.subjects import subject_of
from forms.xforms.entities import EntityAction

PEOPLE = Indicator("trained", subject="people", aggregate="distinct")
CENTRES = Indicator("centres", subject="centres", aggregate="distinct")


def an_action(list_name: str, entity_id: str) -> EntityAction:
    return EntityAction(list_name, entity_id, True, False, "", {}, None, None, None, "/data/meta/entity")


def a_row(indicator: Indicator, subject: str | None) -> Contribution:
    return Contribution(indicator.name, 0, subject, dt.date(2026, 11, 20), None, None, None, None, None, ())


@pytest.mark.parametrize(
    ("named", "about"),
    [("", "households/7"), ("none", "households/7"), ("people", "people/3"), ("centres", "centres/5")],
)
def test_a_visit_is_about_the_first_of_the_list_that_the_workbook_names(named: str, about: str) -> None:
    sheets = Sheets("visit", indicators=(PEOPLE, CENTRES), subject=named)
    actions = [an_action("households", "7"), an_action("people", "3"), an_action("people", "4")]
    rows = [a_row(PEOPLE, "8"), a_row(CENTRES, None), a_row(CENTRES, "5"), a_row(CENTRES, "6")]

    assert subject_of(sheets, actions, rows) == about


def test_where_nothing_is_made_a_visit_is_about_whom_an_indicator_counts() -> None:
    rows = [a_row(PEOPLE, None), a_row(CENTRES, "5")]

    assert subject_of(Sheets("visit", indicators=(PEOPLE, CENTRES)), [], rows) == "5"
    assert subject_of(Sheets("visit", indicators=(PEOPLE, CENTRES), subject="people"), [], rows) is None
