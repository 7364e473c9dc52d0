"""Several faults in a workbook, in different sheets: all of them are told at the first try, each in its cell."""

import datetime as dt
import io
import time
from contextlib import suppress

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.findings import Faulty, Finding
from forms.workbooks.workbook import read_workbook
from tests.support.workbooks import xlsx_of

SETTINGS = "| settings | |\n| form_id | version |\n| visit | 1 |\n"
CHOICES = "| choices | | |\n| list_name | name | label |\n| yn | yes | Yes |\n| yn | no | No |\n"
INDICATORS = "| indicators | | |\n| name | aggregate | value |\n"


def findings_of(markdown: str) -> list[Finding]:
    with pytest.raises(Faulty) as caught:
        read_workbook(xlsx_of(markdown if "| settings |" in markdown else f"{markdown}\n{SETTINGS}"), "visit.xlsx")
    return caught.value.findings


def findings_in(book: openpyxl.Workbook) -> list[Finding]:
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(Faulty) as caught:
        read_workbook(out.getvalue(), "visit.xlsx")
    return caught.value.findings


def cells_of(markdown: str) -> list[tuple[str | None, int | None, str | None]]:
    return [(one.sheet, one.row, one.column) for one in findings_of(markdown)]


WORKBOOKS = {
    "types, references and a name of ours": (
        """
        | survey | | | |
        | type | name | label | relevant |
        | integr | sacks | Sacks | |
        | txt | who | Who | |
        | integer | kilos | Kilos | ${sackz} > 1 |
        """
        + INDICATORS
        + "| Bad Name | sum | ${kilo} |",
        "survey 2 type, survey 3 type, survey 4 relevant, indicators 2 name, indicators 2 value",
    ),
    "lists that there are not, and a target": (
        """
        | survey | | |
        | type | name | label |
        | select_one yesno | happy | Happy? |
        | select_multiple colours or_other | seen | Seen |
        | select_one yn | sure | Sure? |
        """
        + CHOICES
        + INDICATORS
        + """| n | count | |
        | targets | | |
        | indicator | by | target |
        | m | | many |
        """,
        "survey 2 type, survey 3 type, targets 2 target, targets 2 indicator",
    ),
    "no sheet of choices at all": (
        """
        | survey | | | |
        | type | name | label | constraint |
        | select_one yn | a | A | |
        | integer | b | B | . > foo(1) |
        | integer | c | C | . > |
        """,
        "survey 2 type, survey 3 constraint, survey 4 constraint",
    ),
    "one name given twice, another that is none": (
        """
        | survey | | |
        | type | name | label |
        | text | who | Who |
        | text | who | Who again |
        | text | my age | Age |
        | integer | 2nd | Second |
        """
        + INDICATORS
        + "| n | sum | |",
        "survey 3 name, survey 4 name, survey 5 name, indicators 2 value",
    ),
    "groups left open and closed as what they are not": (
        """
        | survey | | |
        | type | name | label |
        | begin_group | one | One |
        | integer | a | A |
        | end_repeat | x | |
        | begin_repeat | two | Two |
        | integer | b | B |
        """
        + INDICATORS
        + "| n | sum | ${c} |",
        "survey 4 type, survey 5 type, indicators 2 value",
    ),
    "a repeat left open inside a group": (
        """
        | survey | | | |
        | type | name | label | constraint |
        | begin_group | one | One | |
        | begin_repeat | two | Two | |
        | integer | b | B | . > ${x} |
        | end_group | x | | |
        | integer | c | C | . > foo(2) |
        """
        + "| indicators | | | |\n| name | aggregate | value | each |\n"
        + "| n | sum | ${b} | two |\n| n | count | | three |",
        "survey 3 type, survey 4 constraint, survey 6 constraint, indicators 3 each, indicators 3 name",
    ),
    "an end of nothing and groups spelt wrongly": (
        """
        | survey | | |
        | type | name | label |
        | begin_grup | one | One |
        | integer | a | A |
        | end_group | x | |
        | end_group | x | |
        | Begin_Repeat | two | Two |
        | integer | b | B |
        | end_repeat | x | |
        """
        + "| indicators | | | |\n| name | aggregate | value | each |\n| n | sum | ${b} | two |\n| m | avg | | |",
        "survey 2 type, survey 5 type, survey 6 type, indicators 3 aggregate",
    ),
    "beginnings and ends that are called otherwise": (
        """
        | survey | | | |
        | type | name | label | relevant |
        | begn_group | one | One | |
        | integer | a | A | |
        | end_group | x | | |
        | beginrepeat | two | Two | ${b} > 1 |
        | integer | c | C | |
        | en_repeat | x | | |
        """
        + INDICATORS
        + "| n | middle | |",
        "survey 2 type, survey 5 type, survey 5 relevant, survey 7 type, indicators 2 aggregate",
    ),
    "circles and a function that there is not": (
        """
        | survey | | | |
        | type | name | label | calculation |
        | calculate | a | | ${b} + 1 |
        | calculate | b | | ${a} + 1 |
        | calculate | c | | today( |
        | calculate | d | | |
        """
        + INDICATORS
        + "| n | sum | fly(${a}) |",
        "survey 2 calculation, survey 4 calculation, survey 5 calculation, indicators 2 value",
    ),
    "choices without names, twice, and with spaces": (
        """
        | survey | | |
        | type | name | label |
        | select_multiple colour | seen | Seen |
        | select_one yn | ok | Ok |
        | integr | n | N |
        | choices | | |
        | list_name | name | label |
        | colour | dark red | Dark red |
        | colour | light red | Light red |
        | yn | yes | Yes |
        | yn | yes | Again |
        | yn | | No |
        """,
        "survey 4 type, choices 2 name, choices 3 name, choices 5 name, choices 6 name",
    ),
    "references in labels, choices and settings": (
        """
        | survey | | | |
        | type | name | label::Français (fr) | hint::Français (fr) |
        | text | who | Qui | |
        | select_one yn | ok | Bonjour ${whom} | ${wh} |
        | choices | | |
        | list_name | name | label::Français (fr) |
        | yn | yes | Oui ${ja} |
        | settings | | |
        | form_id | version | instance_name |
        | visit | 1 | concat(${whoo}) |
        """,
        "survey 3 label::Français (fr), survey 3 hint::Français (fr), choices 2 label::Français (fr), "
        "settings 2 instance_name",
    ),
    "rows without type and without name": (
        """
        | survey | | | |
        | type | name | label | required |
        | text | | Who | |
        | | age | Age | |
        | integer | n | N | ${m} > 1 |
        | integer | o | O | maybe( |
        """
        + "| matching | | |\n| list_name | property | role |\n| people | full | nickname |",
        "survey 2 name, survey 3 type, survey 4 required, survey 5 required, matching 2 role, matching 2 list_name",
    ),
    "properties of entities": (
        """
        | survey | | | |
        | type | name | label | save_to |
        | text | a | A | name |
        | text | b | B | __b |
        | text | c | C | good |
        | text | d | D | good |
        | entities | |
        | list_name | label |
        | people | ${e} |
        """
        + "| matching | | |\n| list_name | property | role |\n| people | god | full_name |",
        "survey 2 save_to, survey 3 save_to, survey 5 save_to, entities 2 label, matching 2 property",
    ),
    "entities without a sheet of them": (
        """
        | survey | | | | |
        | type | name | label | save_to | relevant |
        | text | a | A | full | |
        | text | b | B | phone | ${nobody} = 1 |
        """
        + INDICATORS
        + "| n | middle | |",
        "survey 2 save_to, survey 3 save_to, survey 3 relevant, indicators 2 aggregate",
    ),
    "rules of entities": (
        """
        | survey | | |
        | type | name | label |
        | text | a | A |
        | integer | b | B |
        | entities | | | |
        | list_name | label | create_if | entity_id |
        | people | concat(${a} | ${b} > foo(1) | |
        """
        + INDICATORS
        + "| n | count | |\n| n | count | |",
        "entities 2 label, entities 2 create_if, indicators 3 name",
    ),
    "parameters and ranges": (
        """
        | survey | | | |
        | type | name | label | parameters |
        | range | r | R | start=a end=10 |
        | text | t | T | colour=red |
        | image | i | I | max-pixels=many |
        | geopoint | g | G | capture-accuracy=good |
        """
        + INDICATORS
        + "| n | sum | ${z} |",
        "survey 2 parameters, survey 3 parameters, survey 4 parameters, survey 5 parameters, indicators 2 value",
    ),
    "triggers, defaults and counts": (
        """
        | survey | | | | | |
        | type | name | label | trigger | default | repeat_count |
        | integer | n | N | | | |
        | text | t | T | ${m} | | |
        | date | d | D | | adddays(today(), 1) | |
        | begin_repeat | r | R | | | bar(${n}) |
        | text | u | U | | | |
        | end_repeat | x | | | | |
        """
        + INDICATORS
        + "| n | sum | |",
        "survey 3 trigger, survey 4 default, survey 5 repeat_count, indicators 2 value",
    ),
    "triggers that are never asked": (
        """
        | survey | | | | |
        | type | name | label | trigger | calculation |
        | calculate | began | | | now() |
        | text | t | T | ${began} | now() |
        | integer | n | N | | |
        | text | u | U | ${n} | ${began} |
        | dates | d | D | | |
        """
        + INDICATORS
        + "| n | sum | ${m} |",
        "survey 3 trigger, survey 6 type, indicators 2 value",
    ),
    "filters of choices": (
        """
        | survey | | | | |
        | type | name | label | choice_filter | relevant |
        | select_one yn | a | A | region = ${rejion} | |
        | select_one yn | b | B | name = foo() | |
        | select_one yn | c | C | name = | selected(${a} |
        """
        + CHOICES
        + INDICATORS
        + "| n | count | |\n| 9 | count | |",
        "survey 2 choice_filter, survey 3 choice_filter, survey 4 relevant, survey 4 choice_filter, indicators 3 name",
    ),
    "titles of columns in other cases": (
        """
        | survey | | | |
        | Type | Name | Label | Relevance |
        | Text | a | A | |
        | integer | a | B | |
        | integer | c | C | ${d} = 1 |
        """
        + "| Indicators | | |\n| Name | Aggregate | Valeu |\n| n | sum | |",
        "survey 2 Type, survey 3 Name, survey 4 Relevance, Indicators - Valeu, Indicators 2 value",
    ),
    "a column that the questions cannot do without": (
        """
        | survey | | |
        | type | nom | label |
        | integer | a | A |
        """
        + INDICATORS
        + "| n | middle | |\n| N | count | |",
        "survey - name, indicators 2 aggregate, indicators 3 name",
    ),
    "choices without their lists": (
        """
        | survey | | |
        | type | name | label |
        | select_one yn | a | A |
        | choices | | |
        | list | name | label |
        | yn | yes | Yes |
        """
        + INDICATORS
        + "| n | sum | |",
        "choices - list_name, indicators 2 value",
    ),
    "one name in two groups, referred to": (
        """
        | survey | | | |
        | type | name | label | relevant |
        | begin_group | one | One | |
        | text | who | Who | |
        | end_group | x | | |
        | begin_group | two | Two | ${one} = 1 or ${three} = 1 |
        | text | who | Who | |
        | end_group | x | | |
        | text | x | X | ${who} = 'a' |
        """
        + INDICATORS
        + "| n | list | ${who} |",
        "survey 5 relevant, survey 8 relevant, indicators 2 value",
    ),
    "renamed, identifying and about whom": (
        """
        | survey | | | | | |
        | type | name | label | was | identifying | constraint |
        | text | a | A | b | | |
        | text | b | B | | perhaps | |
        | text | c | C | a/ | | . = ${q} |
        | settings | | |
        | form_id | version | subject |
        | visit | 1 | peple |
        """,
        "survey 4 constraint, survey 4 was, survey 2 was, survey 3 identifying, settings 2 subject",
    ),
    "our sheets alone": (
        """
        | survey | | |
        | type | name | label |
        | integer | age | Age |
        """
        + "| indicators | | | | |\n| name | aggregate | value | by | numerator |\n| n | sum | ${agee} | band | x |\n"
        + "| r | ratio | | | |\n| breakdowns | | |\n| name | value | bands |\n| band | ${ag} | 5-1 |\n"
        + "| targets | | |\n| indicator | period | target |\n| n | 20x6 | 5 |",
        "breakdowns 2 bands, indicators 2 numerator, indicators 2 value, indicators 2 by, indicators 3 numerator, "
        "indicators 3 denominator, targets 2 period",
    ),
    "grammar of many rules": (
        """
        | survey | | | | | |
        | type | name | label | relevant | constraint | calculation |
        | integer | a | A | 1 = = 2 | . > 'x | |
        | integer | b | B | ${a} > 1 and | (. > 1 | |
        | calculate | c | | | | if(${a} > 1, 2) |
        | integer | d | D | ${a} + | . in (1, 2) | |
        """
        + INDICATORS
        + "| n | sum | ${a} + |",
        "survey 2 relevant, survey 2 constraint, survey 3 relevant, survey 3 constraint, survey 4 calculation, "
        "survey 5 relevant, survey 5 constraint, indicators 2 value",
    ),
    "audit, meta and what has no label": (
        """
        | survey | | | |
        | type | name | label | calculation |
        | audit | trail | | |
        | text | meta | M | |
        | integer | nolabel | | |
        | calculate | c | | |
        """
        + INDICATORS
        + "| n | sum | ${d} |",
        "survey 2 name, survey 3 name, survey 4 label, survey 5 calculation, indicators 2 value",
    ),
}


