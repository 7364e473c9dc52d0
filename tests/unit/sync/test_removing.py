"""Deleting, restoring and purging submissions: all of it is gone, all of it comes back, or nothing of it is left."""

import datetime as dt
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, select

from sync.errors import NotFound
from sync.indicators.recount import verify_portion
from sync.intake.content import store_of
from sync.intake.files import keep_file
from sync.intake.quarantine import resolve
from sync.journal import Journal, open_journal
from sync.models import (
    Attachment,
    Comment,
    Contribution,
    Entity,
    EntityStep,
    Event,
    Quarantined,
    StoredFile,
    Submission,
    SubmissionVersion,
)
from sync.review.decide import add_comment, set_review_state
from sync.review.queue import Sought, review_queue
from sync.review.removing import (
    Purged,
    delete_submission,
    forget_contents,
    projects_to_purge,
    purge,
    purge_discarded,
    restore_submission,
)
from sync.review.view import find_submission
from tests.support.projects import KEPT_FOR, NOON, Desk, a_desk, a_sale, instance_id

COORDINATOR = 9
LATER = NOON + dt.timedelta(hours=1)
FULL = {"price": 900, "remark": "dry"}

Result = TypeVar("Result")


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


def test_a_deleted_visit_leaves_figures_lists_and_queue(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2)])

    delete(desk, 1)

    assert {row.submission_id for row in contributions(desk)} == {id_of(desk, 2)}
    assert sorted(entity.withdrawn for entity in entities(desk)) == [False, True]
    assert waiting(desk) == [instance_id(2)]
    assert "deleted" in kinds(desk)
    with desk.sessions() as session, pytest.raises(NotFound):
        find_submission(session, desk.project_id, "sale", instance_id(1))


@pytest.mark.parametrize("state", [None, "approved", "hasIssues", "rejected"])
@pytest.mark.parametrize("rule", ["received", "approved"])
def test_restoring_brings_everything_back(engine: Engine, tmp_path: Path, state: str | None, rule: str) -> None:
    desk = a_desk(engine, tmp_path / "files", counts=rule)
    desk.send([a_sale(1), a_sale(2, edits=1, sacks=9)])
    decide(desk, 1, state)
    before = everything(desk)

    delete(desk, 1)
    while_deleted = everything(desk)
    restore(desk, 1)

    assert everything(desk) == before
    assert while_deleted != before
    assert differences(desk) == []


def test_of_a_visit_saved_twice_the_second_counts_while_the_first_is_deleted(desk: Desk) -> None:
    first = a_sale(1, seller="Awa", **FULL)
    desk.send([first, {**a_sale(2, seller="Awa", **FULL), "recorded_at": first["recorded_at"]}])
    before = everything(desk)

    delete(desk, 1)

    assert {row.submission_id for row in contributions(desk)} == {id_of(desk, 2)}
    restore(desk, 1)
    assert everything(desk) == before


def test_deleting_twice_and_restoring_what_is_there_is_nothing(desk: Desk) -> None:
    desk.send([a_sale(1)])
    with pytest.raises(NotFound):
        restore(desk, 1)

    delete(desk, 1)

    with pytest.raises(NotFound):
        delete(desk, 1)
    with pytest.raises(NotFound):
        with_journal(desk, lambda journal: delete_submission(journal, 10**9))


def test_what_is_deleted_is_rebuilt_as_deleted(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2)])
    delete(desk, 1)

    assert differences(desk) == []
    assert desk.rebuild() == []


def test_a_purge_takes_what_was_deleted_before_and_nothing_else(desk: Desk) -> None:
    desk.send([a_sale(number) for number in (1, 2, 3)])
    delete(desk, 1, LATER)
    delete(desk, 2, LATER + dt.timedelta(days=1))

    purged = purge_all(desk, LATER + KEPT_FOR + dt.timedelta(hours=1))

    assert purged.count == 1
    assert [submission.instance_id for submission in desk.submissions()] == [instance_id(2), instance_id(3)]
    with pytest.raises(NotFound):
        restore(desk, 1)
    restore(desk, 2)
    assert differences(desk) == []
    assert desk.rebuild() == []


