"""What a submission adds to the indicators of its form."""

import datetime as dt
import uuid
from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forms.form import Flag, NoLists
from forms.indicators.contributing import Contribution, compile_feeds, contributed, contributions_of, visit_of
from forms.indicators.sheets import Sheets
from forms.workbooks.workbook import Workbook, read_workbook
from forms.xforms.instance import read_instance
from tests.support.workbooks import a_workbook

BAMAKO = ZoneInfo("Africa/Bamako")
RECORDED = dt.datetime(2026, 11, 20, 23, 30, tzinfo=dt.UTC)
SURVEY = """
    | survey                                 |              |          |           |
    | type                                   | name         | label    | save_to   |
    | start                                  | start        |          |           |
    | end                                    | end          |          |           |
    | select_one_from_file organisations.csv | organisation | Which    |           |
    | text                                   | place        | Where    |           |
    | select_multiple topics                 | topics       | Topics   |           |
    | date                                   | signed       | Signed   |           |
    | date                                   | ended        | Ended    |           |
    | decimal                                | sacks        | Sacks    |           |
    | text                                   | note         | Note     |           |
    | begin_repeat                           | people       | People   |           |
    | select_one_from_file people.csv        | person       | Known    |           |
    | text                                   | full         | Name     | full_name |
    | select_one sex                         | sex          | Sex      |           |
    | decimal                                | age          | Age      |           |
    | begin_repeat                           | loans        | Loans    |           |
    | integer                                | lent         | Lent     |           |
    | end_repeat                             | loans        |          |           |
    | end_repeat                             | people       |          |           |
    | choices                                |              |          |           |
    | list_name                              | name         | label    |           |
    | sex                                    | female       | Woman    |           |
    | sex                                    | male         | Man      |           |
    | topics                                 | market       | Market   |           |
    | topics                                 | gov          | Govern   |           |
    | entities                               |              |          |           |
    | list_name                              | label        | create_if |          |
    | people                                 | ${full}      | ${person} = '' |     |
"""
AWA, MOUSSA, SIBY = (str(uuid.UUID(int=number)) for number in (1, 2, 3))


@cache
def a_book(own: str) -> Workbook:
    return read_workbook(a_workbook("visit", "2", SURVEY + own), "visit.xlsx")


def indicators(columns: str, *rows: str) -> str:
    lines = "\n".join(f"| {row} |" for row in (columns, *rows))
    return f"| indicators | {'| ' * columns.count('|')}|\n{lines}\n"


def told(columns: str, row: str, inside: str, dated: bool = True) -> tuple[list[Contribution], list[Flag]]:
    book = a_book(indicators(f"name | {columns}", f"a | {row}"))
    instance = read_instance(f'<data id="visit" version="2">{inside}</data>'.encode())
    feeds = compile_feeds(book.form, book.sheets)
    return contributed(feeds, instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists(), dated=dated)


def of(book: Workbook, inside: str, recorded_at: dt.datetime = RECORDED) -> list[Contribution]:
    instance = read_instance(f'<data id="visit" version="2">{inside}</data>'.encode())
    feeds = compile_feeds(book.form, book.sheets)
    return contributions_of(feeds, instance, recorded_at=recorded_at, tz=BAMAKO, lists=NoLists())


def one(columns: str, row: str, inside: str) -> Contribution | None:
    found = of(a_book(indicators(f"name | {columns}", f"a | {row}")), inside)
    return found[0] if found else None


def person(name: str = "Awa", *, entity: str = "", known: str = "", sex: str = "female", age: str = "30") -> str:
    block = f'<meta><entity dataset="people" id="uuid:{entity.upper()}" create="1"/></meta>' if entity else ""
    return f"<people><person>{known}</person><full>{name}</full><sex>{sex}</sex><age>{age}</age>{block}</people>"


# Rows


def test_a_submission_adds_one_row_to_each_indicator_that_it_concerns() -> None:
    book = a_book(
        indicators(
            "name | aggregate | value | where",
            "visits | count | |",
            "sacks | sum | ${sacks} |",
            "full | count | | ${sacks} > 100",
        )
    )

    found = of(book, "<sacks>12.50</sacks><place>ML-2</place>")

    assert [(row.indicator, row.value, row.place) for row in found] == [
        ("visits", None, "ML-2"),
        ("sacks", Decimal("12.50"), "ML-2"),
    ]


