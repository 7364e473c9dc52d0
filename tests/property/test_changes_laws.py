"""The law of `changes`: a device that follows them has what a new one is given, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from sync.errors import Refusal
from sync.intake.changes import changes_for
from sync.intake.quarantine import resolve
from sync.journal import Journal, open_journal
from sync.models import Actor, Form, Quarantined, Submission
from sync.projects.lifecycle import STATES, delete_form, restore_form, set_state
from sync.projects.publish import publish_form
from sync.review.decide import set_review_state
from sync.review.removing import delete_submission, restore_submission
from tests.support.projects import NOON, Desk, a_desk, a_sale, instance_id, workbook_of

CHOOSES = """
    | survey |     |       |
    | type   | name | label |
    | select_one_from_file people.csv | who | Who? |
    | select_one_from_file areas.csv | area | Where? |
    | select_one_from_file mes_envois.csv | sent | Sent |
"""
NUMBERS, FORMS = st.integers(1, 4), st.sampled_from(["visit", "other"])
DEEDS = st.one_of(
    st.tuples(st.just("register"), NUMBERS),
    st.tuples(st.just("review"), NUMBERS, st.sampled_from(["rejected", "approved", None])),
    st.tuples(st.sampled_from(["delete", "undelete", "wait", "discard"]), NUMBERS),
    st.tuples(st.just("publish"), FORMS, st.sampled_from(["1", "2"])),
    st.tuples(st.just("state"), FORMS, st.sampled_from(STATES)),
    st.tuples(st.sampled_from(["bin", "unbin"]), FORMS),
    st.tuples(st.just("follow")),
)


@dataclass
class Tablet:
    """What a device holds that does as the answers to `changes` say."""

    cursor: str | None = None
    forms: dict[str, str] = field(default_factory=dict)
    files: dict[tuple[str, str], str] = field(default_factory=dict)
    lists: dict[tuple[str, str | None], dict[str, Any]] = field(default_factory=dict)

    def follow(self, desk: Desk) -> None:
        with desk.sessions() as session:
            actor = session.get_one(Actor, desk.device)
            told = changes_for(session, desk.project_id, actor, self.cursor).body
        self.cursor = told["cursor"]
        for form in told["removed_forms"]:
            self.forms.pop(form, None)
            self.files = {key: held for key, held in self.files.items() if key[0] != form}
        self.forms |= {form["form"]: form["hash"] for form in told["forms"]}
        self.files |= {(file["form"], file["name"]): file["hash"] for file in told["files"]}
        for each in told["lists"]:
            self._take(each)

    def _take(self, told: Mapping[str, Any]) -> None:
        key = told["name"], told.get("form")
        rows = {} if told["whole"] else self.lists[key]
        rows |= {row["name"]: row for row in told["upserts"]}
        self.lists[key] = {name: row for name, row in rows.items() if name not in told["deletes"]}


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(deeds=st.lists(DEEDS, min_size=4, max_size=16))
def test_a_device_that_follows_has_what_a_new_one_is_given(desk: Desk, deeds: list[tuple[Any, ...]]) -> None:
    project, tablet, new = desk.another(), Tablet(), Tablet()
    tablet.follow(project)

    for name, *about in deeds:
        if name == "follow":
            tablet.follow(project)
        elif name in ("register", "wait"):
            project.send([a_sale(about[0], form="sale" if name == "register" else "unknown")])
        else:
            act(project, DONE[name], *about)
    tablet.follow(project)
    new.follow(project)

    assert (tablet.forms, tablet.files) == (new.forms, new.files)
    assert {key: tablet.lists.get(key) for key in new.lists} == new.lists


def act(desk: Desk, what: Callable[..., object], *about: Any) -> None:
    """As somebody in the office does it; what cannot be done is not done."""
    with desk.sessions() as session, suppress(Refusal):
        journal = open_journal(session, desk.project_id, 9, NOON)
        what(journal, *about)
        journal.close()
        session.commit()


def of_sale(journal: Journal, number: int) -> int:
    query = select(Submission.id).where(
        Submission.project_id == journal.project_id, Submission.instance_id == instance_id(number)
    )
    return journal.session.scalar(query) or 0


def publish(journal: Journal, form_id: str, version: str) -> None:
    areas = f"name,label\na,A {version}\n".encode()
    publish_form(journal, workbook_of(form_id, version, CHOOSES), {"areas.csv": areas})


def take_out(journal: Journal, form_id: str) -> None:
    query = select(Form.number).where(Form.project_id == journal.project_id, Form.form_id == form_id)
    restore_form(journal, journal.session.scalar(query) or 0)


def discard(journal: Journal, number: int) -> None:
    query = select(Quarantined.id).where(
        Quarantined.project_id == journal.project_id, Quarantined.instance_id == instance_id(number)
    )
    resolve(journal, journal.session.scalars(query.order_by(Quarantined.id.desc())).first() or 0, "discard")


DONE: dict[str, Callable[..., object]] = {
    "review": lambda journal, number, state: set_review_state(journal, of_sale(journal, number), state),
    "delete": lambda journal, number: delete_submission(journal, of_sale(journal, number)),
    "undelete": lambda journal, number: restore_submission(journal, of_sale(journal, number)),
    "discard": discard,
    "publish": publish,
    "state": set_state,
    "bin": delete_form,
    "unbin": take_out,
}
