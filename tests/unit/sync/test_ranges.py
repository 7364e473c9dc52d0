"""What is not decided about people shows in figures: as their low and their high, and in words."""

import io
from typing import Any

import docx
import pytest
from sqlalchemy.orm import Session

from forms.indicators.sheets import Indicator, Keep
from sync.errors import Unexpected
from sync.indicators.changes import changes
from sync.indicators.contributions import Wanted, replace_contributions
from sync.indicators.evidence import evidence
from sync.indicators.moments import AsOf
from sync.indicators.reading import Reading
from sync.journal import Journal, open_journal
from sync.models import EntityList, Match, Membership
from sync.statements.issues import compose_issue, issue_statement, write_issue
from sync.statements.statements import compose, put_statement
from tests.support.figures import World, a_submission
from tests.support.figures import a_contribution as row

TRAINED = Indicator("trained", aggregate="distinct", subject="people", by=("sex",), unit="people")
WOMEN = Indicator("women", aggregate="distinct", subject="people", where="${sex} = 'female'")
SHARE = Indicator("share", aggregate="ratio", numerator="women", denominator="trained", unit="%")
GREW = Indicator(
    "grew",
    aggregate="distinct",
    subject="people",
    value="${v}",
    per_subject="growth",
    keep=Keep(">=", 2),  # type: ignore[arg-type]
)


@pytest.fixture
def world(session: Session) -> World:
    """Five records: Awa for certain twice, perhaps three times; a Fanta who is perhaps a second Fanta; Seydou."""
    world = World(session, languages=["fr", "en"])
    session.add(EntityList(project_id=1, name="people", properties=[], created_at=world.now))
    session.commit()
    world.publish(TRAINED, WOMEN, SHARE, GREW)
    women = ["awa1", "awa2", "awa3", "fanta1", "fanta2"]
    world.submit(
        *(row("trained", subject=who, ordinal=at, by=("female",)) for at, who in enumerate(women)),
        row("trained", subject="seydou", ordinal=9, by=("male",)),
        *(row("women", subject=who, ordinal=at) for at, who in enumerate(women)),
    )
    world.stand(
        {
            "awa2": ("awa1", "awa1", "awa1"),
            "awa3": ("awa1", "awa1", "awa3"),
            "fanta2": ("fanta2", "fanta1", "fanta2"),
        }
    )
    return world


def span(world: World, name: str, **asked: Any) -> tuple[Any, Any, Any]:
    shown = world.figures(name, **asked)[0].to_json()
    return shown["low"], shown["value"], shown["high"]


def a_match(number: int, a: str, b: str, **given: Any) -> Match:
    values = {"state": "open", "probability": 0.4, "weight": 0.0, "parts": [], "model": 0, "event": 1, **given}
    return Match(project_id=1, id=number, list_name="people", a=a, b=b, **values)


def line(world: World, source: str, language: str = "en", **asked: str) -> str:
    with world.change() as (journal, event):
        put_statement(journal, "results", language, source, event)
    return compose(world.reading(), "results", language, sees_small_cells=True, **asked).to_markdown().splitlines()[0]


def test_who_is_one_person_is_what_was_known_at_the_moment_that_is_asked_for(world: World) -> None:
    first = world.event
    assert span(world, "trained") == (3, 4, 5)

    second = world.stand({"awa3": ("awa1", "awa1", "awa1")})
    third = world.stand({"fanta2": ("fanta1", "fanta1", "fanta1")})

    assert span(world, "trained") == (3, 3, 3)
    assert span(world, "trained", as_of=second) == (3, 4, 4)
    assert span(world, "trained", as_of=first) == (3, 4, 5)
    assert span(world, "trained", as_of=third) == (3, 3, 3)


def test_who_is_one_person_in_a_change_that_is_taken_back_is_forgotten(world: World) -> None:
    def trained(journal: Journal) -> Any:
        reading = Reading(journal.session, journal.project_id, AsOf(journal.last_event, journal.now))
        return reading.total(reading.definition("trained"), reading.period("all"), None).value

    journal = open_journal(world.session, world.project_id, None, world.now)
    event = journal.record("merged", None, {})
    journal.session.add(membership("seydou", "fanta2", event))
    journal.session.flush()
    assert trained(journal) == 3
    world.session.rollback()

    assert span(world, "trained") == (3, 4, 5)
    world.stand({"seydou": ("seydou", "fanta1", "seydou")})
    assert span(world, "trained") == (2, 4, 5)


def membership(entity: str, person: str, event: int) -> Membership:
    persons = dict.fromkeys(("person_id", "fewest_id", "most_id"), person)
    return Membership(project_id=1, list_name="people", entity_id=entity, opened=event, **persons)


