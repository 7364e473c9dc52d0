"""A filled form taken apart into fields and put together again: what nobody touched stays as it was, to the letter."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from demo import population
from demo.visits import Visit
from forms.form import NoLists
from forms.programmes.programme import Programme, files_of, read_programme
from forms.xforms.answers import instance_from
from forms.xforms.editing import Typed, answers_with, is_same, only_own, texts_of, typed_of
from forms.xforms.instance import Instance, read_instance
from forms.xforms.model import Form
from tests.support.forms import compiled

DEFINITIONS = Path(__file__).parents[3] / "forms" / "definitions"
WORKBOOKS = sorted({path.stem.partition(".")[0] for path in (DEFINITIONS / "forms").rglob("*.xlsx")})
NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
TZ = ZoneInfo("Africa/Bamako")
VISIT = """
    | survey  |                       |       |       |
    |         | type                  | name  | label |
    |         | text                  | name  | Name  |
    |         | time                  | hour  | Hour  |
    |         | select_multiple crops | crops | Crops |
    |         | image                 | photo | Photo |
    |         | begin repeat          | field | Field |
    |         | decimal               | area  | Area  |
    |         | end repeat            | field |       |
    | choices |                       |       |       |
    |         | list_name             | name  | label |
    |         | crops                 | rice  | Rice  |
    |         | crops                 | maize | Maize |
"""


@cache
def programme() -> Programme:
    return read_programme(files_of(DEFINITIONS))


@cache
def visits() -> dict[str, list[Visit]]:
    found: dict[str, list[Visit]] = {}
    for visit in population.make().visits:
        if visit.xml is None:
            found.setdefault(visit.form, []).append(visit)
    return found


def filled(form: Form, answers: object, instance_id: str = "uuid:1", **more: object) -> Instance:
    made = {"instance_id": instance_id, "recorded_at": NOON, "tz": TZ, "lists": NoLists(), **more}
    return read_instance(instance_from(form, answers, **made))  # type: ignore[arg-type]


def told(instance: Instance) -> bytes:
    """What was answered, without whose version it is."""
    for name in ("instanceID", "deprecatedID"):
        for element in list(instance.root.iter(name)):
            instance.root.find("meta").remove(element)  # type: ignore[union-attr]
    return etree.tostring(instance.root)


@pytest.mark.parametrize("name", WORKBOOKS)
def test_what_nobody_has_touched_stays_as_it_was_sent(name: str) -> None:
    forms = {
        workbook.form.version: workbook.form for workbook in programme().workbooks if workbook.form.form_id == name
    }
    several = [visit for visit in visits()[name] if visit.version in forms]
    assert several

    for visit in several[:: max(1, len(several) // 25)]:
        form = forms[visit.version]
        sent = filled(form, visit.answers, visit.instance_id)
        answers = texts_of(form, sent)
        typed = typed_of(form, answers)
        assert is_same(form, typed, typed_of(form, answers))
        assert answers_with(form, answers, typed) == answers

        again = filled(form, answers_with(form, answers, typed), "uuid:2", first_id=visit.instance_id)

        assert told(again) == told(sent)


def test_only_what_was_typed_is_another_answer() -> None:
    form = compiled(VISIT)
    answers = {
        "name": "Awa\nTraoré ",
        "hour": "07:30:00.000+01:00",
        "crops": "maize rice",
        "photo": "1.jpg",
        "field": [{"area": "0.50"}, {"area": "1"}],
    }
    typed = typed_of(form, answers)
    assert typed.values["/data/hour"] == "07:30"
    assert "/data/photo" not in typed.values

    as_browsers_write = {"/data/name": "Awa\r\nTraoré ", "/data/crops": "rice maize", "/data/field[2]/area": "3"}
    edited = answers_with(form, answers, Typed({**typed.values, **as_browsers_write}, typed.turns))

    assert edited == {**answers, "field": [{"area": "0.50"}, {"area": "3"}]}


def test_a_new_time_is_in_the_zone_of_the_old_one() -> None:
    form = compiled(VISIT)
    answers = {"hour": "07:30:00.000+01:00"}

    assert answers_with(form, answers, Typed({"/data/hour": "09:05"}, {}))["hour"] == "09:05:00.000+01:00"
    assert answers_with(form, answers, Typed({"/data/hour": ""}, {}))["hour"] is None
    assert answers_with(form, {}, Typed({"/data/hour": "09:05"}, {}))["hour"] == "09:05"


def test_iterations_keep_their_numbers_while_others_come_and_go() -> None:
    form = compiled(VISIT)
    answers = {"field": [{"area": "1"}, {"area": "2"}]}

    edited = answers_with(form, answers, Typed({"/data/field[3]/area": "3"}, {"/data/field": [2, 3]}))

    assert edited["field"] == [{"area": "2"}, {"area": "3"}]


def test_what_is_ones_own_is_what_stood_otherwise_before() -> None:
    form = compiled(VISIT)
    before = typed_of(form, {"name": "Awa", "crops": "rice maize", "field": [{"area": "1"}]})
    typed = Typed({**before.values, "/data/name": "Bintou", "/data/crops": "maize rice"}, {"/data/field": [1, 2]})

    own = only_own(form, typed, before)

    assert own == Typed({"/data/name": "Bintou"}, {"/data/field": [1, 2]})
    assert not is_same(form, typed, before)
