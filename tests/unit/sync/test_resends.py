"""Answers that are sent again are recognised by what was sent, whatever has happened to their entities meanwhile."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.projects import Desk, a_desk, instance_id

REGISTER = """
    | survey |      |       |         |
    | type   | name | label | save_to |
    | csv-external | people | | |
    | text   | who  | Who   |         |
    | text   | is_new | New?  |         |
    | text   | seller | Name  | seller  |
    | text   | village | Village | village |
    | entities |      |       |         |           |           |
    | list_name | label | entity_id | create_if | update_if |
    | people | ${seller} | ${who} | ${is_new} = 'yes' | ${is_new} = 'no' |
"""


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    desk = a_desk(engine, tmp_path / "files")
    desk.publish("register", "1", REGISTER)
    return desk


def a_registration(number: int, **answers: Any) -> dict[str, Any]:
    told = {"who": str(uuid.UUID(int=77)), "is_new": "yes", "seller": "Awa", "village": "Siby", **answers}
    return {"instance_id": instance_id(number), "form": "register", "version": "1", "answers": told}


def test_a_registration_sent_again_is_a_duplicate_though_its_entity_exists_now(desk: Desk) -> None:
    first = desk.outcomes(a_registration(1))
    again = desk.outcomes(a_registration(1))

    assert (first, again) == (["stored"], ["duplicate"])


def test_an_update_sent_again_is_a_duplicate_though_its_entity_is_a_version_further(desk: Desk) -> None:
    desk.send([a_registration(1)])
    update = a_registration(2, is_new="no", village="Kati")

    outcomes = [*desk.outcomes(update), *desk.outcomes(update)]

    assert outcomes == ["stored", "duplicate"]


def test_the_order_of_the_answers_makes_no_other_content(desk: Desk) -> None:
    item = a_registration(1)
    turned = {**item, "answers": dict(reversed(item["answers"].items()))}

    outcomes = [*desk.outcomes(item), *desk.outcomes(turned)]

    assert outcomes == ["stored", "duplicate"]


def test_other_answers_under_the_same_id_are_a_conflict(desk: Desk) -> None:
    desk.send([a_registration(1)])

    assert desk.outcomes(a_registration(1, village="Kati")) == ["conflict"]
