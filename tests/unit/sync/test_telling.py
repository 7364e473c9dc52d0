"""Whoever sends a person hears of one that looks the same, and of whom only if that one is within reach."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, select, update

from sync.dedup import rematching
from sync.dedup.pairs import Known, all_pairs
from sync.entities.registers import change_places
from sync.indicators import recount
from sync.indicators.recount import rebuild_from, verify_portion
from sync.journal import open_journal
from sync.models import Actor, Batch, Match, MatchKey, Membership, Submission
from sync.models.database import begin_writing
from tests.support.figures import a_place
from tests.support.projects import NOON, Desk, a_desk, a_sale

REGISTER = """
    | survey    |            |            |            |
    | type      | name       | label      | save_to    |
    | text      | first      | First name | first_name |
    | text      | last       | Last name  | last_name  |
    | integer   | born       | Born       | born       |
    | text      | commune    | Commune    | commune    |
    | entities  |            |            |            |
    | list_name | label      |            |            |
    | farmers   | concat(${first}, ' ', ${last}) | | |
    | matching  |            |            |            |
    | list_name | property   | role       |            |
    | farmers   | first_name | first_name |            |
    | farmers   | last_name  | last_name  |            |
    | farmers   | born       | birth_year |            |
    | farmers   | commune    | commune    |            |
"""
SIBY, KATI = a_place("SI", "commune", name="Siby"), a_place("KA", "commune", name="Kati")


def a_desk_for(engine: Engine, folder: Path, *languages: str) -> Desk:
    desk = a_desk(engine, folder / "files", languages=list(languages))
    desk.publish("register", "1", REGISTER)
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, None, NOON)
        change_places(journal, [SIBY, KATI], journal.record("places"))
        journal.close()
        session.commit()
    return desk


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk_for(engine, tmp_path, "en")


def a_farmer(number: int, first: str = "Awa", **rest: Any) -> dict[str, Any]:
    answers = {"first": first, "last": "Diarra", "born": 1990, "commune": "SI", **rest}
    return {**a_sale(number, form="register"), "answers": answers}


def told(desk: Desk, *items: dict[str, Any], batch: str | None = None) -> list[list[str]]:
    """What the receipts say of matches."""
    receipts = desk.send(items, batch).receipts
    return [[flag["message"] for flag in receipt["flags"] if flag["code"] == "match"] for receipt in receipts]


def with_device(desk: Desk, **values: Any) -> None:
    with desk.sessions() as session:
        session.execute(update(Actor).where(Actor.id == desk.device).values(values))
        session.commit()


def test_the_receipt_names_who_looks_the_same_and_where_she_lives(desk: Desk) -> None:
    assert told(desk, a_farmer(1)) == [[]]

    [[message]] = told(desk, a_farmer(2, "Aoua"))

    assert message.startswith("This looks like Awa Diarra (Siby), who is registered already.")


def test_it_is_said_in_the_language_of_the_project(engine: Engine, tmp_path: Path) -> None:
    desk = a_desk_for(engine, tmp_path, "bm", "fr", "en")
    told(desk, a_farmer(1))

    [[message]] = told(desk, a_farmer(2))

    assert message.startswith("Cela ressemble à Awa Diarra (Siby)")


def test_whoever_may_not_see_her_hears_of_her_without_name_and_place(desk: Desk) -> None:
    told(desk, a_farmer(1))
    with_device(desk, places=["KA"])

    [[message]] = told(desk, a_farmer(2))

    assert message.startswith("This looks like somebody who is registered already.")


def test_whoever_fills_in_a_public_link_hears_nothing(desk: Desk) -> None:
    told(desk, a_farmer(1))
    with_device(desk, kind="public_link")

    assert told(desk, a_farmer(2)) == [[]]


def test_nobody_hears_of_somebody_who_hardly_looks_the_same(desk: Desk) -> None:
    told(desk, a_farmer(1))

    assert told(desk, a_farmer(2, "Awa", born=1950), a_farmer(3, "Moussa", last="Keita")) == [[], []]


def test_what_is_told_is_stored_nowhere(desk: Desk) -> None:
    told(desk, a_farmer(1))
    assert told(desk, a_farmer(2), batch="the same") != [[]]

    again = told(desk, a_farmer(2), batch="the same")

    assert again == [[]]
    with desk.sessions() as session:
        assert all(flags == [] for flags in session.scalars(select(Submission.flags)))
        assert "Awa" not in str(session.scalars(select(Batch.receipts)).all())


def test_matches_that_were_damaged_or_lost_come_back(desk: Desk) -> None:
    desk.send([a_farmer(number) for number in (1, 2, 3)])
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(
            delete(MatchKey).where(MatchKey.entity_id == select(MatchKey.entity_id).limit(1).scalar_subquery())
        )
        session.execute(update(Match).values(weight=1.0, probability=0.01))
        session.execute(delete(Membership))
        session.commit()
        found = list(verify_portion(session, desk.project_id, 0).differences)

    mended = desk.rebuild()

    with desk.sessions() as session:
        assert (
            found
            == mended
            == [
                "list farmers: 1 entities are found by other keys",
                "list farmers: 2 entities stand for another person",
                "list farmers: 3 matches",
            ]
        )
        assert verify_portion(session, desk.project_id, 0).differences == []


def test_whoever_comes_while_a_rebuild_looks_through_a_list_does_not_seem_to_be_wrong(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send([a_farmer(number) for number in (1, 2, 3)])
    came: list[list[str]] = []

    def pairs(*asked: Any) -> Iterator[Known]:
        if not came:
            came.append(desk.outcomes(a_farmer(4)))
        return all_pairs(*asked)

    monkeypatch.setattr(rematching, "all_pairs", pairs)
    with desk.sessions() as session:
        done = []
        for portion in rebuild_from(session, desk.project_id, 0, NOON):
            session.commit()
            done.append(portion.submissions)

    assert came == [["stored"]]
    assert done == [3, 0]


def test_a_list_that_is_compared_otherwise_while_a_rebuild_looks_through_it_is_rebuilt_as_it_is_compared_now(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.send([a_farmer(number) for number in (1, 2, 3)])
    with desk.sessions() as session:
        begin_writing(session)
        session.execute(update(Match).values(weight=1.0, probability=0.01))
        session.commit()

    def differences(*asked: Any) -> rematching.Differences:
        found = rematching.differences(*asked)
        desk.publish("register", "2", REGISTER.replace("| commune    | commune    |", "| commune    | village    |"))
        return found

    monkeypatch.setattr(recount, "differences_of_list", differences)
    desk.rebuild()

    with desk.sessions() as session:
        assert verify_portion(session, desk.project_id, 0).differences == []
