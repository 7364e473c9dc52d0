"""Statements: what they say in each language and format, faults in their texts, and issues that stay as they were."""

import io
import re
from dataclasses import replace
from decimal import Decimal

import docx
import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator, Target
from server.language.sentences import said_in
from sync.errors import NotFound, Unexpected
from sync.models.indicators import StatementText
from sync.statements.issues import compose_issue, issue_at, issue_changes, issue_statement, write_issue
from sync.statements.marks import Mark
from sync.statements.statements import Statement, compose, on_paper, put_statement, statements_at, titles_at
from tests.support.figures import World, a_place
from tests.support.figures import a_contribution as row

TRAINED = Indicator("people_trained", aggregate="distinct", subject="people", by=("sex", "topic"), minimum_cell=5)
WOMEN = Indicator("women", aggregate="distinct", subject="people", where="${sex} = 'female'")
SHARE = Indicator("women_share", aggregate="ratio", numerator="women", denominator="people_trained", unit="%")
RICE = Indicator("rice_tonnes", aggregate="sum", value="${t}")
INCOME = Indicator("income", aggregate="mean", value="${fcfa}")
MILESTONES = Indicator("milestones", aggregate="list", value="${what}")
ENGLISH = re.compile(r"\b(the|there|of|it|cannot|ask|its|for)\b", re.IGNORECASE)


@pytest.fixture
def world(session: Session) -> World:
    """Three people, of whom two are women, and 7,879 tonnes."""
    world = World(session, languages=["fr", "en"], fiscal_year_start=4)
    world.publish(TRAINED, WOMEN, SHARE, RICE, INCOME, MILESTONES)
    world.submit(
        row("people_trained", subject="awa", by=("female", "marketing")),
        row("people_trained", subject="fanta", by=("female", "governance"), ordinal=1),
        row("people_trained", subject="seydou", by=("male", "marketing"), ordinal=2),
        row("women", subject="awa"),
        row("women", subject="fanta", ordinal=1),
        row("rice_tonnes", value=7879),
    )
    return world


def put(world: World, source: str, name: str = "results", language: str = "en") -> bool:
    with world.change() as (journal, event):
        return put_statement(journal, name, language, source, event)


def written(world: World, source: str, language: str = "en", viewer: bool = False, **asked: str) -> Statement:
    put(world, source, language=language)
    return compose(world.reading(), "results", language, sees_small_cells=not viewer, **asked)


def first_line(statement: Statement) -> str:
    return statement.to_markdown().splitlines()[0]


def faults(world: World, source: str) -> list[tuple[int | None, str]]:
    with pytest.raises(Unexpected) as refused:
        put(world, source)
    return [(finding.row, finding.fault) for finding in refused.value.findings]


def growing(first: str, sign: str, then: str = "") -> str:
    """Loops in loops, of which each makes forty times as much of what it goes through."""
    more = sign.join("a" * 40)
    around = f"[{more}] {then}" if then else more
    return f"{{% for a in [{first}] %}}" + f"{{% for a in [{around}] %}}" * 5 + "{{ a }}" + "{% endfor %}" * 6


def link(mark: Mark) -> str:
    figure = mark.figure
    assert figure is not None
    return f"/evidence/{figure.definition.name}?is={figure.by.get('sex', '')}&period={figure.period.text}"