def test_a_figure_lies_between_all_who_may_be_one_and_all_who_may_be_several(world: World) -> None:
    assert span(world, "trained") == (3, 4, 5)


def test_each_cell_has_a_range_of_its_own(world: World) -> None:
    cells = {figure.by["sex"]: figure for figure in world.figures("trained", by=("sex",), totals=False)}

    assert {key: (one.low, one.value, one.high) for key, one in cells.items()} == {
        "female": (2, 3, 4),
        "male": (1, 1, 1),
    }


def test_a_ratio_takes_both_its_parts_from_the_same_people(world: World) -> None:
    low, value, high = span(world, "share")

    assert (round(low, 4), value, high) == (0.6667, 0.75, 0.8)


def test_a_figure_whose_people_are_certain_is_one_number(world: World) -> None:
    assert span(world, "trained", cells={"sex": "male"}) == (1, 1, 1)


def test_a_figure_of_the_past_has_the_range_that_it_had(world: World) -> None:
    doubtful = world.event
    world.stand({"awa3": ("awa1", "awa1", "awa1"), "fanta2": ("fanta1", "fanta1", "fanta1")})

    assert span(world, "trained") == (3, 3, 3)
    assert span(world, "trained", as_of=doubtful) == (3, 4, 5)
    assert span(world, "trained", as_of=doubtful - 1) == (6, 6, 6)


def test_where_more_people_are_not_more_the_range_still_holds_the_value(world: World) -> None:
    world.submit(
        row("grew", "2026-01-01", subject="awa1", value=1),
        row("grew", "2026-02-01", subject="awa3", value=3, ordinal=1),
        row("grew", "2026-01-01", subject="fanta1", value=1, ordinal=2),
        row("grew", "2026-02-01", subject="fanta2", value=5, ordinal=3),
    )

    # One person each, the two grew; as four people nobody has an earlier value.
    assert span(world, "grew") == (0, 1, 2)


def test_a_range_does_not_give_a_hidden_cell_away(session: Session) -> None:
    world = World(session)
    world.publish(Indicator("few", aggregate="distinct", subject="people", minimum_cell=3))
    world.submit(*(row("few", subject=who, ordinal=at) for at, who in enumerate(["a", "b", "c"])))
    assert not world.figures("few", viewer=True)[0].hidden

    world.stand({"b": ("b", "a", "b")})

    assert world.figures("few", viewer=True)[0].hidden
    assert span(world, "few") == (2, 3, 3)


def test_a_small_value_is_hidden_though_its_least_is_nothing_at_all(session: Session) -> None:
    world = World(session)
    world.publish(
        Indicator(
            "kept_small",
            aggregate="distinct",
            subject="people",
            value="${v}",
            per_subject="sum",
            keep=Keep("<", 2),  # type: ignore[arg-type]
            minimum_cell=3,
        )
    )
    world.submit(row("kept_small", subject="a", value=1), row("kept_small", subject="b", value=1, ordinal=1))

    world.stand({"b": ("b", "a", "b")})

    assert span(world, "kept_small") == (0, 2, 2)
    assert world.figures("kept_small", viewer=True)[0].hidden


def test_evidence_says_whose_person_is_not_decided(world: World) -> None:
    rows = evidence(world.reading(), "trained", sees_small_cells=True).rows

    assert {one["subject"]: (one["person"], one.get("sure", True)) for one in rows} == {
        "awa1": ("awa1", False),
        "awa2": ("awa1", False),
        "awa3": ("awa1", False),
        "fanta1": ("fanta1", False),
        "fanta2": ("fanta2", False),
        "seydou": ("seydou", True),
    }


def test_evidence_of_merged_people_about_whom_nothing_is_open_is_sure(world: World) -> None:
    world.stand({"awa3": ("awa1", "awa1", "awa1"), "fanta2": ("fanta1", "fanta1", "fanta1")})

    rows = evidence(world.reading(), "trained", sees_small_cells=True).rows

    assert not any("sure" in one for one in rows)


@pytest.mark.parametrize(
    ("kind", "cause"), [("unmerged", "unmerged"), ("trained", "definition"), ("submitted", "submitted")]
)
def test_what_made_people_one_or_several_is_the_cause(world: World, kind: str, cause: str) -> None:
    before = world.event
    world.stand({"awa3": ("awa3", "awa1", "awa3")}, kind=kind)

    found = changes(world.reading(before), world.reading(), "trained", sees_small_cells=True).to_json()

    assert (found["before"], found["after"]) == (4, 5)
    assert [(one["cause"], one["effect"]) for one in found["causes"]] == [(cause, 1)]