def test_a_repeat_adds_one_row_for_each_iteration_where_the_filter_holds() -> None:
    book = a_book(indicators("name | aggregate | each | where", "women | count | people | ${sex} = 'female'"))

    found = of(book, person() + person(sex="male") + person())

    assert [row.ordinal for row in found] == [0, 2]


def test_an_inner_repeat_sees_the_iteration_around_it() -> None:
    book = a_book(indicators("name | aggregate | each | value | by", "lent | sum | loans | ${lent} | sex"))
    inside = (
        "<people><sex>female</sex><loans><lent>5</lent></loans><loans><lent>7</lent></loans></people>"
        "<people><sex>male</sex><loans><lent>11</lent></loans></people>"
    )

    found = of(book, inside)

    assert [(row.ordinal, row.value, row.by) for row in found] == [
        (0, Decimal(5), (("female",),)),
        (1, Decimal(7), (("female",),)),
        (2, Decimal(11), (("male",),)),
    ]


def test_an_expression_in_a_repeat_reads_its_own_iteration() -> None:
    book = a_book(indicators("name | aggregate | each | value", "ages | sum | people | ${age} + ${sacks}"))

    found = of(book, "<sacks>1</sacks>" + person(age="30") + person(age="40"))

    assert [row.value for row in found] == [Decimal(31), Decimal(41)]


def test_a_sum_over_a_repeat_is_one_value_of_the_submission() -> None:
    row = one("aggregate | value", "sum | sum(${age})", person(age="30") + person(age="40"))

    assert row is not None
    assert row.value == Decimal(70)


@pytest.mark.parametrize(
    ("where", "counts"),
    [
        ("${note} != 'x'", True),
        ("${note} != ''", False),
        ("${sacks} > 1", False),
        ("${sacks} < 1", False),
        ("not(${sacks} > 1)", True),
        ("selected(${topics}, 'gov')", False),
    ],
)
def test_a_blank_is_compared_by_the_rules_of_xpath(where: str, counts: bool) -> None:
    assert (one("aggregate | where", f"count | {where}", "<sacks/><note/><topics/>") is not None) is counts


# Values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", "12"),
        ("0.10", "0.10"),
        ("-3.5", "-3.5"),
        (".5", "0.5"),
        ("1e3", "1E+3"),
        (" 7 ", "7"),
        ("123456789012.000000001", "123456789012.000000001"),
        ("1234567890123", None),
        ("", None),
        ("many", None),
        ("NaN", None),
        ("Infinity", None),
        ("1_000", None),
        ("٣", None),
        ("0." + "1" * 60, None),
    ],
)
def test_a_value_is_exactly_the_number_that_was_written(text: str, value: str | None) -> None:
    row = one("aggregate | value", "sum | ${sacks}", f"<sacks>{text}</sacks>")

    assert (row.value if row else None) == (Decimal(value) if value is not None else None)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("${sacks} * 0.25", "3"),
        ("${sacks} div 0", None),
        ("number('x')", None),
        ("${sacks} * 1000000000000", None),
        ("if(${sacks} > 1, 1, 0)", "1"),
        ("${sacks} > 1", "1"),
        ("coalesce(${note}, 5)", "5"),
    ],
)
def test_a_value_that_is_worked_out_is_the_shortest_number_that_it_can_be(expression: str, value: str | None) -> None:
    row = one("aggregate | value", f"sum | {expression}", "<sacks>12</sacks><note/>")

    assert (row.value if row else None) == (Decimal(value) if value is not None else None)


@given(st.decimals(min_value=-(10**11), max_value=10**11, places=6))
def test_no_digit_of_a_value_is_lost(number: Decimal) -> None:
    row = one("aggregate | value", "sum | ${sacks}", f"<sacks>{number:f}</sacks>")

    assert row is not None
    assert row.value == number


def test_a_list_has_texts() -> None:
    row = one("aggregate | value", "list | ${note}", "<note>Certified</note>")

    assert row is not None
    assert (row.text, row.value) == ("Certified", None)
    assert one("aggregate | value", "list | ${note}", "<note/>") is None


def test_a_ratio_has_no_rows_of_its_own() -> None:
    book = a_book(
        indicators(
            "name | aggregate | numerator | denominator",
            "visits | count | |",
            "share | ratio | visits | visits",
        )
    )

    assert [row.indicator for row in of(book, "")] == ["visits"]