@pytest.mark.parametrize(
    ("source", "english", "french"),
    [
        ("{{ rice_tonnes }}", "7,879.0", "7\u202f879,0"),
        ("{{ rice_tonnes | number(0) }}", "7,879", "7\u202f879"),
        ('{{ people_trained(sex="female") }}', "2", "2"),
        ('{{ people_trained(sex="female").share }}', "67%", "67\u00a0%"),
        ("{{ women_share }}", "67%", "67\u00a0%"),
        ("{{ women_share | percent(1) }}", "66.7%", "66,7\u00a0%"),
        ("{{ women | people }}", "2 people", "2 personnes"),
        ("{{ 0 | people }} {{ 1 | people }}", "0 people 1 person", "0 personne 1 personne"),
        ("{{ income }}", "—", "—"),
        ('{{ rice_tonnes(period="2025") | number(0) }}', "0", "0"),
        ("{{ as_of | date }}", "1 January 2026", "1er janvier 2026"),
        ("{{ waiting }} {{ project }}", "1 Programme", "1 Programme"),
        ("{% if women.value > 1 %}{{ women.label }}{% else %}none{% endif %}", "women", "women"),
        ('{{ [women, people_trained] | join(" / ") }}', "2 / 3", "2 / 3"),
        ('{{ women ~ "/" ~ people_trained.value ~ " " ~ income.value }}', "2/3 —", "2/3 —"),
        ('{{ (women_share ~ "!") if women.value else "nobody" }}', "67%!", "67\u00a0%!"),
        ('{{ rice_tonnes(period="FY" ~ 2026) | number(0) ~ "" }}', "7,879", "7\u202f879"),
        ('{{ "\\ue0000\\ue001" }}{{ "\\ue0009\\ue001" ~ women }}', "092", "092"),
    ],
)
def test_a_text_reads_as_its_language_writes(world: World, source: str, english: str, french: str) -> None:
    assert first_line(written(world, source, "en")) == english
    assert first_line(written(world, source, "fr")) == french


def test_how_many_stand_behind_a_figure_leads_to_it_and_stays_a_number(world: World) -> None:
    statement = written(world, "{{ people_trained.n + 1 }} less one are {{ people_trained.n | number }} visits.")

    [one] = [part for part in statement.to_json(link)["paragraphs"][0] if isinstance(part, dict)]

    assert one["text"] == str(one["n"])
    assert one["evidence"].startswith("/evidence/people_trained?")
    assert first_line(statement) == f"{one['n'] + 1} less one are {one['n']} visits."


def test_figures_that_are_joined_lead_to_their_evidence(world: World) -> None:
    statement = written(world, '{{ [women, people_trained] | join(" of ") }}: {{ women.n ~ " visits" }}')

    told = statement.to_json(link)["paragraphs"][0]

    assert [part if isinstance(part, str) else part["indicator"] for part in told] == [
        "women",
        " of ",
        "people_trained",
        ": ",
        "women",
        " visits",
    ]


def test_json_keeps_the_figures_between_the_texts(world: World) -> None:
    statement = written(world, 'We trained {{ people_trained }} people, {{ people_trained(sex="female") }} women.')

    paragraphs = statement.to_json(link)["paragraphs"]

    [[before, total, between, women, after], [basis]] = paragraphs
    assert (before, between, after) == ("We trained ", " people, ", " women.")
    assert (total["value"], total["by"], total["text"]) == (3, {}, "3")
    assert (women["value"], women["by"]) == (2, {"sex": "female"})
    assert women["evidence"] == "/evidence/people_trained?is=female&period=all"
    assert basis.startswith("All submissions count")
    assert "1 of them waits for review" in basis


def test_headings_and_lists_are_paragraphs_of_their_own(world: World) -> None:
    statement = written(world, "# Results\n\n- {{ women }} women\n- {{ rice_tonnes | number(0) }} t\n")

    paragraphs = statement.to_json()["paragraphs"]

    assert [[piece if isinstance(piece, str) else piece["value"] for piece in one] for one in paragraphs[:3]] == [
        ["Results"],
        [2, " women"],
        [7879, " t"],
    ]


def test_in_html_each_figure_leads_to_its_evidence_and_nothing_else_is_markup(world: World) -> None:
    world.submit(row("milestones", text='<script>alert("x")</script> **certified** [a](javascript:b)'))
    source = "## {{ women }} women\n\n<b>raw</b> {% for m in milestones.items %}{{ m.text }}{% endfor %}"

    page = written(world, source).to_html(link)

    assert '<h2><a class="figure" href="/evidence/women?is=&amp;period=all">2</a> women</h2>' in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "<strong>" not in page
    assert 'href="javascript' not in page
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; **certified** [a](javascript:b)" in page