def test_a_visit_that_seems_to_be_of_somebody_known_is_the_cause_of_both(world: World) -> None:
    before = world.event
    with world.change("submitted") as (journal, event):
        number = journal.new_id()
        world.session.add(a_submission(1, number, event, world.now))
        replace_contributions(journal, [Wanted(number, event, world.now, [row("trained", subject="awa4")], True)])
        member = Membership(project_id=1, list_name="people", entity_id="awa4", opened=event)
        member.person_id = member.fewest_id = member.most_id = "awa1"
        world.session.add(member)

    found = changes(world.reading(before), world.reading(), "trained", sees_small_cells=True).to_json()

    assert (found["before"], found["after"]) == (4, 4)
    assert found["causes"] == [{"cause": "submitted", "contributions": 1, "effect": 0}]


def test_a_decision_that_only_narrows_the_range_changes_no_value(world: World) -> None:
    before = world.event
    world.stand({"fanta2": ("fanta2", "fanta2", "fanta2")}, kind="decided")

    found = changes(world.reading(before), world.reading(), "trained", sees_small_cells=True).to_json()

    assert (found["before"], found["after"]) == (4, 4)
    assert [cause for cause in found["causes"] if cause["contributions"]] == []


def test_what_merged_people_is_named_as_the_cause(world: World) -> None:
    before = world.event
    world.stand({"fanta2": ("fanta1", "fanta1", "fanta1")})

    found = changes(world.reading(before), world.reading(), "trained", sees_small_cells=True).to_json()

    causes = {cause["cause"]: (cause["contributions"], cause["effect"]) for cause in found["causes"]}
    assert causes == {"merged": (1, -1)}


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "So 4 (3 to 5, depending on 2 pairs not reviewed)."),
        ("fr", "So 4 (de 3 à 5, selon 2 paires non vérifiées)."),
    ],
)
def test_a_statement_says_the_range_and_on_how_many_pairs_it_hangs(world: World, language: str, words: str) -> None:
    # The last two decide nothing that this figure says: two who are one already, and one whom it does not count.
    world.session.add_all(
        [
            a_match(900, "awa1", "awa3"),
            a_match(901, "fanta1", "fanta2"),
            a_match(902, "awa1", "awa2", state="same"),
            a_match(903, "fanta2", "nobody"),
        ]
    )
    world.session.commit()

    assert line(world, "So {{ trained }}.", language) == words


def test_people_and_their_range_are_one_phrase(world: World) -> None:
    world.session.add(a_match(900, "awa1", "awa3"))
    world.session.commit()

    said = line(world, "So {{ trained | people }}.")
    plain = line(world, "So {{ trained.value | number }} of {{ trained(sex='male') }}.")

    assert said == "So 4 people (3 to 5, depending on one pair not reviewed)."
    assert plain == "So 4 of 1."


def test_a_share_has_the_range_that_its_parts_make(world: World) -> None:
    assert line(world, "So {{ trained(sex='female').share }}.") == "So 75% (67% to 80%)."


def test_a_ratio_over_visits_of_which_some_are_of_nobody_has_a_range(world: World) -> None:
    world.session.add(a_match(900, "awa1", "awa3"))
    world.session.commit()
    visits = Indicator("visits", subject="people", by=("sex",))
    each = Indicator("each", aggregate="ratio", numerator="trained", denominator="visits")
    world.publish(visits, each, form_id="other")
    world.submit(
        row("visits", subject="awa1", by=("female",)), *(row("visits", ordinal=at, by=("male",)) for at in range(1, 5))
    )

    assert line(world, "So {{ each }}.") == "So 0.8 (0.6 to 1.0, depending on one pair not reviewed)."


def test_both_parts_of_a_share_are_of_the_same_people(session: Session) -> None:
    """With a mean for each, the least of the part over the least of the whole would be a share of nothing."""
    world = World(session, languages=["en"])
    world.publish(Indicator("mean", aggregate="mean", subject="people", value="${v}", per_subject="sum", by=("sex",)))
    world.submit(
        row("mean", subject="a", value=1, by=("female",)),
        row("mean", subject="b", value=1, by=("female",), ordinal=1),
        row("mean", subject="c", value=4, by=("male",), ordinal=2),
    )
    world.stand({"b": ("b", "a", "b")})

    # As three people 1 of 2 on average; as two 2 of 3.
    assert line(world, "So {{ mean(sex='female').share }}.") == "So 50% (50% to 67%)."
    assert line(world, "So {{ mean(sex='female').share | percent(1) }}.") == "So 50.0%."