def test_the_baseline_is_read_from_the_same_row() -> None:
    row = one(
        "aggregate | subject | value | per_subject | baseline",
        "distinct | ${organisation} | ${sacks} | growth | ${sacks} - 2",
        f"<sacks>6</sacks><organisation>{SIBY}</organisation>",
    )

    assert row is not None
    assert (row.value, row.baseline) == (Decimal(6), Decimal(4))


# Dates


@pytest.mark.parametrize(
    ("date", "inside", "day"),
    [
        ("", "<start>2026-03-01T08:00:00.000+00:00</start><end>2026-03-02T08:00:00.000+00:00</end>", "2026-03-02"),
        ("", "<start>2026-03-01T08:00:00.000+00:00</start><end/>", "2026-03-01"),
        ("", "<start/><end/>", "2026-11-20"),
        ("", "<end>2026-03-01T23:30:00.000-05:00</end>", "2026-03-02"),
        ("", "<end>yesterday</end><start>2026-03-01T08:00:00Z</start>", "2026-03-01"),
        ("${signed}", "<signed>2025-12-31</signed><end>2026-03-01T08:00:00Z</end>", "2025-12-31"),
        ("${signed}", "<signed/><end>2026-03-01T08:00:00Z</end>", "2026-03-01"),
        ("${signed}", "<signed>2026-1-1</signed>", "2026-11-20"),
        ("${signed}", "<signed>2026-W01-1</signed>", "2026-11-20"),
        ("${signed}", "<signed>2026-01-01T9:30:00.000+03</signed>", "2026-01-01"),
        ("date(${signed}) + 1", "<signed>2025-12-31</signed>", "2026-01-01"),
        ("${sacks} * 1000000000", "<sacks>9</sacks>", "2026-11-20"),
    ],
)
def test_a_row_is_dated_by_its_date_else_by_the_day_of_the_visit(date: str, inside: str, day: str) -> None:
    row = one("aggregate | date", f"count | {date}", inside)

    assert row is not None
    assert row.date.isoformat() == day


def test_the_day_of_recording_is_that_of_the_project() -> None:
    book = a_book(indicators("name | aggregate", "a | count"))
    instance = read_instance(b'<data id="visit" version="2"/>')
    feeds = compile_feeds(book.form, book.sheets)

    (row,) = contributions_of(feeds, instance, recorded_at=RECORDED, tz=ZoneInfo("Asia/Tokyo"), lists=NoLists())

    assert row.date == dt.date(2026, 11, 21)


def test_today_comes_before_end_and_start() -> None:
    survey = """
        | survey | | |
        | type | name | label |
        | start | begun | |
        | end | done | |
        | today | day | |
        | indicators | |
        | name | aggregate |
        | a | count |
    """
    book = read_workbook(a_workbook("visit", "2", survey), "visit.xlsx")

    (row,) = of(book, "<begun>2026-01-01T00:00:00Z</begun><done>2026-01-02T00:00:00Z</done><day>2026-01-03</day>")

    assert row.date == dt.date(2026, 1, 3)


@pytest.mark.parametrize(
    ("ended", "until"), [("2026-01-31", dt.date(2026, 1, 31)), ("", None), ("2026-01-01", None), ("2025-12-01", None)]
)
def test_until_is_the_last_day_of_a_longer_row(ended: str, until: dt.date | None) -> None:
    row = one(
        "aggregate | value | date | until",
        "sum | ${sacks} | ${signed} | ${ended}",
        f"<signed>2026-01-01</signed><ended>{ended}</ended><sacks>31</sacks>",
    )

    assert row is not None
    assert row.until == until


# Breakdowns


@pytest.mark.parametrize(
    ("topics", "keys"),
    [("gov market", ("gov", "market")), ("gov", ("gov",)), ("", ()), ("gov else", ("gov",)), ("gov gov", ("gov",))],
)
def test_a_select_multiple_has_one_key_for_each_known_choice(topics: str, keys: tuple[str, ...]) -> None:
    row = one("aggregate | by", "count | topics", f"<topics>{topics}</topics>")

    assert row is not None
    assert row.by == (keys,)


