"""A workbook from a stranger: opened safely, and everything wrong with it said at once, each fault in its cell."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from decimal import Decimal

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forms.findings import Faulty, Finding
from forms.indicators.sheets import Band, Indicator, Keep, Matching, Sheets, Target, value_labels
from forms.workbooks.workbook import Workbook, read_workbook, read_xform
from tests.support.projects import workbook_of
from tests.support.workbooks import a_workbook, xlsx_of

SURVEY = """
    | survey                              |         |                    |            |
    | type                                | name    | label::English (en) | save_to   |
    | today                               | today   |                    |            |
    | select_one_from_file organisations.csv | organisation | Organisation |           |
    | text                                | place   | Where              |            |
    | select_multiple topics              | topics  | Topics             |            |
    | begin_repeat                        | people  | People             |            |
    | text                                | full    | Name               | full_name  |
    | select_one sex                      | sex     | Sex                | sex        |
    | integer                             | age     | Age                |            |
    | end_repeat                          | people  |                    |            |
    | integer                             | sacks   | Sacks              |            |
    | choices                             |         |                    |            |
    | list_name                           | name    | label::English (en) |           |
    | sex                                 | female  | Woman              |            |
    | sex                                 | male    | Man                |            |
    | topics                              | market  | Marketing          |            |
    | topics                              | gov     | Governance         |            |
    | entities                            |         |                    |            |
    | list_name                           | label   |                    |            |
    | people                              | ${full} |                    |            |
