"""Rows of a form's tables: merged over versions, kept beside the submissions, read newest first."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from forms.indicators.sheets import Sheets
from forms.workbooks.differences import changes_between
from forms.workbooks.workbook import read_workbook
from forms.xforms.repeated import iterations_of
from sync.errors import WorkbookFaulty
from sync.exports.fields import Table, merged, repeats_in, tables_of
from sync.exports.rows import count_repeats, count_submissions, repeat_rows, submission_rows
from sync.indicators.recount import verify_portion
from sync.journal import open_journal
from sync.models import Contribution, RepeatRow
from sync.models.database import begin_writing
from sync.projects.catalogue import form_versions
from sync.projects.drafts import publish_draft, put_draft
from sync.projects.publish import publish_beside
from tests.support.projects import NOON, Desk, a_desk, instance_id
from tests.support.workbooks import a_workbook

FIRST = """
    | survey       |        |        |
    | type         | name   | label  |
    | text         | who    | Who    |
    | integer      | age    | Age    |
    | begin_repeat | people | People |
    | text         | name   | Name   |
    | begin_repeat | loans  | Loans  |
    | integer      | amount | Amount |
    | end_repeat   | loans  |        |
    | end_repeat   | people |        |
"""
SECOND = """
    | survey       |        |        |       |
    | type         | name   | label  | was   |
    | begin_group  | head   | Head   |       |
    | text         | name   | Name   | /data/who |
    | end_group    | head   |        |       |
    | decimal      | age    | Years  |       |
    | begin_repeat | guests | Guests | people |
    | text         | called | Called | name  |
    | end_repeat   | guests |        |       |
