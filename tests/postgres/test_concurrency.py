"""What happens when several write at once: nothing is lost, and the same thing is stored once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, select

from sync.accounts.installation import found_installation
from sync.journal import open_journal
from sync.models import Event, Project, ReviewLease, Submission
from sync.models.database import begin_writing
from sync.projects.publish import create_project
from sync.review.leases import take_lease
from tests.support.projects import NOON, Desk, a_desk, a_sale

WRITERS = 6


@pytest.fixture
def desk(engine: Engine, tmp_path: Path) -> Desk:
    return a_desk(engine, tmp_path / "files")


def test_a_reader_that_polls_by_event_number_misses_none_of_six_writers(desk: Desk) -> None:
    chance = random.Random(6)
    pauses = [[chance.uniform(0, 0.01) for _ in range(25)] for _ in range(WRITERS)]
    seen: list[int] = []
    done = threading.Event()

    def write(mine: list[float]) -> None:
        for pause in mine:
            with desk.sessions() as session:
                journal = open_journal(session, desk.project_id, None, NOON)
                for _ in range(chance.randrange(1, 4)):
                    journal.record("reviewed")
                journal.close()
                time.sleep(pause)  # the moment between writing and commit, in which an identity id loses rows
                session.commit()

    def read() -> None:
        last = 0
        while True:
            finished = done.is_set()
            with desk.sessions() as session:
                numbers = list(
                    session.scalars(
                        select(Event.number)
                        .where(Event.project_id == desk.project_id, Event.number > last)
                        .order_by(Event.number)
                    )
                )
            seen.extend(numbers)
            last = numbers[-1] if numbers else last
            if finished and not numbers:
                return

    with ThreadPoolExecutor(WRITERS + 1) as pool:
        reading = pool.submit(read)
        writing = [pool.submit(write, mine) for mine in pauses]
        for each in writing:
            each.result()
        done.set()
        reading.result()

    with desk.sessions() as session:
        last = session.scalars(select(Project.last_event).where(Project.id == desk.project_id)).one()
    assert seen == list(range(1, last + 1))
    assert last > WRITERS * 25


def test_the_same_visits_in_eight_requests_at_once_are_stored_once(desk: Desk) -> None:
    items = [a_sale(number) for number in range(1, 6)]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.send(items), range(8)))

    outcomes = Counter(receipt["outcome"] for answer in answers for receipt in answer.receipts)
    with desk.sessions() as session:
        stored = session.scalar(select(func.count()).select_from(Submission))
    assert outcomes == {"stored": 5, "duplicate": 35}
    assert stored == 5


def test_the_same_batch_in_eight_requests_at_once_gets_one_answer(desk: Desk) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: desk.send([a_sale(1), a_sale(1)], batch="b1"), range(8)))

    assert [[receipt["outcome"] for receipt in answer.receipts] for answer in answers] == [["stored", "duplicate"]] * 8


def test_an_edit_and_its_original_that_arrive_at_once_end_as_two_versions(desk: Desk) -> None:
    for number in range(1, 9):
        pair = [a_sale(number), a_sale(number + 100, edits=number, sacks=7)]
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda item: desk.send([item]), pair))

    assert [submission.versions for submission in desk.submissions()] == [2] * 8
    assert all(parked.state == "resolved" for parked in desk.quarantine())


def test_a_coordinator_who_opens_eight_windows_at_once_is_refused_none_of_them(desk: Desk) -> None:
    together = threading.Barrier(8)

    def open_window(number: int) -> None:
        together.wait()
        with desk.sessions() as session:
            begin_writing(session)
            take_lease(session, desk.project_id, number // 8, number, NOON)
            session.commit()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(open_window, range(5 * 8)))

    with desk.sessions() as session:
        assert session.scalar(select(func.count()).select_from(ReviewLease)) == 5


def test_eight_projects_that_are_made_at_once_are_eight(desk: Desk) -> None:
    with desk.sessions() as session:
        found_installation(session, NOON)
        session.commit()
    together = threading.Barrier(8)

    def make(number: int) -> int:
        together.wait()
        with desk.sessions() as session:
            journal = create_project(session, {"name": f"Village {number}"}, None, NOON)
            journal.close()
            session.commit()
            return journal.project_id

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(make, range(8)))

    assert len(set(made)) == 8