@pytest.mark.parametrize(
    ("age", "keys"),
    [("0", ("0-14",)), ("14.9", ("0-14",)), ("15", ("15-35",)), ("120", ("36-",)), ("-1", ()), ("", ()), ("x", ())],
)
def test_a_number_falls_into_its_band_or_into_none(age: str, keys: tuple[str, ...]) -> None:
    book = a_book(
        "| breakdowns | | |\n| name | value | bands |\n| age_group | ${age} | 0-14 15-35 36- |\n"
        + indicators("name | aggregate | each | by", "a | count | people | age_group sex")
    )

    (row,) = of(book, person(age=age, sex="unknown"))

    assert row.by == (keys, ())


def test_a_breakdown_may_be_worked_out() -> None:
    book = a_book(
        "| breakdowns | |\n| name | value |\n| size | if(${sacks} > 10, 'large', 'small') |\n"
        + indicators("name | aggregate | by", "a | count | size place")
    )

    (row,) = of(book, "<sacks>11</sacks><place>ML-2</place>")

    assert row.by == (("large",), ("ML-2",))


# Subjects


@pytest.mark.parametrize(
    ("inside", "subjects"),
    [
        (person(entity=AWA), [AWA]),
        (person(known=f"uuid:{MOUSSA.upper()}"), [MOUSSA]),
        (person(entity=AWA) + person(known=MOUSSA), [AWA, MOUSSA]),
        (person(entity=AWA, known=MOUSSA), [AWA]),
        (person(), []),
        (person().replace("</people>", f'<meta><entity id="{AWA}" create=""/></meta></people>'), []),
        (person().replace("</people>", f'<meta><entity id="{AWA}" update="true"/></meta></people>'), [AWA]),
    ],
)
def test_the_subject_is_the_entity_that_the_row_creates_updates_or_selects(
    inside: str, subjects: Sequence[str]
) -> None:
    book = a_book(indicators("name | aggregate | each | subject", "trained | distinct | people | people"))

    assert [row.subject for row in of(book, inside)] == subjects


def test_a_row_of_a_repeat_may_be_about_the_entity_of_the_whole_submission() -> None:
    book = a_book(indicators("name | aggregate | each | subject", "a | distinct | people | organisations"))

    found = of(book, f"<organisation>{SIBY}</organisation>" + person() + person())

    assert [row.subject for row in found] == [SIBY, SIBY]


@pytest.mark.parametrize(
    ("expression", "subject"),
    [("${note}", "K-17"), ("concat(${note}, '/', ${sacks})", "K-17/3"), ("${organisation}", SIBY)],
)
def test_any_other_key_may_be_counted_once(expression: str, subject: str) -> None:
    row = one(
        "aggregate | subject",
        f"distinct | {expression}",
        f"<organisation>uuid:{SIBY.upper()}</organisation><sacks>3</sacks><note>K-17</note>",
    )

    assert row is not None
    assert row.subject == subject


@pytest.mark.parametrize(
    ("row", "counts"),
    [("count | ${note} | ", True), ("list | ${note} | ${sacks}", True), ("sum | ${note} | ${sacks}", False)],
)
def test_a_row_without_its_subject_counts_only_where_rows_are_counted(row: str, counts: bool) -> None:
    assert (one("aggregate | subject | value", row, "<note/><sacks>3</sacks>") is not None) is counts


# Older versions of a form


def test_an_older_version_is_read_by_what_its_questions_are_called_now() -> None:
    newest = read_workbook(
        a_workbook(
            "visit",
            "2",
            """
            | survey | | | |
            | type | name | label | was |
            | begin_repeat | people | P | persons |
            | text | full | Name | name |
            | text | phone | Phone | |
            | end_repeat | people | | |
            | text | region | Region | |
            | indicators | | | | | |
            | name | aggregate | each | where | by | value |
            | named | count | people | ${full} != '' | phone | |
            | called | count | people | ${phone} != '' | | |
            | silent | count | people | ${phone} = '' and string-length(${full}) > 2 | | |
            | rows | sum | | | region | count(${people}) |
            """,
        ),
        "visit.xlsx",
    )
    older = read_workbook(
        a_workbook(
            "visit",
            "1",
            """
            | survey | | |
            | type | name | label |
            | begin_repeat | persons | P |
            | text | name | Name |
            | end_repeat | persons | |
            """,
        ),
        "visit.xlsx",
    )
    instance = read_instance(
        b'<data id="visit" version="1"><persons><name>Awa</name></persons><persons><name/></persons></data>'
    )

    found = contributions_of(
        compile_feeds(older.form, newest.sheets), instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists()
    )

    assert [(row.indicator, row.ordinal, row.value, row.by) for row in found] == [
        ("named", 0, None, ((),)),
        ("silent", 0, None, ()),
        ("rows", 0, Decimal(2), ((),)),
    ]