"""


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    made = a_desk(engine, tmp_path / "files")
    made.publish("visit", "1", FIRST)
    return made


def a_visit(number: int, version: str = "1", **answers: Any) -> dict[str, Any]:
    item = {"instance_id": instance_id(number), "form": "visit", "version": version, "answers": answers}
    return item | {"recorded_at": NOON.isoformat()}


def of_repeats(desk: Desk) -> list[tuple[str, int, list[int], dict[str, Any]]]:
    with desk.sessions() as session:
        rows = session.scalars(select(RepeatRow).order_by(RepeatRow.submission_id, RepeatRow.path, RepeatRow.number))
        return [(row.path, row.number, row.places, row.answers) for row in rows]


def called(tables: list[Table], name: str) -> Table:
    return next(table for table in tables if table.name == name)


def test_iterations_are_numbered_through_the_record_and_hold_no_inner_ones() -> None:
    form = read_workbook(a_workbook("visit", "1", FIRST), "visit.xlsx").form
    answers = {
        "people": [{"name": "Awa", "loans": [{"amount": 1}, {"amount": 2}]}, {"name": "Ba", "loans": [{"amount": 3}]}]
    }

    found = [(one.repeat, one.number, one.places, one.answers) for one in iterations_of(form, answers)]

    assert found == [
        ("/data/people", 0, (0,), {"name": "Awa"}),
        ("/data/people/loans", 0, (0, 0), {"amount": 1}),
        ("/data/people/loans", 1, (0, 1), {"amount": 2}),
        ("/data/people", 1, (1,), {"name": "Ba"}),
        ("/data/people/loans", 2, (1, 0), {"amount": 3}),
    ]


def test_filing_keeps_the_rows_of_repeats_and_an_edit_replaces_them(desk: Desk) -> None:
    desk.send([a_visit(1, people=[{"name": "Awa", "loans": [{"amount": 1}]}, {"name": "Ba"}])])
    before = of_repeats(desk)
    desk.send([a_visit(2, people=[{"name": "Cé"}]) | {"edits": instance_id(1)}])
    after = of_repeats(desk)
    desk.send([a_visit(3) | {"edits": instance_id(2)}])

    assert [row[:3] for row in before] == [
        ("/data/people", 0, [0]),
        ("/data/people", 1, [1]),
        ("/data/people/loans", 0, [0, 0]),
    ]
    assert [row[3]["name"] for row in after] == ["Cé"]
    assert of_repeats(desk) == []


def test_a_record_and_its_correction_in_one_batch_leave_the_rows_of_the_correction(desk: Desk) -> None:
    desk.send([a_visit(1, people=[{"name": "Awa"}]), a_visit(2) | {"edits": instance_id(1)}])

    assert of_repeats(desk) == []


def test_lost_rows_are_told_and_come_back_with_a_rebuild(desk: Desk) -> None:
    desk.send([a_visit(1, people=[{"name": "Awa", "loans": [{"amount": 1}]}])])
    before = of_repeats(desk)
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(delete(RepeatRow))
        session.commit()

    with desk.sessions() as session:
        told = list(verify_portion(session, desk.project_id, 0).differences)
    mended = desk.rebuild()

    assert [difference.partition(": ")[2] for difference in told] == ["rows of repeats"]
    assert mended == told
    assert of_repeats(desk) == before


def test_versions_are_merged_by_what_their_questions_are_and_older_answers_take_the_new_names(desk: Desk) -> None:
    desk.send([a_visit(1, who="Awa", age=4, people=[{"name": "Ba", "loans": [{"amount": 7}]}])])
    desk.publish("visit", "2", SECOND)
    desk.send([a_visit(2, "2", head={"name": "Cé"}, age=4.5, guests=[{"called": "Do"}])])

    with desk.sessions() as session:
        tables = tables_of(session, desk.project_id, "visit")
        rows = list(submission_rows(session, desk.project_id, "visit"))
        guests = list(repeat_rows(session, desk.project_id, "visit", called(tables, "Submissions.guests")))
        loans = list(repeat_rows(session, desk.project_id, "visit", called(tables, "Submissions.guests.loans")))
        living = tables_of(session, desk.project_id, "visit", deleted_fields=False)
        first = tables_of(session, desk.project_id, "visit", version="1")

    kinds = {column.path: column.kind for column in tables[0].columns}
    assert kinds[("head", "name")] == "string"
    assert kinds[("age",)] == "decimal"
    assert [row.answers["head"]["name"] for row in rows] == ["Cé", "Awa"]
    assert rows[1].answers["guests"][0]["called"] == "Ba"
    assert [row.answers["called"] for row in guests] == ["Do", "Ba"]
    assert [row.answers["amount"] for row in loans] == [7]
    assert [table.name for table in living] == ["Submissions", "Submissions.guests"]
    assert [table.name for table in first] == ["Submissions", "Submissions.people", "Submissions.people.loans"]
    assert [table.name for table in repeats_in(tables, tables[1])] == ["Submissions.guests.loans"]


def test_rows_go_on_after_any_row_in_either_direction(desk: Desk) -> None:
    desk.send([a_visit(number, age=number, people=[{"name": "a"}, {"name": "b"}]) for number in range(1, 8)])

    with desk.sessions() as session:
        pid = desk.project_id
        table = tables_of(session, pid, "visit")[1]
        down = list(submission_rows(session, pid, "visit"))
        rest = list(islice(submission_rows(session, pid, "visit", before=down[2].id), 2))
        up = list(submission_rows(session, pid, "visit", before=down[2].id, ascending=True))
        repeated = list(repeat_rows(session, pid, "visit", table))
        later = list(islice(repeat_rows(session, pid, "visit", table, before=(repeated[4].submission_id, 0)), 3))
        counted = count_submissions(session, pid, "visit"), count_repeats(session, pid, "visit", table)

    assert [row.answers["age"] for row in down] == [7, 6, 5, 4, 3, 2, 1]
    assert [row.answers["age"] for row in rest] == [4, 3]
    assert [row.answers["age"] for row in up] == [6, 7]
    assert [(row.submission_id, row.number) for row in later] == [
        (row.submission_id, row.number) for row in repeated[5:8]
    ]
    assert counted == (7, 14)


def test_what_a_workbook_says_of_a_question_outweighs_what_it_is() -> None:
    book = read_workbook(
        a_workbook(
            "visit",
            "1",
            """
            | survey    |           |       |             |             |
            | type      | name      | label | identifying | calculation |
            | text      | nick      | Nick  | oui         |             |
            | calculate | greeting  |       |             | concat('I ni ce ', ${nick}) |
            | calculate | long      |       | no          | string-length(${nick}) |
            | geopoint  | home      | Home  |             |             |
            | geopoint  | centre    | Centre | no         |             |
            | image     | photo     | Photo |             |             |
            | text      | crop      | Crop  |             |             |
            """,
        ),
        "visit.xlsx",
    )

    (table,) = merged([("1", book.form, book.sheets)])

    telling = {column.name for column in table.columns if column.identifying}
    assert telling == {"nick", "greeting", "home", "photo"}


def test_names_numbers_and_what_the_device_knows_of_its_owner_tell_without_being_marked() -> None:
    book = read_workbook(
        a_workbook(
            "visit",
            "1",
            """
            | survey      |             |                  |             |                       |
            | type        | name        | label            | identifying | calculation           |
            | deviceid    | deviceid    |                  |             |                       |
            | phonenumber | phonenumber |                  |             |                       |
            | username    | username    |                  |             |                       |
            | email       | email       |                  |             |                       |
            | start       | start       |                  |             |                       |
            | text        | q1          | Nom du répondant |             |                       |
            | calculate   | hello       |                  |             | concat('I ni ce ', ${q1}) |
            | note        | told        | Votre nom : ${q1} |            |                       |
            | integer     | telephone   | Numéro           |             |                       |
            | text        | prenom      | Tɔgɔ             |             |                       |
            | select_one yn | q2        | Avez-vous un téléphone ? |     |                       |
            | text        | name        | Name of the village |          |                       |
            | text        | shop        | Name             | no          |                       |
            | choices     |             |                  |             |                       |
            | list_name   | name        | label            |             |                       |
            | yn          | y           | Oui              |             |                       |
            """,
        ),
        "visit.xlsx",
    )

    (table,) = merged([("1", book.form, book.sheets)])

    telling = {column.name for column in table.columns if column.identifying}
    assert telling == {"deviceid", "phonenumber", "username", "email", "q1", "hello", "telephone", "prenom"}


def test_sheets_that_say_nothing_of_identity_are_stored_as_before() -> None:
    assert "identifying" not in Sheets("visit").to_json()
    assert Sheets.from_json(Sheets("visit", identifying={"/data/a": True}).to_json()).identifying == {"/data/a": True}


MARKED = """
    | survey  |        |        |      |
    | type    | name   | label  | was  |
    | text    | called | Called | {was} |
    | integer | age    | Age    |      |