def test_links_lead_only_to_the_web_and_images_are_left_out(world: World) -> None:
    page = written(world, "[a](javascript:alert(1)) [b](https://example.org) ![c](https://example.org/x.png)").to_html(
        link
    )

    assert "javascript" not in page
    assert "<img" not in page
    assert '<a href="https://example.org" rel="noopener noreferrer">b</a>' in page


def test_a_word_document_has_its_headings_lists_and_figures(world: World) -> None:
    statement = written(world, "# Results\n\nWe trained **{{ people_trained }}** people.\n\n1. {{ women }} women")

    document = docx.Document(io.BytesIO(statement.to_docx()))

    assert document.core_properties.title == "Results"
    texts = [(paragraph.style.name, paragraph.text) for paragraph in document.paragraphs if paragraph.style]
    assert texts[:3] == [("Heading 1", "Results"), ("Normal", "We trained 3 people."), ("List Number", "2 women")]
    assert texts[3][1].startswith("All submissions count")


def test_in_a_word_document_each_figure_leads_to_its_page_and_has_its_note_at_the_end(world: World) -> None:
    statement = written(world, "# Results\n\nWe trained {{ people_trained }}, **{{ women }}** of them women.", "fr")

    paper = replace(on_paper(world.reading(), statement), project="Siby", of_all="", sentences=["One.", "Two."])
    data = statement.to_docx(lambda mark: f"https://siby.example{link(mark)}", paper)

    document = docx.Document(io.BytesIO(data))
    known = document.core_properties
    assert (known.title, known.author, known.comments, known.language) == ("Results", "Siby", "", "fr")
    assert known.created == world.now
    told = document.paragraphs[1]
    assert [one.text for one in told.hyperlinks] == ["3", "2"]
    assert told.hyperlinks[1].address == "https://siby.example/evidence/women?is=&period=all"
    assert [run.bold for one in told.hyperlinks for run in one.runs] == [None, True]
    assert [run.text for run in told.runs if run.font.superscript] == ["1", "2"]
    assert [one.text for one in document.paragraphs[-3:]] == ["D’où viennent les chiffres", "1. One.", "2. Two."]


def test_json_says_what_of_a_figure_is_told(world: World) -> None:
    statement = written(world, '{{ people_trained(sex="female").share }} of {{ people_trained }}, {{ women.n }}')

    figures = [part for part in statement.to_json()["paragraphs"][0] if isinstance(part, dict)]

    assert [one.get("fact") for one in figures] == ["share", None, "n"]


def test_a_figure_that_is_not_its_target_does_not_read_like_it(world: World) -> None:
    planned = Target("women_share", target=Decimal("0.667"))
    world.publish(TRAINED, WOMEN, SHARE, targets=[planned])

    assert first_line(written(world, "{{ women_share }} or {{ women_share | percent(0) }}")) == "66.67% or 67%"


def test_milestones_are_told_one_by_one(world: World) -> None:
    world.places(a_place("ML-2", "region", name="Koulikoro"))
    world.submit(row("milestones", date="2026-03-02", text="Fair trade", place="ML-2"))
    world.submit(row("milestones", date="2026-01-05", text="A shop"))
    source = "{% for m in milestones.items %}\n- {{ m.text }}, {{ m.date | date }}, {{ m.place }}\n{% endfor %}"

    lines = written(world, source).to_markdown().splitlines()

    assert lines[:2] == ["- A shop, 5 January 2026, —", "- Fair trade, 2 March 2026, Koulikoro"]


def test_a_hidden_figure_reads_as_words_for_a_viewer_and_as_a_number_for_a_coordinator(world: World) -> None:
    source = (
        'Only {{ people_trained(sex="female") }} of {{ people_trained }}, {{ people_trained(sex="female").share }}.'
    )

    assert first_line(written(world, source, viewer=True)) == "Only fewer than 5 of fewer than 5, fewer than 5."
    assert first_line(compose(world.reading(), "results", "en", sees_small_cells=True)) == "Only 2 of 3, 67%."