def test_a_repeat_that_an_older_version_does_not_have_adds_nothing() -> None:
    newest = a_book(indicators("name | aggregate | each", "a | count | people", "b | count | "))
    older = read_workbook(
        a_workbook("visit", "1", "| survey | | |\n| type | name | label |\n| text | note | N |"), "visit.xlsx"
    )
    instance = read_instance(b'<data id="visit" version="1"><note>x</note></data>')

    found = contributions_of(
        compile_feeds(older.form, newest.sheets), instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists()
    )

    assert [row.indicator for row in found] == ["b"]


SALES = """
    | survey      |        |        |
    | type        | name   | label  |
    | begin_{0}   | houses | Houses |
    | begin_{1}   | crops  | Crops  |
    | integer     | sacks  | Sacks  |
    | end_{1}     | crops  |        |
    | end_{0}     | houses |        |
    | indicators  |        |        |            |
    | name        | aggregate | each | value    | where |
    | sold        | sum    | {2}    | ${{sacks}} | ${{sacks}} > 1 |
    | total       | sum    |        | sum(${{sacks}}) | |
    | visits      | count  |        |            |       |
"""


@pytest.mark.parametrize(
    ("before", "now", "answers", "sold"),
    [
        (("group", "repeat"), ("group", "group", ""), "3 4", [(0, 3), (1, 4)]),
        (("repeat", "repeat"), ("group", "group", ""), "3 4 | 5", [(0, 3), (1, 4), (2, 5)]),
        (("repeat", "repeat"), ("repeat", "group", "houses"), "3 | 1 | 5", [(0, 3), (2, 5)]),
        (("group", "group"), ("group", "repeat", "crops"), "3", [(0, 3)]),
        (("group", "group"), ("group", "repeat", "crops"), "", []),
        (("repeat", "group"), ("repeat", "repeat", "crops"), "3 | 4", [(0, 3), (1, 4)]),
    ],
)
def test_what_is_asked_once_by_now_was_a_row_for_each_time_and_the_reverse(
    before: tuple[str, str], now: tuple[str, str, str], answers: str, sold: list[tuple[int, int]]
) -> None:
    older = read_workbook(a_workbook("visit", "1", SALES.partition("| indicators")[0].format(*before)), "visit.xlsx")
    newest = read_workbook(a_workbook("visit", "2", SALES.format(*now)), "visit.xlsx")
    houses = ["".join(f"<crops><sacks>{one}</sacks></crops>" for one in some.split()) for some in answers.split("|")]
    inside = "".join(f"<houses>{crops}</houses>" for crops in houses)
    instance = read_instance(f'<data id="visit" version="1">{inside}</data>'.encode())

    found = contributions_of(
        compile_feeds(older.form, newest.sheets), instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists()
    )

    assert [(row.ordinal, row.value) for row in found if row.indicator == "sold"] == sold
    total = sum(int(one) for one in answers.replace("|", " ").split())
    assert [(row.ordinal, row.value) for row in found if row.indicator == "total"] == [(0, total)]
    assert sum(row.indicator == "visits" for row in found) == 1


# Hostile instances


@given(st.text(alphabet="<>/ peopleagsxk&;\"'0123456789.-é", max_size=120))
def test_no_content_of_an_instance_makes_it_raise(text: str) -> None:
    book = a_book(
        indicators(
            "name | aggregate | each | subject | value | date | by",
            "a | sum | people | people | ${age} * 2 | ${signed} | sex topics",
            "b | list | | | ${note} | | place",
        )
    )
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")

    for inside in (
        f"<sacks>{escaped}</sacks><note>{escaped}</note><signed>{escaped}</signed><topics>{escaped}</topics>",
        f"<people><age>{escaped}</age><people/></people><people><age><age>{escaped}</age></age></people>",
        "<note><x/></note><people/><people><meta/></people><people><meta><entity/></meta></people>",
    ):
        for row in of(book, inside):
            assert row.date