@pytest.mark.parametrize("name", WORKBOOKS)
def test_all_that_is_wrong_is_told_at_once(name: str) -> None:
    markdown, expected = WORKBOOKS[name]

    cells = [f"{sheet} {row or '-'} {column}" for sheet, row, column in cells_of(markdown)]

    assert sorted(cells) == sorted(expected.split(", "))


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ("range | start=a end=b step=0 placeholder=z", ["start", "end", "placeholder"]),
        ("range | start=1 end=5 step=0 tick_interval=x colour=red", ["colour", "tick_interval", "step"]),
        ("text | colour=red rows=many size=3", ["colour", "rows"]),
        ("image | app=collect, max-pixels=many; colour=red", ["colour", "max-pixels", "app"]),
        ("geopoint | capture-accuracy=a warning-accuracy=b allow-mock-accuracy=c", ["capture", "warning", "mock"]),
        ("select_one yn | randomize=2 seed=x", ["randomize", "seed"]),
        ("audit | location-priority=x location-min-interval=y location-max-age=z", ["priority", "interval", "age"]),
        ("audit | identify-user=2 location-priority=balanced", ["identify-user", "required parameters"]),
        ("text | rows many", ["key1=value1"]),
    ],
)
def test_all_that_is_wrong_with_the_parameters_of_one_question_is_told_at_once(row: str, named: list[str]) -> None:
    kind, parameters = row.split(" | ")
    name = "audit" if kind == "audit" else "q"
    survey = f"| survey | | | |\n| type | name | label | parameters |\n| {kind} | {name} | Q | {parameters} |\n"

    found = findings_of(f"{survey}| integr | n | N | |\n{CHOICES}")

    of_row = [one for one in found if one.row == 2]
    assert {one.column for one in of_row} == {"parameters"}
    assert len(of_row) == len(named)
    assert all(word in one.fault for word, one in zip(named, of_row, strict=True))
    assert [one.row for one in found] == [*(2 for _ in named), 3]


