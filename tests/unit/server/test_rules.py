"""The rules of a form in words."""

from __future__ import annotations

import pytest
from flask import Flask

from forms.workbooks.workbook import read_workbook
from server.pages.forms.rules import RuleReader
from tests.support.workbooks import a_workbook

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
VISIT = """
    | survey |         |                      |                       |
    | type   | name    | label::English (en)  | label::Français (fr)  |
    | select_one yn | member | Is she a member? | Est-elle membre ?  |
    | select_multiple yn | sold | Sold        | Vendu                 |
    | integer | age    | Age                  | Âge                   |
    | choices |        |                      |                       |
    | list_name | name | label::English (en)  | label::Français (fr)  |
    | yn     | yes     | Yes                  | Oui                   |
"""


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (". >= 0 and . <= 105", "the answer ≥ 0 and the answer ≤ 105"),
        ("/data/member = 'yes'", "«\u00a0Is she a member?\u00a0» = “Yes”"),
        ("/data/age != ''", "«\u00a0Age\u00a0» is answered"),
        ("not(selected(/data/sold, 'yes'))", "not («\u00a0Sold\u00a0» includes “Yes”)"),
        ("(/data/age > 1 or /data/age < 0) and 1 = 1", "(«\u00a0Age\u00a0» > 1 or «\u00a0Age\u00a0» < 0) and 1 = 1"),
        ("if(/data/age > 17, 'grown', 'young')", "if «\u00a0Age\u00a0» > 17: “grown”, else “young”"),
        ("count-selected(.) > 1", "number of choices in the answer > 1"),
        ("something-else(/data/age, 2)", "something-else(«\u00a0Age\u00a0», 2)"),
        ("is not ( xpath", "is not ( xpath"),
    ],
)
def test_a_rule_names_questions_and_choices_by_their_labels(app: Flask, rule: str, words: str) -> None:
    with app.test_request_context(headers={"Accept-Language": "en"}):
        form = read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx").form

        assert RuleReader(form, "en").words(rule, "/data/here") == words


def test_a_rule_is_said_in_french_too(app: Flask) -> None:
    with app.test_request_context(headers={"Accept-Language": "fr"}):
        form = read_workbook(a_workbook("visit", "1", VISIT), "visit.xlsx").form

        said = RuleReader(form, "fr").words("/data/member = 'yes' or . > 3", "/data/here")

    assert said == "«\u00a0Est-elle membre ?\u00a0» = “Oui” ou la réponse > 3"
