"""The notes of a statement on paper say how each figure is counted, and no more than is so."""

from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator, Keep
from sync.statements.notes import beneath, how_counted, notes_of
from sync.statements.statements import compose, put_statement
from tests.support.figures import World
from tests.support.figures import a_contribution as row


@pytest.mark.parametrize(
    ("more", "english", "french"),
    [
        (
            {"aggregate": "distinct", "subject": "people"},
            "each is counted once, however many visits",
            "comptage sans double, quel que soit le nombre de visites",
        ),
        (
            {
                "aggregate": "distinct",
                "subject": "people",
                "value": "${fcfa}",
                "per_subject": "growth",
                "keep": Keep(">=", Decimal("1.5")),
            },
            "each is counted once, however many visits, of each the last value divided by the one at the start, "
            "only where it is ≥ 1.5",
            "comptage sans double, quel que soit le nombre de visites, à chaque fois la dernière valeur divisée par "
            "celle du départ, seulement si elle est ≥ 1,5",
        ),
        (
            {"aggregate": "sum", "subject": "centres", "value": "${inhabitants}"},
            "values are added up, of each the last value",
            "valeurs additionnées, à chaque fois la dernière valeur",
        ),
        ({"aggregate": "sum", "value": "${sacks}"}, "values are added up", "valeurs additionnées"),
    ],
)
def test_how_a_figure_is_counted_is_said_in_full(
    session: Session, more: dict[str, Any], english: str, french: str
) -> None:
    world = World(session)
    world.publish(Indicator("counted", **more))
    definition = world.reading().definition("counted")

    assert how_counted(definition, "en") == english
    assert how_counted(definition, "fr") == french


def test_what_else_is_told_of_a_figure_has_a_note_of_its_own_and_the_same_twice_has_one(session: Session) -> None:
    world = World(session)
    world.publish(
        Indicator("gained", {"en": "Gained"}, aggregate="distinct", subject="people", value="${v}", per_subject="gain")
    )
    text = "{{ gained }} gained, {{ gained.without }} did not; {{ gained }} are {{ gained.share }} in {{ gained.n }}."
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", text, event)
    reading = world.reading()
    statement = compose(reading, "results", "en", sees_small_cells=True)

    notes, of_marks = notes_of(reading, statement.text, statement.marks, "en")

    assert [of_marks[position] for position in sorted(of_marks)] == [1, 2, 1, 3, 4]
    assert [note.sentence for note in notes] == [
        "Gained, the whole time: each is counted once, however many visits; 0 contributions.",
        "Gained, the whole time: cases left out, because there is nothing to compare their value with.",
        "Gained, the whole time: as a share of the whole, each is counted once, however many visits; 0 contributions.",
        "Gained, the whole time: how many contributions there are.",
    ]


def test_a_period_that_all_figures_share_is_said_once_before_their_notes(session: Session) -> None:
    world = World(session)
    world.publish(Indicator("visits", {"en": "Visits"}), Indicator("sacks", {"en": "Sacks"}))

    def told(text: str) -> tuple[str, list[str]]:
        with world.change() as (journal, event):
            put_statement(journal, "results", "en", text, event)
        statement = compose(world.reading(), "results", "en", period="2026", sees_small_cells=True)
        return beneath(notes_of(world.reading(), statement.text, statement.marks, "en")[0], "en")

    assert told("{{ visits }} and {{ sacks }}") == (
        "Period of all figures: 2026.",
        ["Visits: visits are counted; 0 contributions.", "Sacks: visits are counted; 0 contributions."],
    )
    assert told('{{ visits }}, {{ visits(period="2025") }} before') == (
        "",
        ["Visits, 2026: visits are counted; 0 contributions.", "Visits, 2025: visits are counted; 0 contributions."],
    )
    assert told("{{ visits }}") == ("", ["Visits, 2026: visits are counted; 0 contributions."])


def test_the_note_of_a_share_says_how_many_contributions_each_of_its_parts_has(session: Session) -> None:
    world = World(session)
    world.publish(
        Indicator("women", {"en": "Women"}, aggregate="distinct", subject="people"),
        Indicator("people", {"en": "People"}, aggregate="distinct", subject="people"),
        Indicator("share", {"en": "Share"}, aggregate="ratio", numerator="women", denominator="people", unit="%"),
    )
    world.submit(row("women", subject="awa"), *(row("people", subject=who, ordinal=at) for at, who in enumerate("ab")))
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", "{{ share }}", event)
    reading = world.reading()
    statement = compose(reading, "results", "en", sees_small_cells=True)

    [note], _ = notes_of(reading, statement.text, statement.marks, "en")

    assert note.sentence == "Share, the whole time: Women (1 contribution) ÷ People (2 contributions)."