def test_a_sound_workbook_is_not_found_fault_with() -> None:
    survey = """
        | survey | | | | | | |
        | Type | Value | Label::Français (fr) | Calculation | Relevance | default | disabled |
        | start | start | | | | | |
        | end | end | | | | | |
        | end time | ended | | | | | |
        | audit | audit | | | | | |
        | note | | Bonjour | | ${end} != '' | | |
        | begin group | visit | Visite | | | | |
        | text | who | Qui ? | | | ${last-saved#who} | |
        | begin_repeat | row | Ligne | | | | |
        | select one from yn or_other | who2 | Qui ${who} | | | | |
        | end repeat | row | | | | | |
        | end_group | visit | | | | | |
        | text | who2 | Encore | | | | yes |
        | calculate | n | | count(${row}) + 0 * string-length(${instanceID}) | | | |
        | select_one ${who3} | chosen | Choix | | | | |
        | begin_repeat | again | Encore | | | | |
        | text | who3 | Qui | | | | |
        | end_repeat | again | | | | | |
    """

    book = read_workbook(xlsx_of(f"{survey}\n{CHOICES}{SETTINGS}"), "visit.xlsx")

    assert {"/data/end", "/data/ended", "/data/visit/row/who2", "/data/n"} <= book.form.fields.keys()


