"""Statements that were given out read for ever as they did, in every language and for everybody."""

import io
from typing import Any

import docx
import pytest
from sqlalchemy import delete
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator
from sync.errors import Unexpected
from sync.indicators import wording
from sync.models.indicators import IssueText, StatementIssue
from sync.statements.issues import compose_issue, issue_changes, issue_statement, write_issue
from sync.statements.marks import Mark
from sync.statements.statements import Statement, compose, head_of, on_paper, put_statement
from tests.support.figures import World, a_place
from tests.support.figures import a_contribution as row

TRAINED = Indicator("people_trained", aggregate="distinct", subject="people", by=("sex",), minimum_cell=5)
WOMEN = Indicator("women", aggregate="distinct", subject="people", where="${sex} = 'female'")
SHARE = Indicator("women_share", aggregate="ratio", numerator="women", denominator="people_trained", unit="%")
MILESTONES = Indicator("milestones", aggregate="list", value="${what}")
ENGLISH = """# {{ project }} in {{ period }}, {{ place }}

{{ people_trained | people }}, {{ people_trained(sex="female").share }} of them women ({{ women_share | percent(2) }}).
{{ people_trained.n }} visits, {{ milestones }}, as of {{ as_of }}.
"""


@pytest.fixture
def world(session: Session) -> World:
    world = World(session, languages=["fr", "en"], fiscal_year_start=4)
    world.places(a_place("ML-2", "region", name="Koulikoro"))
    world.publish(TRAINED, WOMEN, SHARE, MILESTONES)
    names = ("awa", "female"), ("fanta", "female"), ("seydou", "male")
    world.submit(
        *(
            row("people_trained", subject=name, by=(sex,), place="ML-2", ordinal=at)
            for at, (name, sex) in enumerate(names)
        ),
        row("women", subject="awa", place="ML-2"),
        row("women", subject="fanta", place="ML-2", ordinal=1),
        row("milestones", text="A *shop*", place="ML-2"),
    )
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", ENGLISH, event)
        put_statement(journal, "results", "fr", "{{ women | people }}, {{ place }}.", event)
    return world


def issue(world: World) -> StatementIssue:
    written = write_issue(world.reading(), "results", period="FY2026", place="ML-2")
    with world.change("noted") as (journal, _):
        return issue_statement(journal, written, "To the board")


def link(mark: Mark) -> str:
    figure = mark.figure
    assert figure is not None
    return (
        f"/{figure.definition.name}?{figure.period.text}&{figure.place}&{dict(figure.by)}&{mark.fact}&{mark.decimals}"
    )


def everything(world: World, statement: Statement) -> list[Any]:
    """All that can be read of a statement, in each of its forms."""
    paper = on_paper(world.reading(statement.as_of.event), statement)
    document = docx.Document(io.BytesIO(statement.to_docx(link, paper)))
    return [
        statement.title,
        statement.to_json(link),
        statement.to_html(link, paper.of_marks),
        statement.to_markdown(),
        [(one.text, [link.address for link in one.hyperlinks]) for one in document.paragraphs],
        [(note.words, note.label, note.period, note.place, note.target, note.sentence) for note in paper.notes],
        (paper.heading, paper.project, paper.period, paper.place, paper.as_of),
    ]


def test_what_a_file_says_at_its_head_stands_beneath_the_heading_or_first_and_is_no_markup(world: World) -> None:
    given = issue(world)
    heads = {}
    for language in ("en", "fr"):
        issued = compose_issue(world.session, given, language, sees_small_cells=True)
        head = head_of(issued, on_paper(world.reading(given.as_of), issued), given.number, "The *best* one")
        heads[language] = [line for line in issued.to_markdown(head).splitlines() if line][:2]

    english, french = heads["en"], heads["fr"]
    assert english[0].startswith("# ")
    assert "fiscal year 2026–2027 · Koulikoro · issue no. 1, “The \\*best\\* one”, issued on " in english[1]
    assert "Koulikoro · édition n°\xa01, «\xa0The \\*best\\* one\xa0», émise le " in french[0]


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_issue_reads_in_every_form_as_the_statement_did(world: World, language: str, small: bool) -> None:
    read = compose(world.reading(), "results", language, period="FY2026", place="ML-2", sees_small_cells=small)
    before = everything(world, read)

    issued = compose_issue(world.session, issue(world), language, sees_small_cells=small)

    assert everything(world, issued) == before
    assert issued.figures == read.figures


