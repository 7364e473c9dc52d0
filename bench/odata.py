"""OData over a large form: a page of 250 at any depth, of submissions and of a repeat, and what a row costs."""

from __future__ import annotations

import datetime as dt
import json
import random
import time
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from sqlalchemy import Engine, text, update
from sqlalchemy.orm import Session

from bench.installation import Installation
from bench.report import Line, middle, p95
from forms.workbooks.workbook import read_workbook
from server.odata.options import token_of
from sync.journal import open_journal
from sync.models import Project, RepeatRow, Submission, SubmissionVersion
from sync.models.database import insert_rows, open_engine
from sync.projects.publish import publish_form
from tests.support.workbooks import a_workbook

FORM = "households"
PAGE = 250
PEOPLE = 2  # rows of the repeat in each submission
MOST_MS = 25.0
MOST_CPU_MS = 0.1
_RUNS = 20
_AT_ONCE = 5_000
_NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)
_TEXTS, _NUMBERS = 20, 18
_SURVEY = f"""
    | survey  |      |      |
    | type    | name | label |
    | date    | day  | Day  |
    | geopoint | spot | Spot |
    {
    "".join(
        f'''
    | text    | t{n} | Text {n} |'''
        for n in range(_TEXTS)
    )
}
    {
    "".join(
        f'''
    | integer | n{n} | Number {n} |'''
        for n in range(_NUMBERS)
    )
}
    | begin_repeat | people | People |
    | text    | nick | Nick |
    | integer | age  | Age  |
    | text    | work | Work |
    | end_repeat | people | |
"""