def test_what_would_hide_the_rest_is_told_with_a_word_on_it() -> None:
    survey = "| survey | | | |\n| type | name | label | caption |\n| text | p | P | P |\n"

    found = findings_of(f"{survey}{INDICATORS}| n | middle | |\n")

    assert [one.fault for one in found][1:] == [
        "There may be more that is wrong.",
        "‘middle’ is not a aggregate known here.",
    ]


def test_what_concerns_a_whole_column_is_not_told_of_each_of_its_rows() -> None:
    survey = """
        | survey | | |
        | type | name | label |
        | audit | audit | |
        | integr | n | N |
        | text | t | T |
        | audit | audit | |
    """

    cells = cells_of(survey)

    assert cells == [("survey", None, "name"), ("survey", 3, "type"), (None, None, None)]


def test_each_fault_is_told_once_under_the_title_that_its_column_has() -> None:
    survey = """
        | survey | | | | |
        | type | value | label | Relevance | Calculate |
        | integer | a | A | ${b} = 1 and foo() | |
        | calculate | b | | | ${a} + |
        | calculate | 2c | | | |
    """

    assert sorted(cells_of(survey)) == [
        ("survey", 2, "Relevance"),
        ("survey", 3, "Calculate"),
        ("survey", 4, "Calculate"),
        ("survey", 4, "value"),
    ]