def test_a_statement_for_a_period_and_a_place_asks_all_its_figures_for_them(world: World) -> None:
    world.places(a_place("ML-2", "region", name="Koulikoro"))
    world.submit(row("rice_tonnes", date="2026-04-01", value=5, place="ML-2"))

    statement = written(world, "{{ rice_tonnes }} t, {{ period }}, {{ place }}", period="FY2026-Q1", place="ml-2")

    assert first_line(statement) == "5.0 t, quarter 1 of fiscal year 2026–2027, Koulikoro"


def test_a_language_without_a_text_reads_its_neighbour(world: World) -> None:
    put(world, "{{ rice_tonnes | number(0) }} tonnes", language="fr")
    put(world, "{{ rice_tonnes | number(0) }} tons", language="en")

    bambara = compose(world.reading(), "results", "bm", sees_small_cells=True)
    german = compose(world.reading(), "results", "de", sees_small_cells=True)

    assert (bambara.language, first_line(bambara)) == ("fr", "7\u202f879 tonnes")
    assert (german.language, first_line(german)) == ("fr", "7\u202f879 tonnes")


def test_an_unknown_indicator_or_key_is_found_with_its_line_and_all_at_once(world: World) -> None:
    found = faults(world, 'Fine {{ women }}\n{{ wommen }}\n\n{{ people_trained(sexe="f") }} {{ women(period="20x6") }}')

    assert found == [
        (2, "‘wommen’ is not an indicator."),
        (4, "‘20x6’ is not a period."),
        (4, "‘people_trained’ is not broken down by ‘sexe’."),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "{{ women",
        "{% for m in milestones.items %}",
        "{% set x = 1 %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'x' %}",
        "{% import 'x' as y %}",
        "{{ women | attr('x') }}",
        "{{ 2 ** 99 }}",
        "{{ women('2026') }}",
        "{{ " + "(" * 500 + "1" + ")" * 500 + " }}",
        "{% if true %}" * 400,
        "{{ " + "9" * 5000 + " }}",
        "{{ 1e999 }}",
        '{{ "\\ud800" }}',
        "{% for a in [1] recursive %}{% endfor %}",
        "{{ women | _round }}",
        "{{ 1 " + "| length" * 300 + " }}",
        "{{ [women] | _together }}",
        "{% for a in [1] %}" * 25 + "{% endfor %}" * 25,
        "{% if women %}" * 105 + "{% endif %}" * 105,
    ],
)
def test_what_has_no_place_in_a_statement_is_a_finding(world: World, source: str) -> None:
    assert faults(world, source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ women.__class__ }}",
        "{{ women._page.reading }}",
        "{{ ''.__class__.__mro__ }}",
        "{{ women.share.__init__.__globals__ }}",
        '{{ "%s" % women }}',
        '{{ "a" * 100000000 }}',
        "{% for a in 'x' * 10 %}{% endfor %}",
        "{{ women.value + none }}",
        "{{ rice_tonnes.value / 0 }}",
        "{{ women(period=5) }}",
        "{{ women | number | join }}",
        "{{ (women ~ 'x')[1] }}",
    ],
)
def test_what_a_text_may_not_do_is_refused_when_it_is_written(world: World, source: str) -> None:
    with pytest.raises(Unexpected):
        written(world, source)


def test_loops_inside_loops_come_to_an_end(world: World) -> None:
    digits = "[" + "1," * 300 + "]"
    source = f"{{% for a in {digits} %}}{{% for b in {digits} %}}{{% endfor %}}{{% endfor %}}"

    with pytest.raises(Unexpected) as refused:
        written(world, source)

    assert "20000 times" in refused.value.findings[0].fault


@pytest.mark.parametrize("long", ["x" * 3000, "{{ '" + "x" * 3000 + "' }}", "{{ 'x' ~ women ~ '" + "x" * 3000 + "' }}"])
def test_a_text_that_becomes_too_long_says_so(world: World, long: str) -> None:
    source = f"{{% for a in [{'1,' * 200}] %}}{long}{{% endfor %}}"

    with pytest.raises(Unexpected) as refused:
        written(world, source)

    assert [(one.fault, one.remedy) for one in refused.value.findings] == [
        ("The statement cannot be written: The text comes to more than 400000 characters.", "Divide it into several.")
    ]


