"""The answers of a submission on its page: labels for questions and choices, turns of repeats, nothing technical."""

from __future__ import annotations

from forms.workbooks.workbook import read_workbook
from forms.xforms.instance import read_instance
from server.pages.submissions.answers import Line, lines_of
from tests.support.workbooks import a_workbook

TRAINING = """
    | survey       |         |                     |                     |             |
    | type         | name    | label::English (en) | label::Français (fr) | calculation |
    | today        | today   |                     |                     |             |
    | select_multiple topics | topics | Topics    | Thèmes              |             |
    | select_one_from_file villages.csv | village | Village | Village |             |
    | begin_repeat | people  | People              | Personnes           |             |
    | text         | name    | Name                | Nom                 |             |
    | end_repeat   | people  |                     |                     |             |
    | calculate    | hidden  |                     |                     | 1 + 1       |
    | image        | photo   | Photo               | Photo               |             |
    | choices      |         |                     |                     |
    | list_name    | name    | label::English (en) | label::Français (fr) |
    | topics       | sales   | Marketing           | Commercialisation   |
    | topics       | law     | Law                 | Droit               |
"""
FILLED = b"""<data id="training" version="1"><today>2026-11-20</today><topics>sales law other</topics>
<village>V7</village><people><name>Awa</name></people><people><name/></people><people><name>Kani</name></people>
<hidden>2</hidden><photo>1.jpg</photo><new>said anyway</new><meta><instanceID>uuid:1</instanceID></meta></data>"""

NUMBERS = """
    | survey  |       |               |
    | type    | name  | label         |
    | integer | plot  | Code of plot  |
    | integer | phone | Telephone     |
    | integer | born  | Year of birth |
    | integer | trees | Trees         |
"""


def lines(language: str) -> list[Line]:
    form = read_workbook(a_workbook("training", "1", TRAINING), "training.xlsx").form
    return lines_of(form, read_instance(FILLED), language)


def test_questions_and_choices_are_called_by_their_labels() -> None:
    assert [(line.label, line.value) for line in lines("fr") if line.depth == 0 and not line.heading] == [
        ("Thèmes", "Commercialisation, Droit, other"),
        ("Village", "V7"),
        ("Photo", "1.jpg"),
        ("new", "said anyway"),
    ]


def test_what_was_picked_from_a_list_outside_is_left_to_be_named() -> None:
    assert [line.chosen for line in lines("en") if line.chosen] == [["V7"]]


def test_each_turn_of_a_repeat_has_its_heading_unless_it_is_empty() -> None:
    inside = [(line.label.split()[-1], line.value) for line in lines("en") if line.heading or line.depth]

    assert inside == [("1", ""), ("Name", "Awa"), ("3", ""), ("Name", "Kani")]


def test_a_file_is_told_from_a_text() -> None:
    assert [line.value for line in lines("en") if line.file] == ["1.jpg"]


def test_the_digits_of_codes_telephones_and_years_stand_together() -> None:
    form = read_workbook(a_workbook("field", "1", NUMBERS), "field.xlsx").form
    answers = b"<plot>4321</plot><phone>76123456</phone><born>1987</born><trees>4321</trees>"
    filled = b'<data id="field" version="1">' + answers + b"</data>"

    assert [line.value for line in lines_of(form, read_instance(filled), "en")] == ["4321", "76123456", "1987", "4,321"]