"""


@pytest.mark.parametrize("was", ["", "who", "called"])
def test_a_question_that_was_renamed_once_stays_itself_marked_again_or_not(desk: Desk, was: str) -> None:
    desk.publish("visit", "2", MARKED.format(was="who"))
    desk.publish("visit", "3", MARKED.format(was=was))
    desk.publish("visit", "4", MARKED.format(was="who"))
    desk.send([a_visit(1, who="Awa"), *(a_visit(int(v), v, called="Ba") for v in "234")])

    with desk.sessions() as session:
        (column,) = (one for one in tables_of(session, desk.project_id, "visit")[0].columns if one.name == "called")
        found = [row.answers.get("called") for row in submission_rows(session, desk.project_id, "visit")]

    assert (column.identity, set(column.versions)) == ("/data/who", set("1234"))
    assert found == ["Ba", "Ba", "Ba", "Awa"]


def test_figures_go_on_with_a_question_that_was_renamed_once(desk: Desk) -> None:
    counted = """
        | survey     |        |           |              |
        | type       | name   | label     | was          |
        | integer    | {name} | Age       | {was}        |
        | indicators |        |           |              |
        | name       | label  | aggregate | value        |
        | years      | Years  | sum       | ${{{name}}}  |
    """
    desk.publish("visit", "2", counted.format(name="age", was=""))
    desk.publish("visit", "3", counted.format(name="years", was="age"))
    desk.publish("visit", "4", counted.format(name="years", was=""))
    desk.send([a_visit(1, age=1), a_visit(2, "2", age=10), a_visit(3, "3", years=100), a_visit(4, "4", years=1000)])

    with desk.sessions() as session:
        values = session.scalars(select(Contribution.value).where(Contribution.closed.is_(None))).all()

    assert sum(value or 0 for value in values) == 1111_000_000


def test_a_question_that_was_renamed_twice_may_say_either_name(desk: Desk) -> None:
    desk.publish("visit", "2", MARKED.format(was="who"))
    desk.publish("visit", "3", MARKED.format(was="called").replace("| called", "| named", 1))
    desk.publish("visit", "4", MARKED.format(was="who").replace("| called", "| named", 1))

    with desk.sessions() as session:
        column = tables_of(session, desk.project_id, "visit")[0].columns[0]

    assert column.versions == {"1": ("who",), "2": ("called",), "3": ("named",), "4": ("named",)}


def test_what_lies_in_a_group_that_was_renamed_once_stays_itself(desk: Desk) -> None:
    desk.publish("visit", "2", SECOND)
    desk.publish("visit", "3", SECOND.replace("| was   |", "| note  |"))

    with desk.sessions() as session:
        old, new = form_versions(session, desk.project_id, "visit")[1::-1]
        found = changes_between((old.form(), old.sheets()), (new.form(), new.sheets()))
        names = {table.name: set(table.versions) for table in tables_of(session, desk.project_id, "visit")}

    assert found == []
    assert names["Submissions.guests"] == set("123")


def test_the_first_name_of_a_question_is_not_free_for_another_one(desk: Desk) -> None:
    desk.publish("visit", "2", MARKED.format(was="who"))
    both = MARKED.format(was="").replace("| integer | age    | Age ", "| text    | who    | Who ")

    with pytest.raises(WorkbookFaulty) as caught:
        desk.publish("visit", "3", both)

    assert "‘/data/who’" in caught.value.findings[0].fault


NUMBERS = "| survey |\n| type | name | label | was |\n"
TOP = "| integer | age | Age | {was} |\n"
PEOPLE = "| begin_repeat | people | People | {was} |\n{rows}| end_repeat | people | - | - |\n"
INSIDE = PEOPLE.format(was="", rows=TOP.format(was=""))
NESTED = "| begin_repeat | houses | Houses | {was} |\n{rows}| end_repeat | houses | - | - |\n"


@pytest.mark.parametrize(
    ("before", "after", "places"),
    [
        (TOP.format(was=""), PEOPLE.format(was="", rows=TOP.format(was="/data/age")), ["/data/people/age"]),
        (INSIDE, TOP.format(was="/data/people/age"), ["/data/age"]),
        (
            INSIDE,
            NESTED.format(was="", rows=INSIDE.replace("People | ", "People | /data/people")),
            ["/data/houses/people"],
        ),
        (
            NESTED.format(was="", rows=INSIDE),
            INSIDE.replace("People | ", "People | /data/houses/people"),
            ["/data/people"],
        ),
        (
            NESTED.replace("repeat", "group").format(was="", rows=INSIDE),
            NESTED.format(was="", rows=INSIDE),
            ["/data/houses/people"],
        ),
    ],
)
def test_what_was_in_other_rows_cannot_go_on(desk: Desk, before: str, after: str, places: list[str]) -> None:
    desk.publish("visit", "2", NUMBERS + before)

    with pytest.raises(WorkbookFaulty) as caught:
        desk.publish("visit", "3", NUMBERS + after)

    assert [finding.place for finding in caught.value.findings] == places


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (INSIDE, INSIDE.replace("| people | People | ", "| persons | Persons | people")),
        (INSIDE.replace("repeat", "group"), INSIDE),
        (INSIDE, INSIDE.replace("repeat", "group")),
    ],
)
def test_a_repeat_may_have_another_name_and_a_group_may_become_one(desk: Desk, before: str, after: str) -> None:
    desk.publish("visit", "2", NUMBERS + before)
    desk.publish("visit", "3", NUMBERS + after)

    assert identities(desk) == {"age": "/data/people/age"}


def test_a_version_that_goes_on_with_a_name_may_be_loaded_again(desk: Desk) -> None:
    desk.publish("visit", "2", MARKED.format(was="who"))
    desk.publish("visit", "3", MARKED.format(was=""))

    desk.publish("visit", "3", MARKED.format(was=""))
    desk.publish("visit", "2", MARKED.format(was="who"))

    with desk.sessions() as session:
        assert [one.version for one in form_versions(session, desk.project_id, "visit")] == ["3", "2", "1"]


def a_form(**names: str) -> str:
    """Questions, each with what it was called."""
    return NUMBERS + "\n".join(f"| integer | {name} | {name} | {was} |" for name, was in names.items())


def identities(desk: Desk) -> dict[str, str]:
    """Of the questions of the version that was published last."""
    with desk.sessions() as session:
        form = form_versions(session, desk.project_id, "visit")[0].form()
        return {field.name: field.identity for field in form.fields.values() if field.name != "instanceID"}


def test_who_takes_anothers_name_leaves_it_its_identity_also_by_way_of_a_draft(desk: Desk) -> None:
    desk.publish("visit", "2", a_form(a="", b=""))
    desk.publish("visit", "3", a_form(a="b", c="a"))
    assert identities(desk) == {"a": "/data/b", "c": "/data/a"}

    with desk.sessions() as session:
        begin_writing(session)
        journal = open_journal(session, desk.project_id, None, NOON)
        put_draft(journal, read_workbook(a_workbook("visit", "4", a_form(a="b", d="c")), "visit.xlsx"))
        publish_draft(journal, "visit")
        journal.close()
        session.commit()
    assert identities(desk) == {"a": "/data/b", "d": "/data/a"}
    desk.publish("visit", "5", a_form(a="b", e="a"))
    assert identities(desk) == {"a": "/data/b", "e": "/data/a"}


def test_a_version_from_before_names_were_carried_on_is_gone_on_from_and_may_be_loaded_again(desk: Desk) -> None:
    unmarked = a_form(called="", who="")
    desk.publish("visit", "2", a_form(called="who"))
    with desk.sessions() as session:
        publish_beside_others(session, desk, unmarked)

    desk.publish("visit", "3", unmarked)
    desk.publish("visit", "4", unmarked)

    assert identities(desk) == {"called": "/data/called", "who": "/data/who"}


def publish_beside_others(session: Session, desk: Desk, form: str) -> None:
    """As versions were published before: nothing of the ones before them goes on."""
    begin_writing(session)
    journal = open_journal(session, desk.project_id, None, NOON)
    publish_beside(journal, read_workbook(a_workbook("visit", "3", form), "visit.xlsx"))
    journal.close()
    session.commit()
