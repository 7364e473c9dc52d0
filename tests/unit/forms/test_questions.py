"""A form as a person reads it, and what two versions of one do differently."""

from __future__ import annotations

from forms.workbooks.differences import Change, changes_between
from forms.workbooks.workbook import Workbook, read_workbook
from forms.xforms.questions import questions_of
from tests.support.workbooks import a_workbook

FIRST = """
    | survey |           |          |             |                     |          |
    | type   | name      | label    | hint        | relevant            | required |
    | begin_group | visit | The visit |          |                     |          |
    | date   | day       | Day      | When it was |                     | yes      |
    | select_one kind | kind | Kind |             |                     |          |
    | integer | sacks    | Sacks    |             | ${kind} = 'sale'    |          |
    | end_group | visit |          |             |                     |          |
    | text   | twice     | Twice    |             |                     |          |
    | choices |          |          |
    | list_name | name   | label    |
    | kind   | sale      | Sale     |
    | kind   | gift      | Gift     |
    | indicators |       |          |           |             |
    | name   | label     | aggregate | date     | value       |
    | sold   | Sold      | sum      | ${day}    | ${sacks}    |
"""


def a_version(markdown: str) -> Workbook:
    return read_workbook(a_workbook("visit", "1", markdown), "visit.xlsx")


def between(before: str, after: str) -> list[Change]:
    old, new = a_version(before), a_version(after)
    return changes_between((old.form, old.sheets), (new.form, new.sheets))


def test_questions_come_in_the_order_of_the_form_each_group_before_what_is_in_it() -> None:
    form = a_version(FIRST).form

    found = [(one.depth, one.kind, one.name, one.labels.get("", "")) for one in questions_of(form)]

    assert found == [
        (0, "group", "visit", "The visit"),
        (1, "date", "day", "Day"),
        (1, "select1", "kind", "Kind"),
        (1, "int", "sacks", "Sacks"),
        (0, "string", "twice", "Twice"),
    ]


def test_a_question_has_its_hint_its_choices_and_its_languages() -> None:
    form = a_version("""
        | survey | | | | |
        | type | name | label::Français (fr) | label::English (en) | hint::English (en) |
        | select_one yn | sure | Sûr ?      | Sure?            | Think            |
        | choices | | | |
        | list_name | name | label::Français (fr) | label::English (en) |
        | yn     | yes   | Oui               | Yes              |
    """).form

    (question,) = questions_of(form)

    assert question.labels == {"Français (fr)": "Sûr ?", "English (en)": "Sure?"}
    assert question.hints["English (en)"] == "Think"
    assert [choice.labels["Français (fr)"] for choice in question.choices.values()] == ["Oui"]


def test_a_version_differs_in_nothing_from_itself() -> None:
    assert between(FIRST, FIRST) == []


def test_labels_rules_choices_and_indicators_that_changed_are_told() -> None:
    changed = (
        FIRST.replace("| Day      |", "| The day  |")
        .replace("${kind} = 'sale'", "${kind} != 'gift'")
        .replace("| kind   | gift      | Gift     |", "| kind   | loan      | Loan     |")
        .replace("| sum      |", "| mean     |")
    )

    found = {(one.what, one.kind, one.name, one.before, one.after) for one in between(FIRST, changed)}

    assert found >= {
        ("label", "changed", "day", "Day", "The day"),
        ("relevant", "changed", "sacks", "${kind} = 'sale'", "${kind} != 'gift'"),
        ("choice", "added", "kind", "", "Loan"),
        ("choice", "removed", "kind", "Gift", ""),
    }
    assert [one.kind for one in between(FIRST, changed) if one.what == "indicator"] == ["changed"]


def test_a_question_whose_earlier_name_is_declared_is_renamed_and_another_one_is_new() -> None:
    lines = FIRST.replace("${sacks}", "${bags}").splitlines()
    undeclared = "\n".join(line.replace("| sacks    |", "| bags     |") for line in lines)
    declared = "\n".join(
        line + (" was |" if "hint " in line else " sacks |" if "| bags " in line else "")
        for line in undeclared.splitlines()
    )

    renamed = [(one.kind, one.before, one.after) for one in between(FIRST, declared) if one.what == "question"]
    replaced = [(one.kind, one.name) for one in between(FIRST, undeclared) if one.what == "question"]

    assert renamed == [("renamed", "sacks", "bags")]
    assert replaced == [("added", "bags"), ("removed", "sacks")]


def test_a_group_and_a_repeat_are_called_by_their_labels() -> None:
    form = a_version("""
        | survey |              |            |                       |
        | type   | name         | label::English (en) | label::Français (fr) |
        | begin_group | visit   | The visit  | La visite             |
        | begin_repeat | people | Attendance | Présence              |
        | text   | called       | Name       | Nom                   |
        | end_repeat | people   |            |                       |
        | end_group | visit     |            |                       |
    """).form

    assert form.headings["/data/visit"]["English (en)"] == "The visit"
    assert form.headings["/data/visit/people"]["Français (fr)"] == "Présence"