def test_the_same_text_again_changes_nothing(world: World) -> None:
    assert put(world, "{{ women }}")
    assert not put(world, "{{ women }}")
    assert statements_at(world.session, 1, None) == {"results": ["en"]}


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("# What was achieved\n\n{{ women }}", "What was achieved"),
        ("{{ women }}\n\n# Too late", "results"),
        ("# {{ women }} women\n", "results"),
        ("## A smaller heading\n", "results"),
    ],
)
def test_a_statement_is_called_by_its_first_heading(world: World, source: str, title: str) -> None:
    put(world, source)

    assert titles_at(world.session, 1, None) == {"results": {"en": title}}


def test_a_statement_reads_as_of_an_event_as_it_read_then(world: World) -> None:
    put(world, "{{ women }} women")
    then = world.event
    world.submit(row("women", subject="oumou"))
    put(world, "{{ women }} women!")

    before = compose(world.reading(then), "results", "en", sees_small_cells=True)
    after = compose(world.reading(), "results", "en", sees_small_cells=True)

    assert (first_line(before), first_line(after)) == ("2 women", "3 women!")
    assert "1 of them wait" in before.basis
    assert "2 of them wait" in after.basis


def test_an_issue_stays_as_it_was_and_says_what_would_read_differently_today(world: World) -> None:
    put(world, '{{ women }} women, {{ rice_tonnes | number(0) }} t, {{ people_trained(sex="female").share }}')
    written = write_issue(world.reading(), "results")
    with world.change("noted") as (journal, _):
        issue_statement(journal, written, "To the board")
    submission = world.submit(row("women", subject="oumou"))
    world.submit(row("women", subject="oumou"), row("women", subject="kadia", ordinal=1), submission_id=submission)

    issue = issue_at(world.session, 1, "results", 1)
    statement = compose_issue(world.session, issue, "en", sees_small_cells=True)
    now = world.reading().as_of
    [changed] = issue_changes(world.session, issue, "en", now, sees_small_cells=True)

    assert first_line(statement) == "2 women, 7,879 t, 67%"
    assert (changed["indicator"], changed["before"]["text"], changed["after"]["text"]) == ("women", "2", "4")
    assert {cause["cause"]: cause["effect"] for cause in changed["causes"]} == {"submitted": 1, "edited": 1}