def test_a_paragraph_says_a_range_once_and_the_pairs_once_for_each_indicator(world: World) -> None:
    world.session.add_all([a_match(900, "awa1", "awa3"), a_match(901, "fanta1", "fanta2")])
    world.session.commit()
    source = (
        "{{ trained | people }}, {{ trained(sex='female').share }} of them women, and again {{ trained }};\n"
        "{{ women }} otherwise.\n\nAnew {{ trained }}:\n- {{ trained(sex='female') }}\n- {{ trained(sex='male') }}\n"
    )
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", source, event)

    statement = compose(world.reading(), "results", "en", sees_small_cells=True)

    pairs = "depending on 2 pairs not reviewed"
    assert statement.to_markdown().splitlines()[:-2] == [
        f"4 people (3 to 5, {pairs}), 75% (67% to 80%) of them women, and again 4;",
        f"3 (2 to 4, {pairs}) otherwise.",
        "",
        f"Anew 4 (3 to 5, {pairs}):",
        f"- 3 (2 to 4, {pairs})",
        "- 1",
    ]
    page = statement.to_html(lambda mark: "/behind")
    assert f'<a class="figure" href="/behind">4 people (3 to 5, {pairs})</a>, ' in page
    assert '<a class="figure" href="/behind">75% (67% to 80%)</a> of them women' in page
    document = docx.Document(io.BytesIO(statement.to_docx()))
    assert document.paragraphs[0].text.startswith(f"4 people (3 to 5, {pairs}), 75% (67% to 80%) of them women")
    shown = statement.to_json()["paragraphs"][0][0]
    assert (shown["text"], shown["low"], shown["high"]) == (f"4 people (3 to 5, {pairs})", 3, 5)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("{{ trained | number }} of {{ trained(sex='male') | number }}", "4 of 1"),
        ("{{ share }}", "75% (67% to 80%)"),
        ("{{ share | percent(1) }} or {{ share.low | percent }}", "75.0% or 67%"),
        ("{{ trained | noun('learner', 'learners') }}", "4 learners (3 to 5)"),
        ("{{ trained(sex='male') | noun('man', 'men') }}", "1 man"),
        ("{{ 2 | noun('*man*', '*men*') }}", "2 \\*men\\*"),
        ("{{ trained | noun('*one*', '*some*') }}", "4 \\*some\\* (3 to 5)"),
    ],
)
def test_a_sentence_that_wants_a_number_alone_gets_it_and_a_noun_stands_before_the_range(
    world: World, source: str, words: str
) -> None:
    assert line(world, source) == words


def test_a_noun_of_one_word_is_refused(world: World) -> None:
    with world.change() as (journal, event), pytest.raises(Unexpected) as refused:
        put_statement(journal, "results", "en", "{{ trained | noun('learner') }}", event)

    assert (
        refused.value.findings[0].fault
        == "The statement cannot be written: a noun is two texts, for one and for several."
    )


def test_in_french_the_plural_begins_at_two(world: World) -> None:
    said = line(world, "{{ trained(sex='male') | people }} ; {{ trained | noun('apprenant', 'apprenants') }}", "fr")

    assert said == "1 personne ; 4 apprenants (de 3 à 5)"


def test_of_the_past_the_range_is_said_without_the_pairs(world: World) -> None:
    world.session.add(a_match(900, "awa1", "awa3"))
    world.session.commit()
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", "So {{ trained }}.", event)
    past = world.reading(world.event)
    world.submit(row("trained", subject="other"))

    said = compose(past, "results", "en", sees_small_cells=True).to_markdown()

    assert said.splitlines()[0] == "So 4 (3 to 5)."


def test_an_issue_keeps_on_how_many_pairs_its_figures_hung(world: World) -> None:
    world.session.add_all([a_match(900, "awa1", "awa3"), a_match(901, "fanta1", "fanta2")])
    world.session.commit()
    with world.change() as (journal, event):
        put_statement(journal, "results", "en", "So {{ trained }}, {{ trained(sex='female').share }}.", event)
        put_statement(journal, "results", "fr", "Voilà {{ women }}.", event)
    told = world.reading()
    known = write_issue(told, "results")
    with world.change("noted") as (journal, _):
        as_known = issue_statement(journal, known, "One")
    past = Reading(world.session, 1, told.as_of)
    with world.change("noted") as (journal, _):
        as_before = issue_statement(journal, write_issue(past, "results"), "Two")
    world.submit(row("trained", subject="other"))

    lines = [
        compose_issue(world.session, issue, language, sees_small_cells=True).to_markdown().splitlines()[0]
        for issue, language in ((as_known, "en"), (as_known, "fr"), (as_before, "en"))
    ]

    assert lines == [
        "So 4 (3 to 5, depending on 2 pairs not reviewed), 75% (67% to 80%).",
        "Voilà 3 (de 2 à 4, selon 2 paires non vérifiées).",
        "So 4 (3 to 5), 75% (67% to 80%).",
    ]
    assert write_issue(past, "results").pairs == {}