def test_who_may_not_see_small_cells_does_not_read_them_in_an_issue(world: World) -> None:
    given = issue(world)

    said = [compose_issue(world.session, given, "fr", sees_small_cells=small).text for small in (True, False)]
    english = compose_issue(world.session, given, "en", sees_small_cells=False)

    assert said[0] == said[1]
    assert "fewer than 5" in english.to_markdown()
    assert all(one.value is None for one in english.figures.values() if one.definition.name == "people_trained")


def test_a_text_that_hides_nothing_is_written_once_for_all_who_read_it(world: World) -> None:
    with world.change() as (journal, event):
        put_statement(journal, "plain", "en", "{{ women }}", event)
        put_statement(journal, "plain", "fr", "{{ people_trained }}", event)
    told: list[tuple[int, int]] = []

    written = write_issue(world.reading(), "plain", tell=lambda done, of: told.append((done, of)))

    # Each time that a text is begun, and then its only figure.
    assert told == [(0, 2)] * 2 + [(1, 2)] * 4
    assert [(language, small) for language, small, _ in written.texts] == [
        *(("en", False), ("en", True), ("fr", False), ("fr", True))
    ]
    texts = [text for *_, text in written.texts]
    assert texts[0] == texts[1]
    assert texts[2] != texts[3]


def test_an_issue_keeps_the_words_around_its_figures(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given = issue(world)
    before = everything(world, compose_issue(world.session, given, "en", sees_small_cells=True))

    for name in ("as_of", "received_one", "people", "notes", "note", "note_of", "fiscal", "how_list"):
        monkeypatch.setitem(wording._PHRASES["en"], name, "said otherwise")
    world.settings(name="Another name")
    world.places(a_place("ML-2", "region", name="Another place"))

    assert everything(world, compose_issue(world.session, given, "en", sees_small_cells=True)) == before
    assert "said otherwise" in compose(world.reading(), "results", "en", sees_small_cells=True).to_markdown()


def test_a_language_without_a_text_reads_that_of_its_neighbour_in_an_issue_too(world: World) -> None:
    given = issue(world)
    with world.change() as (journal, event):
        put_statement(journal, "results", "bm", "Muso {{ women }}.", event)

    bambara, german = (compose_issue(world.session, given, one, sees_small_cells=True) for one in ("bm", "de"))

    assert (bambara.language, german.language) == ("fr", "fr")


def test_what_an_issue_said_is_compared_with_what_would_be_said_today(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = issue(world)
    monkeypatch.setitem(wording._PHRASES["en"], "as_of", "said otherwise")

    def differing() -> list[tuple[str, str, str]]:
        now = world.reading().as_of
        found = issue_changes(world.session, given, "en", now, sees_small_cells=True, with_causes=False)
        return [(one["indicator"], one["before"]["text"], one["after"]["text"]) for one in found]

    assert differing() == []
    world.submit(row("women", subject="oumou", place="ML-2"))
    assert differing() == [("women_share", "67%", "100%")]


def test_a_text_that_cannot_be_written_for_viewers_is_issued_for_those_for_whom_it_can(world: World) -> None:
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", "{{ people_trained.value + 1 }} and {{ women }}", event)
    given = issue(world)

    said = compose_issue(world.session, given, "en", sees_small_cells=True).to_markdown()

    assert said.startswith("4 and 2\n")
    with pytest.raises(Unexpected):
        compose_issue(world.session, given, "en", sees_small_cells=False)
    assert compose_issue(world.session, given, "fr", sees_small_cells=False).paper is not None


def test_an_issue_of_before_texts_were_kept_is_written_anew_and_says_so(world: World) -> None:
    given = issue(world)
    kept = compose_issue(world.session, given, "en", sees_small_cells=True)
    world.session.execute(delete(IssueText))
    world.session.commit()
    world.submit(row("women", subject="oumou", place="ML-2"))

    anew = compose_issue(world.session, given, "en", sees_small_cells=True)

    assert (kept.paper is not None, anew.paper) == (True, None)
    assert anew.to_markdown() == kept.to_markdown()
    assert on_paper(world.reading(given.as_of), anew, given.issued_at) == kept.paper