def test_there_is_no_issue_and_no_statement_that_was_never_written(world: World) -> None:
    with pytest.raises(NotFound):
        issue_at(world.session, 1, "results", 1)
    with pytest.raises(NotFound):
        compose(world.reading(), "results", "en", sees_small_cells=True)


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("So\n{{ rice_tonnes.value.real }}", "The statement cannot be written: ‘real’ may not be asked for."),
        ("So\n{{ rice_tonnes.value + 'x' }}", "The statement cannot be written: + is for numbers."),
        ("So\n{{ rice_tonnes.value | number(7) }}", "The statement cannot be written: decimals are from 0 to 6."),
        ("So\n{{ place | date }}", "The statement cannot be written: date is for dates."),
    ],
)
def test_a_text_that_cannot_be_written_is_refused_when_it_comes(world: World, source: str, fault: str) -> None:
    [(line, said)] = faults(world, source)

    assert (line, said.startswith(fault)) == (2, True)
    assert statements_at(world.session, 1, None) == {}


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("{{ women | upper }}", "‘upper’ is not a filter. It is one of ‘number’, ‘percent’"),
        ("{% if women is od %}{% endif %}", "‘od’ cannot be asked with ‘is’. Did you mean ‘odd’?"),
        ("{{ women() + wimen() }}", "‘wimen’ is not an indicator. Take it out of the text, or"),
        ("{{ women.share('2026') }}", "a figure is asked for by names only. Write it like people_trained("),
        ("{{ women.value() }}", "only a figure takes something in brackets. See"),
        ("{{ women | number(1, 2) }}", "‘number’ does not take what stands in its brackets. See"),
        ("{{ women | people(many=true) }}", "‘people’ does not take what stands in its brackets. See"),
        ("{{ 'x' | people }}", "‘people’ is not for what stands before it. See"),
        ("{{ 'x' is odd }}", "‘odd’ is not for what stands before it. See"),
        ("{{ 1 / 0 }}", "a number is divided by zero. Divide only where"),
        ("{{ 0 * rice_tonnes.value / 0 }}", "a number is divided by zero. Divide only where"),
        ("{{ 5 is divisibleby(0) }}", "a number is divided by zero. Divide only where"),
        ("{{ 1e300 * 1e300 }}", "a number becomes too large. Reckon"),
        ("{{ 1 - income.value }}", "- is for numbers, and there is no value. Ask first whether there is one"),
        ("{{ -income.value }}", "- is for numbers, and there is no value. Ask first whether there is one"),
        ("{{ income.value > 3 }}", "something in this line is not of the kind that it is used as. Compare numbers"),
        ("{{ women / 2 }}", "/ is for numbers. Of a figure, take its .value."),
        ("{{ milestones.items[0].text }}", "there is no item [0] here. Look how it is written, or ask first whether"),
        ("{{ women.shar }}", "there is no ‘shar’ here. Look how it is written"),
        ("{{ income.value.x }}", "what ‘x’ is asked of has no value. Look how it is written"),
        ("{{ 3 * 1e30 }}", "a number becomes too large. Reckon with smaller ones."),
        ("{{ rice_tonnes.value * 1e30 }}", "a number becomes too large. Reckon with smaller ones."),
        ("{{ rice_tonnes.value is divisibleby(0) }}", "a number is divided by zero. Divide only where"),
        ("{{ (0 * rice_tonnes.value) is divisibleby(num=0) }}", "a number is divided by zero. Divide only where"),
        ('{{ "1e999999999" | number }}', "‘number’ is not for what stands before it. See"),
        ('{{ "1e999999999" | percent(1) }}', "‘percent’ is not for what stands before it. See"),
        ('{{ "1e999999999" | people }}', "‘people’ is not for what stands before it. See"),
        ('{{ "1e999999999" | noun("cow", "cows") }}', "‘noun’ is not for what stands before it. See"),
        ("{{ '%1000000000d' is even }}", "‘even’ is not for what stands before it. See"),
        ("{{ '%1000000000d' is odd }}", "‘odd’ is not for what stands before it. See"),
        ("{{ '%1000000000d' is divisibleby(3) }}", "‘divisibleby’ is not for what stands before it. See"),
        ("{% for a in [1] recursive %}{{ loop(A) }}{% endfor %}", "only a figure takes something in brackets. See"),
        (growing("'x'", " ~ "), "What is joined comes to more than 4000000 characters. Join shorter texts."),
        (growing("women ~ ''", " ~ "), "What is joined comes to more than 4000000 characters. Join shorter texts."),
        (growing("[women, women] | join", ", ", "| join"), "What is joined comes to more than 4000000 characters."),
        (
            "{% for a in [[1]] %}" + "{% for a in [[a,a,a,a,a,a,a,a]] %}" * 12 + "{{ a }}" + "{% endfor %}" * 13,
            "A list of lists is no text. Go through it one by one.",
        ),
        (growing("7", " * "), "a number becomes too large. Reckon with smaller ones."),
        (growing("rice_tonnes.value", " * "), "a number becomes too large. Reckon with smaller ones."),
        ("{% for one in income.value %}{% endfor %}", "a loop is for lists. Of a figure, take its .items."),
        ("{% for one in [1] %}{% endfor %}{{ one }}", "‘one’ is not known. Look how it is written"),
        ("{% for a in A %}{% for b in A %}{% endfor %}{% endfor %}", "The loops go round more than 20000 times. Go"),
    ],
)
def test_whatever_keeps_a_text_from_being_written_is_said_in_our_words_with_line_and_remedy(
    world: World, source: str, told: str
) -> None:
    filled = source.replace("A", f"[{'1,' * 200}]")
    with world.change() as (journal, event):  # as one that was taken when other indicators and data were there
        journal.session.add(
            StatementText(project_id=1, name="results", language="en", opened=event, source=f"So\n\n{filled}")
        )

    with pytest.raises(Unexpected) as refused:
        compose(world.reading(), "results", "en", sees_small_cells=True)

    [finding] = refused.value.findings
    assert (finding.place, finding.row) == ("statements/results.en.md", 3)
    assert f"{finding.fault} {finding.remedy}".removeprefix("The statement cannot be written: ").startswith(told)
    in_french = [said_in("fr", one) for one in (finding.fault, finding.remedy)]
    assert all(french not in (finding.fault, finding.remedy) for french in in_french)
    assert not ENGLISH.search(" ".join(in_french))