"""


def a_visit(own: str = "", neighbours: Sequence[Sheets] = ()) -> Workbook:
    return read_workbook(a_workbook("visit", "1", SURVEY + own), "visit.xlsx", neighbours)


def findings_of(own: str, neighbours: Sequence[Sheets] = ()) -> list[Finding]:
    with pytest.raises(Faulty) as caught:
        a_visit(own, neighbours)
    return caught.value.findings


def refusal(data: bytes) -> str:
    with pytest.raises(Faulty) as caught:
        read_workbook(data, "form.xlsx")
    return str(caught.value)


def test_a_workbook_becomes_a_form_with_its_sheets() -> None:
    book = a_visit("""
        | indicators | | | | | | | | |
        | Name | Label::English (en) | Each | aggregate | subject | by | where | minimum cell | codes |
        | trained | Trained | people | distinct | people | sex age | selected(${topics}, 'gov') | 5 | dhis2:a iati:x1 |
        | breakdowns | | | | | | | | |
        | name | label::English (en) | value | bands | | | | | |
        | age | Age | ${age} | 0-14 15- | | | | | |
        | targets | | | | | | | | |
        | indicator | period | place | by | target | baseline | note | | |
        | trained | FY2026 | ML-2 | sex=female | 2640 | 12.5 | From the plan | | |
        | matching | | | | | | | | |
        | list_name | property | role | | | | | | |
        | people | full_name | full_name | | | | | | |
    """)

    assert book.form.form_id == "visit"
    assert book.xform.startswith(b"<?xml")
    assert book.warnings == ()
    assert book.sheets.indicators == (
        Indicator(
            "trained",
            labels={"English (en)": "Trained"},
            each="people",
            where="selected(${topics}, 'gov')",
            subject="people",
            aggregate="distinct",
            by=("sex", "age"),
            minimum_cell=5,
            codes=("dhis2:a", "iati:x1"),
        ),
    )
    assert book.sheets.breakdowns[0].bands == (
        Band("0-14", Decimal(0), Decimal(14)),
        Band("15-", Decimal(15), None),
    )
    assert book.sheets.targets == (
        Target("trained", "FY2026", "ML-2", {"sex": "female"}, Decimal("12.5"), Decimal(2640), "From the plan"),
    )
    assert book.sheets.matching == (Matching("people", "full_name", "full_name"),)
    assert Sheets.from_json(book.sheets.to_json()) == book.sheets


def test_our_sheets_leave_the_xform_as_it_was() -> None:
    own = """
        | indicators | |
        | name | aggregate |
        | visits | count |
    """

    assert a_visit(own).xform == a_visit().xform


def test_cells_of_a_breakdown_are_called_as_the_choices_are() -> None:
    book = a_visit("""
        | breakdowns | | |
        | name | value | bands |
        | age_group | ${age} | 0-14 15- |
        | by_sex | ${sex} | |
    """)

    women = {"English (en)": "Woman"}
    assert value_labels(book.form, book.sheets, "sex")["female"] == women
    assert value_labels(book.form, book.sheets, "by_sex")["female"] == women
    assert value_labels(book.form, book.sheets, "age_group") == {"0-14": {"": "0–14"}, "15-": {"": "15+"}}
    assert value_labels(book.form, book.sheets, "organisation") == {}


def test_what_a_calculation_gives_is_called_as_in_the_list_of_its_name() -> None:
    book = workbook_of(
        "arm",
        "1",
        """
        | survey    |        |       |                                  |
        | type      | name   | label | calculation                      |
        | integer   | muac   | Arm   |                                  |
        | calculate | status |       | if(${muac} < 115, 'severe', '')  |
        | calculate | other  |       | 'severe'                         |
        | choices   |        |       |                                  |
        | list_name | name   | label::Français (fr) |                   |
        | status    | severe | Sévère |                                 |
        """,
    )

    assert value_labels(book.form, book.sheets, "status") == {"severe": {"Français (fr)": "Sévère"}}
    assert value_labels(book.form, book.sheets, "other") == {}


def test_the_form_is_called_as_its_file_where_the_settings_do_not_say() -> None:
    book = read_workbook(xlsx_of("| survey | | |\n| type | name | label |\n| text | a | A |"), "forms/rice.xlsx")

    assert book.form.form_id == "rice"


def test_a_label_with_a_script_is_only_a_label() -> None:
    book = a_visit("""
        | indicators | | |
        | name | label | aggregate |
        | visits | <script>alert(1)</script> | count |
    """)

    assert book.sheets.indicators[0].labels == {"": "<script>alert(1)</script>"}


# Every fault in its cell


@pytest.mark.parametrize(
    ("columns", "cells", "column", "words"),
    [
        ("agregate", "count", "agregate", "Did you mean ‘aggregate’?"),
        ("aggregate", "cuont", "aggregate", "Did you mean ‘count’?"),
        ("aggregate|where", "count|${sackz} > 1", "where", "Did you mean ‘sacks’?"),
        ("aggregate|where", "count|${sacks} >", "where", ""),
        ("aggregate|where", "count|sacked(${sacks})", "where", "sacked"),
        ("aggregate|where", "count|concat('${sacks}')", "where", "quotation marks"),
        ("aggregate|where", "count|${age} > 3", "where", "inside a repeat"),
        ("aggregate|where", "count|/data/sackz > 3", "where", ""),
        ("aggregate|by", "count|sx", "by", "neither a question nor a breakdown"),
        ("aggregate|by", "count|sex", "by", "inside a repeat"),
        ("aggregate|by", "count|topics topics", "by", "named twice"),
        ("aggregate|each", "count|sacks", "each", "‘sacks’ is a question, not a repeat. It is one of"),
        ("aggregate|each", "count|peple", "each", "Did you mean ‘people’?"),
        ("aggregate|value", "sum|", "value", "A sum needs a value."),
        ("aggregate|subject", "distinct|", "subject", "what is counted once"),
        ("aggregate|subject", "distinct|peuple", "subject", "Did you mean ‘people’?"),
        ("aggregate|subject", "distinct|place", "subject", "Did you mean ${place}?"),
        ("aggregate|value|subject|per_subject", "sum|${sacks}|organisation|las", "per_subject", "‘las’ is not"),
        ("aggregate|value|keep", "sum|${sacks}|>> 2", "keep", "not a comparison"),
        ("aggregate|value|keep", "sum|${sacks}|> two", "keep", "not a comparison"),
        ("aggregate|keep", "count|> 2", "value", "keep compares values"),
        ("aggregate|value|baseline", "sum|${sacks}|${sacks}", "baseline", "gain or growth"),
        ("aggregate|until", "count|${today}", "until", "Only a sum"),
        ("aggregate|minimum_cell", "count|five", "minimum_cell", "not a whole number"),
        ("aggregate|decimals", "count|1.5", "decimals", "not a whole number"),
        ("aggregate|decimals", "count|99", "decimals", "from 0 to 6"),
        ("aggregate|codes", "count|abc", "codes", "iati:"),
        ("aggregate|numerator", "count|other", "numerator", "Only a ratio"),
        ("aggregate|numerator|denominator|value", "ratio|trained|trained|${sacks}", "value", "of its own"),
        ("aggregate|numerator", "ratio|trained", "denominator", "needs a denominator"),
        ("aggregate|numerator|denominator", "ratio|trained|visit", "denominator", "not an indicator"),
    ],
)
def test_a_fault_in_an_indicator_names_its_cell_and_its_remedy(
    columns: str, cells: str, column: str, words: str
) -> None:
    found = findings_of(f"""
        | indicators | | | | | |
        | name    | {columns.replace("|", " | ")} |
        | wrong   | {cells.replace("|", " | ")} |
        | trained | count |
    """)

    fault = next(finding for finding in found if finding.column == column)
    assert (fault.sheet, fault.place) == ("indicators", "visit.xlsx")
    assert fault.row == (None if column == "agregate" else 2)
    assert words in str(fault)


@pytest.mark.parametrize("name", ["", "Sacks", "2nd", "a-b", "x" * 65, "not"])
def test_a_name_must_be_snake_case(name: str) -> None:
    (fault,) = findings_of(f"""
        | indicators | |
        | name | aggregate |
        | {name} | count |
    """)

    assert (fault.row, fault.column) == (2, "name")


def test_a_name_is_given_once() -> None:
    (fault,) = findings_of("""
        | indicators | |
        | name | aggregate |
        | a | count |
        | a | count |
    """)

    assert str(fault).startswith("visit.xlsx, sheet indicators, row 3, column name: ‘a’ is also the name of row 2.")


def test_all_faults_of_all_sheets_come_together() -> None:
    found = findings_of("""
        | indicators | | | |
        | name | aggregate | where | by |
        | a | sum | ${x} | y |
        | B | count | | |
        | breakdowns | | |
        | name | value | bands |
        | age | | 0-14 10-20 x |
        | targets | | |
        | indicator | period | target |
        | c | 2026-13 | many |
        | matching | | |
        | list_name | property | role |
        | peple | full_name | nme |
        | people | fullname | sex |
    """)

    assert [(fault.sheet, fault.row, fault.column) for fault in found] == [
        ("breakdowns", 2, "value"),
        ("breakdowns", 2, "bands"),
        ("breakdowns", 2, "bands"),
        ("indicators", 2, "value"),
        ("indicators", 2, "where"),
        ("indicators", 2, "by"),
        ("indicators", 3, "name"),
        ("targets", 2, "period"),
        ("targets", 2, "target"),
        ("matching", 2, "role"),
        ("matching", 2, "list_name"),
        ("matching", 3, "property"),
        ("targets", 2, "indicator"),
    ]


@pytest.mark.parametrize(
    ("bands", "good"),
    [
        ("0-14 15-35 36-", True),
        ("-14, 15-", True),
        ("0-0.9 1-1.9", True),
        ("0-14 14-20", False),
        ("0-14 5-6", False),
        ("-14 -20", False),
        ("14-0", False),
        ("-", False),
        ("old", False),
    ],
)
def test_bands_follow_each_other_without_overlap(bands: str, good: bool) -> None:
    own = f"""
        | breakdowns | | |
        | name | value | bands |
        | age_group | ${{sacks}} | {bands} |
    """
    if good:
        assert len(a_visit(own).sheets.breakdowns[0].bands) == len(bands.split())
    else:
        assert {fault.column for fault in findings_of(own)} == {"bands"}


@pytest.mark.parametrize(
    ("period", "good"),
    [
        ("2026", True),
        ("2026-Q3", True),
        ("2026-07", True),
        ("FY2026", True),
        ("FY2026-Q1", True),
        ("2026-01-01/2026-06-30", True),
        ("all", True),
        ("2026-Q5", False),
        ("2026-13", False),
        ("FY2026-07", False),
        ("2026-06-30/2026-01-01", False),
        ("2026-02-30/2026-03-01", False),
        ("0000", False),
        ("next year", False),
    ],
)
def test_a_target_is_for_a_period_of_the_calendar(period: str, good: bool) -> None:
    own = f"""
        | indicators | |
        | name | aggregate |
        | a | count |
        | targets | | |
        | indicator | period | target |
        | a | {period} | 5 |
    """
    if good:
        assert a_visit(own).sheets.targets[0].period == period
    else:
        assert [fault.column for fault in findings_of(own)] == ["period"]


@pytest.mark.parametrize(
    ("by", "words"),
    [
        ("sex=femal", "Did you mean ‘female’?"),
        ("age=0-14", "not broken down by ‘age’"),
        ("sex", "does not name a cell"),
        ("sex=female sex=male", "does not name a cell"),
    ],
)
def test_a_target_names_a_cell_that_its_indicator_has(by: str, words: str) -> None:
    (fault,) = findings_of(f"""
        | indicators | | | |
        | name | each | aggregate | by |
        | a | people | count | sex |
        | targets | | |
        | indicator | by | target |
        | a | {by} | 5 |
    """)

    assert words in str(fault)


def test_a_circle_of_ratios_is_found() -> None:
    found = findings_of("""
        | indicators | | | |
        | name | aggregate | numerator | denominator |
        | a | ratio | b | c |
        | b | ratio | a | c |
        | c | count | | |
    """)

    assert [fault.row for fault in found] == [2, 3]
    assert "a → b → a" in found[0].fault


def test_a_group_of_many_may_be_summed_from_outside() -> None:
    book = a_visit("""
        | indicators | | | |
        | name | aggregate | value | where |
        | ages | sum | sum(${age}) | count(${people}) > 1 |
    """)

    assert book.sheets.indicators[0].value == "sum(${age})"


def test_a_cell_that_the_spreadsheet_made_a_date_is_told() -> None:
    book = openpyxl.load_workbook(io.BytesIO(a_workbook("visit", "1", SURVEY)))
    sheet = book.create_sheet("targets")
    sheet.append(["indicator", "period", "target"])
    sheet.append(["a", dt.datetime(2026, 7, 1), 5])
    out = io.BytesIO()
    book.save(out)

    with pytest.raises(Faulty) as caught:
        read_workbook(out.getvalue(), "visit.xlsx")

    assert "row 2, column period: The cell holds a date" in str(caught.value.findings[0])


def test_numbers_in_cells_are_read_as_written() -> None:
    book = openpyxl.load_workbook(io.BytesIO(a_workbook("visit", "1", SURVEY)))
    sheet = book.create_sheet("Indicators")
    sheet.append(["name", "aggregate", "value", "keep", "minimum_cell"])
    sheet.append(["a", "sum", 1, ">= 0.5", 5.0])
    out = io.BytesIO()
    book.save(out)

    indicator = read_workbook(out.getvalue(), "visit.xlsx").sheets.indicators[0]

    assert (indicator.value, indicator.keep, indicator.minimum_cell) == ("1", Keep(">=", Decimal("0.5")), 5)


def test_faults_of_xlsform_are_told_beside_ours() -> None:
    with pytest.raises(Faulty) as caught:
        read_workbook(
            a_workbook(
                "visit",
                "1",
                """
                | survey  | | | |
                | type    | name  | label | relevant |
                | integer | sacks | Sacks | |
                | integer | kilos | Kilos | ${sackz} > 1 |
                | indicators | |
                | name | aggregate |
                | A    | count |
                """,
            ),
            "visit.xlsx",
        )

    first, second = caught.value.findings
    assert (first.sheet, first.row) == ("survey", 3)
    assert "sackz" in first.fault
    assert (second.sheet, second.row, second.column) == ("indicators", 2, "name")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("| integr | a | A | |", "row 2, column type: ‘integr’ is not a type of question. Did you mean ‘integer’?"),
        ("| text | a | A | foo(1) |", "row 2, column relevant: There is no function ‘foo()’."),
        ("| text | a b | A | |", "row 2, column name: Names must begin with a letter"),
    ],
)
def test_a_fault_in_the_survey_names_its_row(row: str, words: str) -> None:
    survey = f"| survey | | | |\n| type | name | label | relevant |\n{row}"
    with pytest.raises(Faulty) as caught:
        read_workbook(a_workbook("visit", "1", survey), "visit.xlsx")

    assert str(caught.value).startswith(f"visit.xlsx, sheet survey, {words}")


def test_every_list_of_choices_that_there_is_not_is_told_in_its_row() -> None:
    survey = """
        | survey | | |
        | type | name | label |
        | select_one audiance | a | A |
        | select_one audience | b | B |
        | select_multiple fruit or_other | c | C |
        | choices | | |
        | list_name | name | label |
        | audience | all | All |
    """
    with pytest.raises(Faulty) as caught:
        read_workbook(a_workbook("visit", "1", survey), "visit.xlsx")

    assert [str(finding) for finding in caught.value.findings] == [
        "visit.xlsx, sheet survey, row 2, column type: There is no list ‘audiance’ in the sheet ‘choices’. "
        "Did you mean ‘audience’?",
        "visit.xlsx, sheet survey, row 4, column type: There is no list ‘fruit’ in the sheet ‘choices’. "
        "Write its choices in the sheet ‘choices’.",
    ]


def test_a_sheet_that_is_almost_called_like_ours_is_a_warning() -> None:
    (warning,) = a_visit("| indicator | |\n| name | aggregate |\n| a | count |").warnings

    assert str(warning) == "visit.xlsx, sheet indicator: Nothing reads this sheet. Did you mean ‘indicators’?"


def test_a_form_that_is_sent_to_another_server_is_a_warning() -> None:
    book = read_workbook(
        xlsx_of("""
            | survey   |       |                              |
            | type     | name  | label                        |
            | text     | who   | Who?                         |
            | settings |       |                              |
            | form_id  | title | submission_url               |
            | visit    | Visit | https://kc.example.org/sent  |
        """),
        "visit.xlsx",
    )

    told = (
        "Tablets send what is filled in to https://kc.example.org/sent, not to the server that they have the form from."
    )
    (warning,), (of_xform,) = book.warnings, read_xform(book.xform, "visit.xml").warnings
    assert (warning.sheet, warning.column, warning.fault) == ("settings", "submission_url", told)
    assert (of_xform.place, of_xform.fault) == ("visit.xml", told)


# Beside other workbooks


def other_sheets(**changes: object) -> Sheets:
    given: dict[str, object] = {"aggregate": "sum", "value": "${kilos}", "unit": "t", **changes}
    return Sheets("other", (Indicator("tonnes", **given),))  # type: ignore[arg-type]


TONNES = """
    | indicators | | | | |
    | name | aggregate | value | unit | where |
    | tonnes | sum | ${sacks} | t | ${sacks} > 0 |