def test_nothing_that_was_said_is_left_after_a_purge(desk: Desk) -> None:
    content = b"a photo"
    sha256 = put(desk, content)
    photo = {"name": "1.jpg", "sha256": sha256, "size": len(content), "type": "image/jpeg"}
    desk.send([{**a_sale(1, photo="1.jpg", seller="Awa Traoré"), "attachments": [photo]}])
    desk.send([a_sale(1, seller="Awa Diarra")])  # other content under the same id waits in quarantine
    desk.send([a_sale(3, edits=2, seller="Awa Konaté")])  # an edit of something that never came stays where it is
    with_journal(desk, lambda journal: add_comment(journal, id_of(desk, 1), "Is this Awa Traoré?"))
    delete(desk, 1)

    purged = purge_all(desk, LATER + KEPT_FOR + dt.timedelta(seconds=1))

    assert purged.contents == [sha256]
    for kind in (Submission, SubmissionVersion, Attachment, Comment, EntityStep, StoredFile):
        assert rows(desk, kind) == []
    assert [item.edits for item in rows(desk, Quarantined)] == [instance_id(2)]
    assert [(entity.withdrawn, entity.label, entity.data) for entity in entities(desk)] == [(True, "", {})]


def test_figures_of_the_past_stay_what_they_were_after_a_purge(desk: Desk) -> None:
    desk.send([a_sale(1), a_sale(2)])
    before = [(row.submission_id, row.indicator_id, row.opened, row.value) for row in rows(desk, Contribution)]
    delete(desk, 1)
    closed = [row.closed for row in rows(desk, Contribution) if row.closed is not None]

    purge_all(desk, LATER + KEPT_FOR + dt.timedelta(seconds=1))

    after = rows(desk, Contribution)
    assert [(row.submission_id, row.indicator_id, row.opened, row.value) for row in after] == before
    assert [row.closed for row in after if row.closed is not None] == closed


def test_an_entity_that_others_told_of_outlives_the_purge_of_one(desk: Desk) -> None:
    desk.publish("visit", "1", VISIT)
    desk.send([a_sale(1)])
    entity_id = entities(desk)[0].id
    visit: dict[str, Any] = {**a_sale(2, form="visit"), "answers": {"person": entity_id, "phone": "70 00 00 00"}}
    desk.send([visit])
    assert entities(desk)[0].data["phone"] == "70 00 00 00"

    with_journal(desk, lambda journal: delete_submission(journal, id_of(desk, 2)))
    purge_all(desk, LATER + KEPT_FOR + dt.timedelta(seconds=1))

    assert [(entity.label, entity.data.get("phone"), entity.withdrawn) for entity in entities(desk)] == [
        ("Awa 1", None, False)
    ]
    assert differences(desk) == []


def test_a_file_that_another_submission_names_survives(desk: Desk) -> None:
    sha256 = put(desk, b"one photo for two")
    photo = {"name": "1.jpg", "sha256": sha256, "size": 17, "type": "image/jpeg"}
    desk.send([{**a_sale(number, photo="1.jpg"), "attachments": [photo]} for number in (1, 2)])
    delete(desk, 1)

    assert purge_all(desk, LATER + KEPT_FOR + dt.timedelta(seconds=1)).contents == []
    assert [file.sha256 for file in rows(desk, StoredFile)] == [sha256]


def test_what_was_discarded_goes_with_the_files_that_nothing_else_names(desk: Desk) -> None:
    shared, own = put(desk, b"a photo of two"), put(desk, b"a photo of one")
    for number, hashes in ((1, [shared, own]), (2, [shared])):
        files = [{"name": f"{name}.jpg", "sha256": sha256} for name, sha256 in enumerate(hashes)]
        desk.send([{**a_sale(number, form="unknown"), "attachments": files}])
    first = min(row.id for row in rows(desk, Quarantined))
    with_journal(desk, lambda journal: resolve(journal, first, "discard"))

    early = with_journal(desk, lambda journal: purge_discarded(journal, LATER))
    purged = with_journal(desk, lambda journal: purge_discarded(journal, LATER + dt.timedelta(seconds=1)))

    assert (early.count, purged.count, purged.contents) == (0, 1, [own])
    assert [row.state for row in rows(desk, Quarantined)] == ["open"]