@pytest.mark.parametrize("title", [2026, 2.5, True, dt.datetime(2026, 3, 31)])
def test_a_title_that_is_no_text_is_told_with_its_cell(title: object) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_of("| survey | | |\n| type | name | label |\n| text | a | A |\n")))
    book["survey"]["D1"] = title

    [finding] = findings_in(book)

    assert (finding.sheet, finding.row, finding.column) == ("survey", 1, str(title).upper())
    assert finding.remedy == "Format the cell as text and write it again."


def test_a_name_with_a_slash_in_it_is_told_beside_what_questions_were() -> None:
    survey = """
        | survey | | | |
        | type | name | label | was |
        | text | a/b | A | |
        | text | c | C | 9 |
    """

    assert cells_of(survey) == [("survey", 2, "name"), ("survey", 3, "was")]


def test_a_sheet_whose_name_ends_in_a_space_is_not_the_survey() -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_of("| survey | | |\n| type | name | label |\n| text | a | A |\n")))
    book["survey"].title = "survey "
    book.create_sheet("choices")

    [finding] = findings_in(book)

    assert finding.fault == "The workbook has no sheet ‘survey’."


@pytest.mark.parametrize("cell", ["x" * 30_000, "a-" * 15_000, "${" * 15_000, "${" + " " * 30_000 + "a", "(" * 30_000])
def test_no_cell_makes_it_slow(cell: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(xlsx_of(f"{WORKBOOKS['grammar of many rules'][0]}\n{SETTINGS}")))
    book["indicators"]["C2"] = book["survey"]["D3"] = book["survey"]["C3"] = cell
    began = time.process_time()

    found = findings_in(book)

    assert time.process_time() - began < 5
    assert max(len(one.fault) for one in found) < 3_000


_HEADERS = (
    "relevant",
    "constraint",
    "calculation",
    "choice_filter",
    "repeat_count",
    "label::Français (fr)",
    "parameters",
)
_HEADERS += ("save_to", "trigger", "default", "Relevance", "bind", "actions", "was", "identifying", "disabled", "image")
_TYPES = (
    "text",
    "integer",
    "calculate",
    "select_one yn",
    "select_multiple ${r}",
    "select_one x or_other",
    "begin_group",
)
_TYPES += (
    "end_group",
    "begin_repeat",
    "end_repeat",
    "begin loop over yn",
    "range",
    "audit",
    "Text",
    "rank yn",
    "image",
)
_NAMES = ("a", "a", "b", "r", "meta", "data", "my age", "é", "2x", "a:b", "instanceID")
_RULES = ("${a} > 1", "${nope}", "${", ". >", "foo()", "'", "count(${r})", "=1+1", "#REF!", "yes", "x" * 5_000, "<b>&")
_CELLS: st.SearchStrategy[object] = st.sampled_from(_RULES) | st.sampled_from(
    [1, 2.5, True, dt.datetime(2026, 3, 31), dt.time(8), None]
)


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_no_sheets_make_the_reader_raise_anything_but_findings(data: st.DataObject) -> None:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    headers = data.draw(st.lists(st.sampled_from(_HEADERS), max_size=5, unique=True))
    columns = (st.sampled_from(_TYPES) | _CELLS, st.sampled_from(_NAMES) | _CELLS, _CELLS, *(_CELLS for _ in headers))
    fill(book, "survey", ("type", "name", "label", *headers), data.draw(st.lists(st.tuples(*columns), max_size=8)))
    lists = st.tuples(st.sampled_from(("yn", "x", None)), st.sampled_from(("a", "b c", None, 1)), _CELLS)
    fill(book, "choices", ("list_name", "name", "label"), data.draw(st.lists(lists, max_size=4)))
    ours = st.tuples(st.sampled_from(("n", "M", None)), st.sampled_from(("sum", "ratio", "x", None)), _CELLS, _CELLS)
    fill(book, "indicators", ("name", "aggregate", "value", "by"), data.draw(st.lists(ours, max_size=3)))
    fill(book, "entities", ("list_name", "label"), data.draw(st.lists(st.tuples(_CELLS, _CELLS), max_size=2)))
    if data.draw(st.booleans()):
        book["survey"].merge_cells("A2:B3")
        book["choices"].sheet_state = "hidden"
    out = io.BytesIO()
    book.save(out)

    with suppress(Faulty):
        read_workbook(out.getvalue(), "visit.xlsx")


def fill(book: openpyxl.Workbook, name: str, headers: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    sheet = book.create_sheet(name)
    for row in (headers, *rows):
        sheet.append(row)
