"""What is measured is what is said: visits of that size, under as many rules as the benchmark names, breaking none."""

import datetime as dt
from zoneinfo import ZoneInfo

from bench.programme import FORM, SURVEY, workbook
from bench.visits import batch_of, visit
from forms.form import NoLists
from forms.indicators.contributing import compile_feeds, contributions_of
from forms.workbooks.workbook import read_workbook
from forms.xforms.check import check
from forms.xforms.entities import entity_actions
from forms.xforms.instance import read_instance

TZ = ZoneInfo("Africa/Bamako")
NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)


def test_the_measured_form_has_as_many_rules_as_it_says() -> None:
    header, *rows = SURVEY
    questions = [dict(zip(header, row, strict=True)) for row in rows if row[0] not in ("start", "end", "today")]

    assert len(questions) == 40
    assert sum(bool(question["constraint"]) for question in questions) == 15
    assert sum(bool(question["relevant"]) for question in questions) == 10
    assert sum(bool(question["calculation"]) for question in questions) == 5


def test_measured_visits_break_no_rule_and_feed_everything() -> None:
    book = read_workbook(workbook(), f"{FORM}.xlsx")
    feeds = compile_feeds(book.form, book.sheets)
    instances = [read_instance(visit(number).xml.encode()) for number in range(100)]

    flags = [flag for one in instances for flag in check(book.form, one, NoLists(), NOW, TZ)]
    fed = {
        part.indicator
        for one in instances
        for part in contributions_of(feeds, one, recorded_at=NOW, tz=TZ, lists=NoLists())
    }

    assert flags == []
    assert fed == {indicator.name for indicator in book.sheets.indicators}
    assert all(len(entity_actions(book.form, one)) == 1 for one in instances)


def test_a_measured_visit_is_about_four_kilobytes() -> None:
    sizes = [len(visit(number).xml.encode()) for number in range(100)]

    assert 3_800 < sum(sizes) / len(sizes) < 4_200


def test_the_same_number_is_the_same_visit() -> None:
    assert visit(7) == visit(7)
    assert visit(7).instance_id != visit(8).instance_id
    assert batch_of(0, 2) != batch_of(2, 2)