def test_content_that_was_put_away_is_forgotten_after_a_day_and_brought_back_by_whoever_asks(desk: Desk) -> None:
    with desk.sessions() as session:
        store = store_of(session)
        gone, wanted, held = store.put(b"gone"), store.put(b"wanted"), store.put(b"held")
        for sha256 in (gone, wanted, held):
            store.set_aside(sha256)
        assert store.read(wanted) == b"wanted"
        journal = open_journal(session, desk.project_id, None, NOON)
        keep_file(journal, held, 4)
        journal.close()
        session.commit()
        soon, tomorrow = (dt.datetime.now(dt.UTC) + dt.timedelta(hours=hours) for hours in (1, 25))
        assert forget_contents(session, store, soon) == 0
        assert forget_contents(session, store, tomorrow) == 1
        assert (store.holds(gone), store.holds(wanted), store.holds(held)) == (False, True, True)


VISIT = """
    | survey  |           |           |          |
    | type    | name      | label     | save_to  |
    | select_one_from_file people.csv | person | Person | |
    | text    | phone     | Phone     | phone    |
    | entities |          |           |          |
    | list_name | entity_id | label   |          |
    | people  | ${person} |           |          |
"""


def with_journal(desk: Desk, act: Callable[[Journal], Result], now: dt.datetime = LATER) -> Result:
    with desk.sessions() as session:
        journal = open_journal(session, desk.project_id, COORDINATOR, now)
        result = act(journal)
        journal.close()
        session.commit()
    return result


def delete(desk: Desk, number: int, now: dt.datetime = LATER) -> int:
    return with_journal(desk, lambda journal: delete_submission(journal, id_of(desk, number)), now)


def restore(desk: Desk, number: int) -> int:
    return with_journal(desk, lambda journal: restore_submission(journal, id_of(desk, number)))


def decide(desk: Desk, number: int, state: str | None) -> None:
    with_journal(desk, lambda journal: set_review_state(journal, id_of(desk, number), state))


def purge_all(desk: Desk, now: dt.datetime) -> Purged:
    with desk.sessions() as session:
        assert projects_to_purge(session, now) == {desk.project_id: now - KEPT_FOR}
    return with_journal(desk, lambda journal: purge(journal, now - KEPT_FOR), now)


def id_of(desk: Desk, number: int) -> int:
    with desk.sessions() as session:
        return (
            session.scalar(
                select(SubmissionVersion.submission_id).where(SubmissionVersion.instance_id == instance_id(number))
            )
            or 0
        )


def put(desk: Desk, content: bytes) -> str:
    def keep(journal: Journal) -> str:
        return keep_file(journal, store_of(journal.session).put(content), len(content), "image/jpeg")

    assert with_journal(desk, keep) == hashlib.sha256(content).hexdigest()
    return hashlib.sha256(content).hexdigest()


def everything(desk: Desk) -> list[Any]:
    """What people see: figures, entities, decisions about copies, the queue."""
    open_rows = sorted(
        (row.submission_id, row.indicator_id, row.ordinal, row.day, row.value, row.by1, row.place)
        for row in contributions(desk)
    )
    people = sorted(
        (one.list_name, one.id, one.label, sorted(one.data.items()), one.withdrawn) for one in entities(desk)
    )
    steps = sorted((step.submission_id, step.entity_id, step.path, step.state) for step in rows(desk, EntityStep))
    standing = [
        (one.instance_id, one.review_state, one.double_of, one.counts, one.flags, one.deleted_at)
        for one in desk.submissions()
    ]
    return [open_rows, people, steps, standing, waiting(desk)]


def contributions(desk: Desk) -> list[Contribution]:
    return [row for row in rows(desk, Contribution) if row.closed is None]


def entities(desk: Desk) -> list[Entity]:
    return rows(desk, Entity)


def kinds(desk: Desk) -> list[str]:
    return [event.kind for event in rows(desk, Event)]


def waiting(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return [item.instance_id for item in review_queue(session, desk.project_id, Sought()).items]


def rows(desk: Desk, kind: type[Any]) -> list[Any]:
    with desk.sessions() as session:
        return list(session.scalars(select(kind).order_by(*kind.__table__.primary_key.columns)))


def differences(desk: Desk) -> list[str]:
    with desk.sessions() as session:
        return list(verify_portion(session, desk.project_id, 0).differences)