def measure_odata(installation: Installation, submissions: int) -> list[Line]:
    """Pages at the beginning, in the middle and at the end, a filtered one, and everything in pages of 10,000."""
    engine = open_engine(installation.database_url)
    first, last = fill(engine, int(installation.project), submissions)
    engine.dispose()
    installation.settle()
    lines = []
    for table, per_submission in (("Submissions", 1), ("Submissions.people", PEOPLE)):
        for where, place in (("beginning", None), ("middle", (first + last) // 2), ("end", first + PAGE)):
            before = sum(installation.cpu())
            times = [page(installation, table, place) for _ in range(_RUNS)]
            cpu = (sum(installation.cpu()) - before) / _RUNS * 1000
            what = f"{table}: {PAGE} rows at the {where}"
            lines.append(Line(f"{what}, median", middle(times), "ms", most=MOST_MS))
            lines.append(Line("… p95", p95(times), "ms"))
            lines.append(Line("… processor time", cpu, "ms"))
        lines += everything(installation, table, submissions * per_submission)
    for asked in ("n3 gt 5000", "contains(t4, 'zz')", "t2 eq 'nobody'"):
        times = [page(installation, "Submissions", None, asked) for _ in range(3)]
        lines.append(Line(f"Submissions: {PAGE} rows by {asked}", middle(times), "ms"))
    return lines


def page(installation: Installation, table: str, before: int | None, asked: str | None = None) -> float:
    """Milliseconds to a page, whole and read."""
    query = f"$top={PAGE}"
    if before is not None:
        place = {"id": before} if table == "Submissions" else {"id": before, "number": PEOPLE}
        query += f"&$skiptoken={token_of(place)}"
    if asked is not None:
        query += f"&$filter={quote(asked)}"
    began = time.perf_counter()
    rows = installation.get(f"forms/{FORM}.svc/{table}?{query}")["value"]
    taken = (time.perf_counter() - began) * 1000
    if asked is None and len(rows) != PAGE:
        raise RuntimeError(f"{len(rows)} rows")
    return taken


def everything(installation: Installation, table: str, expected: int) -> list[Line]:
    """Follow the links to the end, and see that it was all."""
    before, began = sum(installation.cpu()), time.perf_counter()
    path, seen = f"/v1/projects/{installation.project}/forms/{FORM}.svc/{table}", 0
    while path:
        status, body = installation.ask("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} answered {status}: {body[:500]!r}")
        answer = json.loads(body)
        seen += len(answer["value"])
        link = urlsplit(answer.get("@odata.nextLink", ""))
        path = f"{link.path}?{link.query}" if link.path else ""
    if seen != expected:
        raise RuntimeError(f"{seen} rows of {expected}")
    cpu = (sum(installation.cpu()) - before) / seen * 1000
    seconds = time.perf_counter() - began
    return [
        Line(f"{table}: processor time of a row, all {seen:,}", cpu, "ms", most=MOST_CPU_MS),
        Line("… seconds for all", seconds, "s"),
        Line("… largest server process", installation.memory(), "MB"),
    ]


def fill(engine: Engine, project_id: int, submissions: int) -> tuple[int, int]:
    """Rows put there in bulk, as filing would have; gives the first id and the last."""
    chance = random.Random(submissions)
    with Session(engine) as session:
        journal = open_journal(session, project_id, None, _NOW)
        publish_form(journal, read_workbook(a_workbook(FORM, "1", _SURVEY), f"{FORM}.xlsx"))
        first = journal.new_id()
        journal.close()
        session.commit()
        for start in range(first, first + submissions, _AT_ONCE):
            ids = range(start, min(start + _AT_ONCE, first + submissions))
            answers = [_answers(chance, number) for number in ids]
            connection = session.connection()
            insert_rows(connection, Submission.__table__, [_submission(project_id, n) for n in ids])  # type: ignore[arg-type]
            versions = [_version(project_id, n, said) for n, said in zip(ids, answers, strict=True)]
            insert_rows(connection, SubmissionVersion.__table__, versions)  # type: ignore[arg-type]
            repeated = [row for n, said in zip(ids, answers, strict=True) for row in _people(project_id, n, said)]
            insert_rows(connection, RepeatRow.__table__, repeated)  # type: ignore[arg-type]
            session.commit()
        last = first + submissions - 1
        session.execute(update(Project).where(Project.id == project_id).values(last_id=last))
        session.commit()
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"))
    return first, last


def _answers(chance: random.Random, number: int) -> dict[str, Any]:
    return {
        "day": "2026-11-20",
        "spot": [12.5 + number % 100 / 1000, -8.25, 340, 4.5],
        **{f"t{n}": f"{chance.choice(_WORDS)} {chance.randrange(10_000)}" for n in range(_TEXTS)},
        **{f"n{n}": chance.randrange(10_000) for n in range(_NUMBERS)},
        "people": [{"nick": f"Awa {n}", "age": 20 + n, "work": "rice"} for n in range(PEOPLE)],
    }


_WORDS: Sequence[str] = ("riz étuvé", "karité", "mil et sorgho", "maraîchage", "commerce", "école")


def _submission(project_id: int, number: int) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "id": number,
        "form_id": FORM,
        "instance_id": _instance(number),
        "current_instance_id": _instance(number),
        "form_version": "1",
        "versions": 1,
        "actor_id": 1,
        "received_at": _NOW,
        "recorded_at": _NOW,
        "updated_at": _NOW,
        "flags": [],
        "missing": 0,
        "counts": True,
        "more_to_come": False,
        "event": 1,
    }


def _version(project_id: int, number: int, answers: dict[str, Any]) -> dict[str, Any]:
    return {
        "project_id": project_id,
        "form_id": FORM,
        "instance_id": _instance(number),
        "submission_id": number,
        "number": 1,
        "form_version": "1",
        "xml": b"",
        "sha256": b"",
        "canonical_sha256": b"",
        "answers": answers,
        "actor_id": 1,
        "received_at": _NOW,
        "recorded_at": _NOW,
        "event": 1,
    }


def _people(project_id: int, number: int, answers: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for place, person in enumerate(answers["people"]):
        yield {
            "project_id": project_id,
            "form_id": FORM,
            "path": "/data/people",
            "submission_id": number,
            "number": place,
            "places": [place],
            "answers": person,
        }


def _instance(number: int) -> str:
    return f"uuid:{number:08x}-0000-4000-8000-000000000000"
