"""A form with everything that an export can meet, in two versions, and submissions of it that mean no good."""

from __future__ import annotations

import csv
import io
import random
import uuid
import zipfile
from typing import Any

from flask import Flask

from forms.workbooks.workbook import read_workbook
from server.db import session
from sync.journal import open_journal
from sync.projects.publish import publish_form
from tests.support.projects import NOON
from tests.support.web import House
from tests.support.workbooks import a_workbook

FIRST = """
    | survey        |          |           |              |             |
    | type          | name     | label::English (en) | label::Français (fr) | identifying |
    | dateTime      | at       | When      | Quand        |             |
    | text          | who      | Who       | Qui          | yes         |
    | integer       | bags     | Bags      | Sacs         |             |
    | text          | gone     | Gone      | Parti        |             |
    | begin_group   | visit    | Visit     | Visite       |             |
    | geopoint      | spot     | Spot      | Lieu         |             |
    | select_one sex | sex     | Sex       | Sexe         |             |
    | select_multiple crop | crops | Crops | Cultures     |             |
    | decimal       | area     | Area      | Surface      |             |
    | date          | day      | Day       | Jour         |             |
    | image         | photo    | Photo     | Photo        |             |
    | end_group     | visit    |           |              |             |
    | begin_repeat  | people   | People    | Personnes    |             |
    | text          | name     | Name      | Nom          | yes         |
    | integer       | age      | Age       | Âge          |             |
    | begin_repeat  | loans    | Loans     | Prêts        |             |
    | integer       | sum      | Sum       | Somme        |             |
    | end_repeat    | loans    |           |              |             |
    | end_repeat    | people   |           |              |             |
    | begin_group   | more     | More      | Plus         |             |
    | begin_repeat  | debts    | Debts     | Dettes       |             |
    | text          | lender   | Lender    | Prêteur      | yes         |
    | end_repeat    | debts    |           |              |             |
    | end_group     | more     |           |              |             |
    | choices       |          |           |              |             |
    | list_name     | name     | label::English (en) | label::Français (fr) | |
    | sex           | f        | Female    | Femme        |             |
    | sex           | m        | Male      | Homme        |             |
    | crop          | rice     | Rice      | Riz          |             |
    | crop          | shea     | Shea      | Karité       |             |
"""
SECOND = (
    FIRST.replace("| identifying |", "| identifying | was |", 1)
    .replace("| bags     | Bags      | Sacs         |             |", "| sacks | Sacks | Sacs | | bags |")
    .replace("    | text          | gone     | Gone      | Parti        |             |\n", "")
)
HOSTILE = [
    *('=HYPERLINK("http://x","y")', "+1+1", "-2+3", "@SUM(A1)", "\ttab", "'quoted", "a,b", 'a"b', "two\nlines"),
    *(
        "＝1",
        "\u200b=1",
        "<b>&amp;</b>",
        "]]>",
        "http://example.org",
        "é 李 𝒳",
        "+223 76 00 00 00",
        "-8.5",
        "{}",
        "x" * 300,
    ),
]


def publish(app: Flask, pid: int, form_id: str, version: str, markdown: str) -> None:
    """Publish a version of a form."""
    with app.app_context():
        journal = open_journal(session(), pid, None, NOON)
        publish_form(journal, read_workbook(a_workbook(form_id, version, markdown), f"{form_id}.xlsx"))
        journal.close()
        session().commit()


def a_visit(number: int) -> dict[str, Any]:
    """Answers drawn from the number: the same number is the same visit."""
    chance = random.Random(number)
    version = "1" if number % 2 else "2"
    answers: dict[str, Any] = {
        "at": f"2026-11-{number % 28 + 1:02}T10:00:00.000+02:00",
        "who": HOSTILE[number % len(HOSTILE)],
        "visit": {
            "sex": chance.choice(["f", "m", None]),
            "crops": chance.choice([["rice"], ["rice", "shea"], [], None]),
            "area": chance.choice([1.5, 12, None, 0.1]),
            "day": f"2026-10-{number % 28 + 1:02}",
        },
        "people": [
            {
                "name": chance.choice(HOSTILE),
                "age": chance.randrange(90),
                "loans": [{"sum": chance.randrange(10**6)} for _ in range(chance.randrange(3))],
            }
            for _ in range(chance.randrange(4))
        ],
        "more": {"debts": [{"lender": chance.choice(HOSTILE)} for _ in range(chance.randrange(2))]},
    }
    if chance.random() < 0.7:
        answers["visit"]["spot"] = [12 + chance.randrange(1000) / 1000, -8.5, 300.0, 4.5]
    answers["bags" if version == "1" else "sacks"] = chance.randrange(100)
    if version == "1":
        answers["gone"] = f"gone {number}"
    return {
        "instance_id": f"uuid:{uuid.UUID(int=number)}",
        "form": "visit",
        "version": version,
        "recorded_at": "2026-11-19T12:00:00+00:00",
        "answers": answers,
    }


def with_visits(house: House, count: int) -> list[dict[str, Any]]:
    """Publish both versions and send so many visits; gives them as they were sent."""
    publish(house.app, house.pid, "visit", "1", FIRST)
    publish(house.app, house.pid, "visit", "2", SECOND)
    visits = [a_visit(number) for number in range(1, count + 1)]
    assert set(house.amina.outcomes(*visits)) == {"stored"}
    return visits


def tables_in(archive: bytes) -> dict[str, list[dict[str, str]]]:
    """The CSV files of an archive by name."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.testzip() is None
        return {name: read_csv(opened.read(name)) for name in opened.namelist() if name.endswith(".csv")}


def read_csv(data: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    return list(csv.DictReader(io.StringIO(data.decode("utf-8"), newline=""), strict=True))