def test_sheets_from_the_store_give_the_same_contributions() -> None:
    book = a_book(indicators("name | aggregate | each | by", "a | count | people | sex"))
    stored = Sheets.from_json(book.sheets.to_json())
    instance = read_instance(f'<data id="visit" version="2">{person()}</data>'.encode())

    first, again = (
        contributions_of(compile_feeds(book.form, sheets), instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists())
        for sheets in (book.sheets, stored)
    )

    assert first == again != []


def test_an_absurdly_long_place_or_key_is_none_and_is_flagged() -> None:
    book = a_book(indicators("name | aggregate | by", "a | count | note"))
    instance = read_instance(
        f'<data id="visit" version="2"><place>{"é" * 400}</place><note>{"n" * 501}</note></data>'.encode()
    )
    feeds = compile_feeds(book.form, book.sheets)

    (row,), flags = contributed(feeds, instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists())

    assert (row.place, row.by) == (None, ((),))
    assert [(flag.code, flag.place) for flag in flags] == [("type", "/data/place"), ("type", "/data/note")]


@pytest.mark.parametrize("number", ["1000000000000", "-1e100"])
def test_a_number_too_large_to_be_counted_is_none_and_is_flagged(number: str) -> None:
    rows, flags = told("aggregate | value", "sum | ${sacks}", f"<sacks>{number}</sacks>")

    assert rows == []
    assert [(flag.code, flag.place) for flag in flags] == [("type", "/data/sacks")]


@pytest.mark.parametrize(("date", "place"), [("", "/data"), ("${signed}", "/data/signed")])
def test_the_day_of_arrival_dates_no_row_and_that_nothing_does_is_flagged(date: str, place: str) -> None:
    rows, flags = told("aggregate | date", f"count | {date}", "<signed>2026-1-1</signed>", dated=False)

    assert rows == []
    assert [(flag.code, flag.place) for flag in flags] == [("required", place)]


def test_absurdly_long_subjects_stay_apart() -> None:
    book = a_book(indicators("name | aggregate | subject", "a | distinct | ${note}"))

    (one,), (other,), (same,) = (of(book, f"<note>{'n' * 3000}{end}</note>") for end in "xyx")

    assert one.subject == same.subject != other.subject
    assert len((one.subject or "").encode()) < 500


@pytest.mark.parametrize(
    ("columns", "row", "inside", "visit"),
    [
        ("value | date", "${sacks} | ${signed}", "<sacks>1</sacks><signed>2026-11-02</signed>", ("2026-11-02", "N1")),
        ("value | date", "${sacks} | ${signed}", "<sacks/><signed>2026-11-02</signed>", ("2026-11-19", "N1")),
        ("value | place", "${sacks} | ${note}", "<sacks/><note> N2 </note>", ("2026-11-19", "N2")),
        ("value | place", "${sacks} | ${note}", "<sacks/>", ("2026-11-19", None)),
        ("value | place", "${sacks} | concat(${note}, '2')", "<sacks/>", ("2026-11-19", "N1")),
        ("value | each | place", "${lent} | loans | ${full}", "", ("2026-11-19", "N1")),
    ],
)
def test_a_visit_of_which_nothing_counts_has_its_day_and_place_too(
    columns: str, row: str, inside: str, visit: tuple[str, str | None]
) -> None:
    book = a_book(indicators(f"name | aggregate | {columns}", f"a | sum | {row}"))
    asked = f"<end>2026-11-19T10:00:00.000Z</end><place>N1</place>{inside}"
    instance = read_instance(f'<data id="visit" version="2">{asked}</data>'.encode())
    feeds = compile_feeds(book.form, book.sheets)
    found = contributions_of(feeds, instance, recorded_at=RECORDED, tz=BAMAKO, lists=NoLists())

    day, place = visit_of(feeds, instance, found, RECORDED, BAMAKO)
    assert (day.isoformat(), place) == visit


def test_a_form_without_indicators_says_when_and_where_a_visit_was_or_else_when_it_was_recorded() -> None:
    book = a_book("")
    feeds = compile_feeds(book.form, book.sheets)
    for inside, visit in (
        ("<start>2026-11-18T23:59:00.000Z</start><place>N1</place>", ("2026-11-18", "N1")),
        (f"<place>{'é' * 251}</place>", ("2026-11-20", None)),
    ):
        instance = read_instance(f'<data id="visit" version="2">{inside}</data>'.encode())
        day, place = visit_of(feeds, instance, [], RECORDED, BAMAKO)
        assert (day.isoformat(), place) == visit