"""


def test_two_workbooks_may_feed_one_indicator() -> None:
    assert a_visit(TONNES, [other_sheets()]).sheets.indicators[0].name == "tonnes"


def test_two_workbooks_that_feed_one_indicator_must_mean_the_same() -> None:
    (fault,) = findings_of(TONNES, [other_sheets(unit="kg")])

    assert (fault.row, fault.column) == (2, "unit")
    assert "Another workbook feeds ‘tonnes’ too" in fault.fault


def test_two_workbooks_do_not_set_one_target() -> None:
    target = Target("tonnes", "2026", None, {}, None, Decimal(5))
    other = Sheets("other", other_sheets().indicators, targets=(target,))

    (fault,) = findings_of(TONNES + "| targets | | |\n| indicator | period | target |\n| tonnes | 2026 | 7 |", [other])

    assert (fault.sheet, fault.row) == ("targets", 2)


@pytest.mark.parametrize(
    ("name", "role", "good"),
    [
        ("full_name", "full_name", True),
        ("phone", "phone", True),
        ("full_name", "last_name", False),
        ("nom", "full_name", False),
    ],
)
def test_two_workbooks_agree_on_what_a_property_says(name: str, role: str, good: bool) -> None:
    own = "| matching | | |\n| list_name | property | role |\n| people | full_name | full_name |"
    other = Sheets("other", matching=(Matching("people", name, role),))
    if good:
        assert a_visit(own, [other]).sheets.matching
    else:
        (fault,) = findings_of(own, [other])
        assert (fault.row, fault.column) == (2, "role")


def test_a_ratio_may_use_indicators_of_other_forms() -> None:
    book = a_visit(
        """
        | indicators | | | | |
        | name | aggregate | numerator | denominator | unit |
        | share | ratio | tonnes | tonnes | % |
        """,
        [other_sheets()],
    )

    assert book.sheets.indicators[0].numerator == "tonnes"


# Renamed and moved questions


def renames_of(survey: str) -> dict[str, str]:
    return dict(read_workbook(a_workbook("visit", "2", survey), "visit.xlsx").sheets.renames)


def test_a_renamed_question_goes_on_as_the_one_that_it_was() -> None:
    survey = """
        | survey  | | | |
        | type    | name  | label | was |
        | integer | bags  | Bags  | sacks |
        | text    | place | Where | |
    """
    book = read_workbook(a_workbook("visit", "2", survey), "visit.xlsx")

    assert book.sheets.renames == {"/data/bags": "/data/sacks"}
    assert book.form.by_identity["/data/sacks"].path == "/data/bags"
    assert book.sheets.fields["bags"] == "/data/sacks"


def test_what_lies_in_a_renamed_group_moves_with_it() -> None:
    renames = renames_of("""
        | survey       | | | |
        | type         | name   | label | was |
        | begin_repeat | people | P     | persons |
        | text         | full   | Name  | name |
        | integer      | age    | Age   | |
        | integer      | pay    | Pay   | /data/wage |
        | end repeat   | people |       | |
    """)

    assert renames == {
        "/data/people": "/data/persons",
        "/data/people/full": "/data/persons/name",
        "/data/people/age": "/data/persons/age",
        "/data/people/pay": "/data/wage",
    }


@pytest.mark.parametrize("was", ["place", "bags", "two words"])
def test_a_question_cannot_have_been_one_that_is_still_there(was: str) -> None:
    survey = f"""
        | survey  | | | |
        | type    | name  | label | was |
        | integer | sacks | Sacks | {was} |
        | text    | place | Where | |
        | text    | money | Pay   | bags |
    """
    with pytest.raises(Faulty) as caught:
        renames_of(survey)

    assert {finding.column for finding in caught.value.findings} == {"was"}


# Hostile files


def repacked(data: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


GOOD = a_workbook("visit", "1", "| survey | | |\n| type | name | label |\n| text | a | A |")
SHEET = "xl/worksheets/sheet1.xml"


def with_part(name: str, content: bytes) -> bytes:
    return repacked(GOOD, lambda members: members.update({name: content}))


def test_what_is_not_a_workbook_is_refused_with_a_remedy() -> None:
    assert "not an .xlsx workbook" in refusal(b"type,name,label\ntext,a,A\n")
    assert "not an .xlsx workbook" in refusal(b"")
    assert "not a zip archive, or it is damaged" in refusal(b"PK\x03\x04 and so on")
    assert "password" in refusal(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "damaged" in refusal(repacked(GOOD, lambda members: members.pop("xl/workbook.xml")))
    assert "damaged" in refusal(with_part(SHEET, b"<worksheet><sheetData><row>"))


def test_groups_too_deep_to_be_filled_in_are_told_by_their_row() -> None:
    begins = [f"| begin group | g{number} | G |" for number in range(60)]
    ends = ["| end group | | |" for _ in range(60)]
    rows = ["| survey | | |", "| type | name | label |", *begins, "| text | a | A |", *ends]

    told = refusal(a_workbook("deep", "1", "\n".join(rows)))

    assert "sheet survey, row 52, column type: Groups and repeats are nested more than 50 levels deep" in told


def test_macros_are_refused_with_a_remedy() -> None:
    assert "macros. Save it as .xlsx" in refusal(with_part("xl/vbaProject.bin", b"x"))


@pytest.mark.parametrize(
    "part",
    [
        b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><worksheet/>',
        b'<!DOCTYPE lolz [<!ENTITY lol "lol"><!ENTITY lol2 "&lol;&lol;">]><lolz>&lol2;</lolz>',
    ],
)
def test_a_document_type_in_any_part_is_refused(part: bytes) -> None:
    assert "document type" in refusal(with_part("xl/styles.xml", part))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-7", "cp037"])
def test_a_part_in_an_encoding_that_could_hide_something_is_refused(encoding: str) -> None:
    part = f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE x><worksheet/>'

    assert "not XML in UTF-8" in refusal(with_part("xl/styles.xml", part.encode(encoding)))


def test_a_bomb_is_not_unpacked() -> None:
    assert "packed far more tightly" in refusal(with_part("xl/media/a.png", bytes(30_000_000)))


def test_too_many_members_are_not_unpacked() -> None:
    many = repacked(GOOD, lambda members: members.update({f"xl/media/{n}": b"" for n in range(1_500)}))

    assert "is the most that is taken" in refusal(many)


def rows(*cells: str) -> bytes:
    lines = "".join(cells)
    return (
        '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
        f"<sheetData>{lines}</sheetData></worksheet>"
    ).encode()


def test_a_sheet_of_a_hundred_thousand_columns_is_refused() -> None:
    cells = "".join(f'<c t="inlineStr"><is><t>c{n}</t></is></c>' for n in range(100_000))

    assert "more than 500 columns" in refusal(with_part(SHEET, rows(f"<row>{cells}</row>")))


def test_a_sheet_of_too_many_rows_is_refused() -> None:
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>type</t></is></c></row>'
    last = '<row r="1048576"><c r="A1048576" t="inlineStr"><is><t>text</t></is></c></row>'

    assert "more than 20,000 rows" in refusal(with_part(SHEET, rows(header, last)))


def test_a_cell_far_to_the_right_costs_nothing() -> None:
    header = '<row r="1"><c r="A1" t="inlineStr"><is><t>type</t></is></c></row>'
    far = "".join(f'<row r="{n}"><c r="XFD{n}" t="inlineStr"><is><t>x</t></is></c></row>' for n in range(2, 2_000))

    with suppress(Faulty):
        read_workbook(with_part(SHEET, rows(header, far)), "form.xlsx")


@pytest.mark.parametrize(
    ("written", "read"), [("people", "people"), ("organisations", "organisations"), ("None", "none")]
)
def test_a_workbook_may_say_whom_a_visit_is_about(written: str, read: str) -> None:
    counted = """
        | indicators | | | |
        | name | label::English (en) | aggregate | subject |
        | visited | Visited | distinct | organisations |
    """

    book = read_workbook(a_workbook("visit", "1", SURVEY + counted, written), "visit.xlsx")

    assert book.sheets.subject == read
    assert Sheets.from_json(book.sheets.to_json()) == book.sheets
    assert b"none" not in book.xform.lower()


def test_a_visit_is_about_no_list_that_the_form_has_nothing_to_do_with() -> None:
    with pytest.raises(Faulty) as caught:
        read_workbook(a_workbook("visit", "1", SURVEY, "persons"), "visit.xlsx")

    [finding] = caught.value.findings
    assert (finding.sheet, finding.row, finding.column) == ("settings", 2, "subject")
    assert "‘persons’" in finding.fault
    assert finding.remedy == "It is one of ‘people’, ‘none’."


@pytest.mark.parametrize(("written", "read"), [("visited", "visited"), ("None", "none"), ("", "")])
def test_a_workbook_may_say_of_whom_the_form_is_expected(written: str, read: str) -> None:
    book = read_workbook(xlsx_of(SURVEY + expected(written)), "visit.xlsx")

    assert book.sheets.expected == read
    assert Sheets.from_json(book.sheets.to_json()) == book.sheets
    assert ("expected" in book.sheets.to_json()) is bool(written)


@pytest.mark.parametrize(
    ("written", "fault", "remedy"),
    [
        ("visitd", "‘visitd’ is not an indicator of this programme.", "Did you mean ‘visited’?"),
        ("rows", "‘rows’ does not count entries of a list.", "Name an indicator that has a subject."),
        (
            "met",
            "‘met’ counts entries of ‘people’, and visits of this form are about ‘organisations’.",
            "Name an indicator whose subject is ‘organisations’.",
        ),
    ],
)
def test_a_form_is_expected_of_those_whom_an_indicator_counts(written: str, fault: str, remedy: str) -> None:
    with pytest.raises(Faulty) as caught:
        read_workbook(xlsx_of(SURVEY + expected(written)), "visit.xlsx")

    [finding] = caught.value.findings
    assert (finding.sheet, finding.row, finding.column) == ("settings", 2, "expected")
    assert (finding.fault, finding.remedy) == (fault, remedy)


def expected(written: str) -> str:
    return f"""
        | settings |         |          |
        | form_id  | version | expected |
        | visit    | 1       | {written} |
        | indicators | | | |
        | name | label::English (en) | aggregate | subject |
        | visited | Visited | distinct | organisations |
        | rows | Rows | count | |
        | met | Met | distinct | people |
        | chosen | Chosen | distinct | ${{organisation}} |
        | keyed | Keyed | distinct | concat(${{place}}, '') |
    """


@pytest.mark.parametrize("name", ["chosen", "keyed"])
def test_the_list_of_those_of_whom_a_form_is_expected_may_be_that_of_a_question_or_of_an_expression(name: str) -> None:
    assert read_workbook(xlsx_of(SURVEY + expected(name)), "visit.xlsx").sheets.expected == name


def test_an_indicator_that_another_workbook_feeds_from_the_register_counts_its_entries_too() -> None:
    neighbour = Sheets(
        "census", (Indicator("met", {"English (en)": "Met"}, aggregate="distinct", subject="organisations"),)
    )

    assert read_workbook(xlsx_of(SURVEY + expected("met")), "visit.xlsx", [neighbour]).sheets.expected == "met"


def test_nobody_is_expected_in_a_list_of_people_so_any_indicator_will_do() -> None:
    neighbour = Sheets("census", matching=(Matching("organisations", "born", "birth_year"),))

    assert read_workbook(xlsx_of(SURVEY + expected("met")), "visit.xlsx", [neighbour]).sheets.expected == "met"


def test_warnings_are_told_beside_the_faults_and_after_them() -> None:
    own = """
        | indicatorz | |
        | name | |
        | indicators | | | |
        | name | label::Français (fr) | aggregate | value |
        | sold | Vendu | sum | ${sack} |
    """
    with pytest.raises(Faulty) as caught:
        a_visit(own)

    told = [(finding.warns, finding.sheet, finding.column) for finding in caught.value.told]
    assert told == [
        (False, "indicators", "value"),
        (True, "indicatorz", None),
        (True, "indicators", "label::Français (fr)"),
    ]
    assert caught.value.findings == caught.value.told[:1]
    assert str(caught.value).count("Warning: ") == 2


def test_what_pyxform_warns_of_is_told_beside_faults_unless_it_is_of_a_row_at_fault() -> None:
    survey = """
        | survey      |       |                     |                  |
        | type        | name  | label::English (en) | constraint       |
        | begin_group | about |                     |                  |
        | image       | house | House               | ${nowhere} = 'a' |
        | intejer     | sold  |                     |                  |
        | image       | face  | Face                |                  |
    """
    with pytest.raises(Faulty) as caught:
        read_workbook(xlsx_of(survey), "form.xlsx")

    assert [one.row for one in caught.value.findings] == [2, 3, 4]
    assert [(one.sheet, one.row) for one in caught.value.warnings] == [("survey", 5)]


def test_all_that_is_wrong_in_one_cell_is_told_at_once() -> None:
    form = """
        | survey     |      |                     |                   |                                |
        | type       | name | label::English (en) | constraint        | relevant                       |
        | integer    | age  | Age                 | ${agee} > and 3   | flew(${agee}, ${size}, ${age}) |
        | indicators |      |                     |                   |                                |
        | name       | aggregate | label::English (en) | where        |                                |
        | old        | count     | Old                 | ${agee} > flew(1) |                           |
    """
    with pytest.raises(Faulty) as caught:
        read_workbook(xlsx_of(form), "form.xlsx")

    told: dict[str | None, list[str]] = {}
    for one in caught.value.findings:
        told.setdefault(one.column, []).append(one.fault)
    assert told == {
        "constraint": ["‘agee’ is not a question of this form.", "‘3’ at character 15 stands where it cannot."],
        "relevant": [
            "‘agee’ is not a question of this form.",
            "‘size’ is not a question of this form.",
            "There is no function ‘flew()’.",
        ],
        "where": ["‘agee’ is not a question of this form.", "There is no function ‘flew()’."],
    }


def test_a_misnamed_question_may_be_followed_by_what_picks_one_of_several() -> None:
    form = """
        | survey  |      |                     |                             |
        | type    | name | label::English (en) | relevant                    |
        | integer | age  | Age                 | ${agee}[position() = 1] > 3 |
    """
    with pytest.raises(Faulty) as caught:
        read_workbook(xlsx_of(form), "form.xlsx")

    assert [one.fault for one in caught.value.findings] == ["‘agee’ is not a question of this form."]


def test_a_workbook_without_questions_says_so() -> None:
    assert "Did you mean ‘surveys’?" in refusal(xlsx_of("| surveys | |\n| type | name |\n| text | a |"))


@settings(max_examples=25)
@given(st.data())
def test_no_damage_makes_the_reader_raise_anything_but_findings(data: st.DataObject) -> None:
    part = data.draw(st.sampled_from([SHEET, "xl/workbook.xml", "xl/styles.xml", "xl/sharedStrings.xml", ""]))
    if part:
        with zipfile.ZipFile(io.BytesIO(GOOD)) as archive:
            content = bytearray(archive.read(part) if part in archive.namelist() else b"")
    else:
        content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)))
        content[at : at + data.draw(st.integers(0, 8))] = data.draw(st.binary(max_size=8))

    with suppress(Faulty):
        read_workbook(with_part(part, bytes(content)) if part else bytes(content), "form.xlsx")


@settings(max_examples=25)
@given(
    st.sampled_from(["where", "value", "subject", "date", "by", "keep", "each", "codes"]),
    st.text(alphabet="${}()[]'\"/.=<>+-* \nasckef0|é", max_size=24).filter(lambda text: "|" not in text)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=12).filter(lambda text: "|" not in text),
)
def test_no_text_in_a_cell_makes_the_reader_raise_anything_but_findings(column: str, text: str) -> None:
    book = openpyxl.load_workbook(io.BytesIO(GOOD))
    sheet = book.create_sheet("indicators")
    sheet.append(["name", "aggregate", column])
    sheet.append(["a", "count", text])
    sheet["C2"].data_type = "s"
    out = io.BytesIO()
    book.save(out)

    with suppress(Faulty):
        read_workbook(out.getvalue(), "form.xlsx")


def test_a_comparison_that_a_spreadsheet_program_took_for_a_formula_is_still_read() -> None:
    book = openpyxl.Workbook()
    sheet = book.create_sheet("survey")
    for row in (["type", "name", "label"], ["text", "village", "Village"], ["integer", "wells", "Wells"]):
        sheet.append(row)
    sheet = book.create_sheet("indicators")
    sheet.append(["name", "label", "aggregate", "subject", "value", "per_subject", "keep"])
    sheet.append(["one_well", "Villages with one well", "distinct", "${village}", "${wells}", "latest", "=1"])
    assert sheet["G2"].data_type == "f"
    del book["Sheet"]
    out = io.BytesIO()
    book.save(out)

    workbook = read_workbook(out.getvalue(), "wells.xlsx")

    assert str(workbook.sheets.indicators[0].keep) == "= 1"