def test_all_that_a_text_names_and_is_gone_is_told_at_once(world: World) -> None:
    put(world, "{{ women }}\n{{ rice_tonnes | number(0) }}\n{% if false %}{{ income.share }}{% endif %}")
    put(world, "{% if women is defined %}{{ women }}{% endif %}No women.", name="careful")
    world.publish(TRAINED)

    with pytest.raises(Unexpected) as refused:
        compose(world.reading(), "results", "en", sees_small_cells=True)

    assert [(one.row, one.fault) for one in refused.value.findings] == [
        (1, "‘women’ is not an indicator."),
        (2, "‘rice_tonnes’ is not an indicator."),
        (3, "‘income’ is not an indicator."),
    ]
    assert {one.remedy for one in refused.value.findings} == {
        "Take it out of the text, or bring back the form that it came from."
    }
    assert first_line(compose(world.reading(), "careful", "en", sees_small_cells=True)) == "No women."


def test_what_is_gone_from_a_line_that_is_not_written_is_not_blamed_for_another(world: World) -> None:
    put(world, "{{ 1 / women_share.n }}\n{% if false %}{{ rice_tonnes }}{% endif %}\n{{ 1 / 0 }}")
    world.publish(TRAINED, WOMEN, SHARE)

    with pytest.raises(Unexpected) as refused:
        compose(world.reading(), "results", "en", sees_small_cells=True)

    assert [(one.row, one.remedy[:6]) for one in refused.value.findings] == [(3, "Divide")]


def test_a_place_or_a_way_to_break_down_that_is_gone_is_told_with_the_line(world: World) -> None:
    world.places(a_place("ML-2", "region"))
    put(world, 'So\n{{ women(place="ML-2") }}')
    put(world, 'So\n{{ people_trained(sex="female") }}', name="by_sex")
    world.places(a_place("ML-3", "region"))
    world.publish(replace(TRAINED, by=("topic",)), WOMEN)

    for name in ("results", "by_sex"):
        with pytest.raises(Unexpected) as refused:
            compose(world.reading(), name, "en", sees_small_cells=True)
        [finding] = refused.value.findings
        assert (finding.place, finding.row) == (f"statements/{name}.en.md", 2)


def test_a_figure_goes_with_a_number_with_a_decimal_point(world: World) -> None:
    source = "{{ rice_tonnes.value * 1.5 }} {{ 0.5 + rice_tonnes.value }} {{ 100 - 2 }} {{ 8 / 2 }} {{ -women.value }}"

    assert first_line(written(world, source)) == "11,818.5 7,879.5 98 4 −2"


@pytest.mark.parametrize(
    "source",
    [
        "{{ (100 * rice_tonnes.value / rice_tonnes.target) | number(0) }} of 100",
        "{{ rice_tonnes.value - rice_tonnes.baseline }} more",
        "{{ milestones.items[40].text }}",
    ],
)
def test_a_text_for_which_another_period_or_more_data_would_do_is_taken(world: World, source: str) -> None:
    assert put(world, source)


def test_a_text_that_only_lacks_data_is_taken(world: World) -> None:
    assert put(world, "{{ 1 / income.value }} of {{ milestones.items[0].text }}")
    with pytest.raises(Unexpected) as refused:
        compose(world.reading(), "results", "en", sees_small_cells=True)
    assert refused.value.findings[0].row == 1
