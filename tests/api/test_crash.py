"""The real server, killed at any moment while tablets send: what it acknowledged is there, exactly once."""

from __future__ import annotations

import datetime as dt
import hashlib
import http.client
import json
import os
import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from demo.links import Link, Weather
from demo.serving import HOST, Serving
from demo.tablets import File, Habits, Record, State, Tablet, record_of
from forms.workbooks.workbook import read_workbook
from migrations.schema import upgrade
from sync.accounts.installation import found_installation
from sync.accounts.people import add_device, add_user
from sync.accounts.tokens import issue_token
from sync.intake.content import ContentStore, session_info
from sync.models import Attachment, StoredFile, Submission, SubmissionVersion
from sync.models.database import begin_writing, open_engine
from sync.projects.publish import create_project, publish_form
from tests.support.projects import NOON, SALE
from tests.support.workbooks import a_workbook

TABLETS = 4
KILLS = 4
MISHAPS = Weather(cut_before=0.05, cut_after=0.05, unheard=0.05, twice=0.05, slow=0.0)


class House:
    """An installation with one project, its server, and what tablets and a viewer need to speak to it."""

    def __init__(self, engine: Engine, url: str, folder: Path) -> None:
        self.engine = engine
        self.files = folder / "files"
        store = ContentStore(self.files, reserve=0)
        with Session(engine, info=session_info(store)) as session:
            begin_writing(session)
            found_installation(session, NOON)
            self.viewer = issue_token(
                session, add_user(session, "coumba@example.org", NOON, admin=True).id, "api", NOON
            )
            session.commit()
            journal = create_project(session, {"name": "Siby", "time_zone": "Africa/Bamako"}, None, NOON)
            publish_form(journal, read_workbook(a_workbook("sale", "1", SALE), "sale.xlsx"))
            journal.close()
            session.commit()
            self.project = journal.project_id
            begin_writing(session)
            made = [add_device(session, self.project, f"tablet {number}", NOON) for number in range(TABLETS)]
            self.tokens = [issued.token for _, issued in made]
            session.commit()
        settings = {"SIBY_FOLDER": str(folder), "SIBY_DATABASE": url, "SIBY_RESERVE_MB": "0", "SIBY_WORKERS": "2"}
        self.serving = Serving(folder, {**os.environ, **settings}, a_free_port())

    def ask(self, path: str) -> Any:
        connection = http.client.HTTPConnection(HOST, self.serving.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.viewer.token}"}
        connection.request("GET", f"/v1/projects/{self.project}/{path}", headers=headers)
        response = connection.getresponse()
        body = response.read()
        connection.close()
        assert response.status == 200, body
        return json.loads(body)


@pytest.fixture
def house(empty_database_url: str, tmp_path: Path) -> Iterator[House]:
    upgrade(empty_database_url)
    engine = open_engine(empty_database_url)
    house = House(engine, empty_database_url, tmp_path)
    house.serving.start()
    yield house
    house.serving.kill()  # quicker than asking
    house.serving.stop()
    engine.dispose()


def test_a_server_killed_at_any_moment_keeps_every_acknowledged_visit_exactly_once(house: House) -> None:
    chance = random.Random("kills")
    tablets = [a_tablet(house, number) for number in range(TABLETS)]
    no_more = threading.Event()

    with ThreadPoolExecutor(TABLETS) as pool:
        days = [pool.submit(work, tablet, number, no_more) for number, tablet in enumerate(tablets)]
        for _ in range(KILLS):
            time.sleep(chance.uniform(0.05, 0.8))
            house.serving.kill()
            house.serving.revive()
        no_more.set()
        for day in days:
            day.result()

    sent = [record for tablet in tablets for record in tablet.records]
    assert {record.state for record in sent} == {State.SAFE}
    assert stored_ids(house.engine) == sorted(record.instance_id for record in sent)
    assert stored_hashes(house) == sorted({sha256 for record in sent for sha256 in record.files})
    assert [missing for tablet in tablets for missing in tablet.not_held(tablet.records)] == []
    figures = {row["indicator"]: row["value"] for row in house.ask("figures?indicator=sacks,sales")["figures"]}
    assert figures == {"sacks": sum(sacks_of(record) for record in sent), "sales": len(sent)}


def work(tablet: Tablet, number: int, no_more: threading.Event) -> None:
    """Visit and send, visit and send, until the day is over."""
    count = 0
    while not no_more.is_set():
        for _ in range(10):
            count += 1
            tablet.keep(a_visit(number, count))
        tablet.sync()


def a_tablet(house: House, number: int) -> Tablet:
    link = Link(HOST, house.serving.port, house.tokens[number], weather=MISHAPS, seed=f"link {number}", timeout=20)
    return Tablet(
        f"tablet {number}",
        house.project,
        link.ask,
        pause=time.sleep,
        clock=lambda: NOON,
        habits=Habits(most_items=7, chunk=1000, first_pause=0.05, longest_pause=0.5, tries=200, restarts=0.3),
        seed=f"tablet {number}",
    )


def a_visit(tablet: int, number: int) -> Record:
    """Every fifth with a photo. No two are alike, so that none counts as saved twice."""
    chance = random.Random(f"visit {tablet} {number}")
    answers = {
        "day": "2026-11-01",
        "seller": f"Awa {tablet}/{number}",
        "village": "Siby",
        "sacks": chance.randint(1, 9),
    }
    photos = [File(f"{number}.jpg", "image/jpeg", chance.randbytes(2500))] if number % 5 == 0 else []
    item = {
        "instance_id": f"uuid:{uuid.UUID(int=chance.getrandbits(128), version=4)}",
        "form": "sale",
        "version": "1",
        "recorded_at": (NOON - dt.timedelta(minutes=number)).isoformat(),
        "answers": {**answers, **({"photo": photos[0].name} if photos else {})},
    }
    return record_of(item, photos)


def sacks_of(record: Record) -> int:
    return int(record.item["answers"]["sacks"])


def stored_ids(engine: Engine) -> Sequence[str]:
    """Of every submission and every version, which have to be the same here: nothing was edited."""
    with Session(engine) as session:
        submissions = sorted(session.scalars(select(Submission.instance_id)))
        assert submissions == sorted(session.scalars(select(SubmissionVersion.instance_id)))
    return submissions


def stored_hashes(house: House) -> Sequence[str]:
    """Of the files that are named, present and whole on the disk."""
    with Session(house.engine) as session:
        present = set(session.scalars(select(Attachment.sha256).where(Attachment.present.is_(True))))
        known = set(session.scalars(select(StoredFile.sha256)))
    on_disk = {hashlib.sha256(path.read_bytes()).hexdigest() for path in house.files.rglob("*") if path.is_file()}
    return sorted(sha256 for sha256 in present if sha256 in known & on_disk)


def a_free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
    return port
