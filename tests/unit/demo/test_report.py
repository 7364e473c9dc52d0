"""The figures of the report have the numbers that their notes have on paper."""

from typing import Any

from demo.report import Marks


def a_figure(**told: Any) -> dict[str, Any]:
    return {"indicator": "trained", "by": {}, "unit": "people", "value": 3, "text": "3", **told}


def test_what_else_is_told_of_a_figure_has_a_number_of_its_own_and_the_same_twice_has_one() -> None:
    marks = Marks()
    named = [a_figure(), a_figure(fact="share"), a_figure(by={"sex": "female"}), a_figure(fact="without"), a_figure()]

    assert [marks.mark(figure) for figure in named] == ["[1]", "[2]", "[3]", "[4]", "[1]"]
