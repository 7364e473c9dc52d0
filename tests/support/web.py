"""A house full of people for tests of the web: who they are, what they may do, and how they speak to the server.

Amina collects, Baraka coordinates, Djeneba administers the project, Fanta reads; Coumba coordinates another project and
must see nothing of this one; Sekou administers the installation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from server.db import session
from sync.accounts.passwords import hash_password
from sync.accounts.people import add_device, add_user
from sync.accounts.roles import assign
from sync.accounts.tokens import issue_token
from sync.models.database import begin_writing
from sync.projects.publish import create_project, publish_form
from tests.support.projects import NOON, SALE, workbook_of

PASSWORD = "three sacks of rice"
STAFF = {"Djeneba": "administrator", "Baraka": "coordinator", "Fanta": "viewer"}


@dataclass
class Voice:
    """Somebody who speaks to the server with a token."""

    client: FlaskClient
    token: str
    actor_id: int
    pid: int

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.ask("GET", path, **more)

    def post(self, path: str, **more: Any) -> TestResponse:
        return self.ask("POST", path, **more)

    def put(self, path: str, **more: Any) -> TestResponse:
        return self.ask("PUT", path, **more)

    def patch(self, path: str, **more: Any) -> TestResponse:
        return self.ask("PATCH", path, **more)

    def delete(self, path: str, **more: Any) -> TestResponse:
        return self.ask("DELETE", path, **more)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """`path` is inside the project unless it begins with a slash."""
        target = path if path.startswith("/") else f"/v1/projects/{self.pid}/{path}"
        sent = {"Authorization": f"Bearer {self.token}"} | (headers or {})
        return self.client.open(target, method=method, headers=sent, **more)

    def send(self, *items: Any, batch: str = "b1", **more: Any) -> TestResponse:
        """Send a batch."""
        return self.post("batches", json={"batch": batch, "items": list(items)} | more)

    def outcomes(self, *items: Any, batch: str = "b1") -> list[str]:
        """Send a batch and give what became of its items."""
        answer = self.send(*items, batch=batch)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return [receipt["outcome"] for receipt in answer.get_json()["receipts"]]


@dataclass
class House:
    """An installation with two projects and the people in them."""

    app: Flask
    pid: int
    other: int
    voices: dict[str, Voice]

    def __getattr__(self, name: str) -> Voice:
        try:
            return self.voices[name.capitalize()]
        except KeyError:
            raise AttributeError(name) from None


def move_in(app: Flask) -> str:
    """Two projects with the form `sale`; everybody has a token, and Baraka a password as well. Gives what `a_house`
    has to know, as JSON."""
    with app.app_context():
        pid, other = a_project("Siby"), a_project("Elsewhere")
        tokens: dict[str, tuple[str, int]] = {}
        begin_writing(session())
        for name, role in STAFF.items():
            tokens[name] = _user(name, pid, role)
        tokens["Coumba"] = _user("Coumba", other, "coordinator")
        tokens["Sekou"] = _user("Sekou", None, None)
        device, issued = add_device(session(), pid, "Amina", NOON)
        tokens["Amina"] = issued.token, device.id
        session().commit()
    return json.dumps({"pid": pid, "other": other, "tokens": tokens})


def a_house(app: Flask, known: str) -> House:
    """The house that people have moved into."""
    pid, other, tokens = json.loads(known).values()
    voices = {name: Voice(app.test_client(), token, actor, pid) for name, (token, actor) in tokens.items()}
    return House(app, pid, other, voices)


def a_project(name: str, **settings: Any) -> int:
    """A project with the form `sale`; needs an app context."""
    journal = create_project(session(), {"name": name, "time_zone": "Africa/Bamako", **settings}, None, NOON)
    publish_form(journal, workbook_of("sale", "1", SALE))
    journal.close()
    session().commit()
    return journal.project_id


def shown(answer: TestResponse) -> Any:
    """The JSON of an answer that went well."""
    assert answer.status_code < 300, answer.get_data(as_text=True)
    return json.loads(answer.get_data())


def refused(answer: TestResponse) -> float:
    """The code of a refusal, which has the one form that all have."""
    body = answer.get_json()
    assert set(body) == {"message", "code", "details"}
    assert int(body["code"]) == answer.status_code
    return float(body["code"])


@cache
def _hashed() -> str:
    """Hashing takes its time on purpose; once will do for all tests."""
    return hash_password(PASSWORD)


def _user(name: str, pid: int | None, role: str | None) -> tuple[str, int]:
    actor = add_user(session(), f"{name}@example.org", NOON, name=name, admin=pid is None)
    actor.password_hash = _hashed()
    if pid is not None and role is not None:
        assign(session(), actor.id, pid, role)
    return issue_token(session(), actor.id, "api", NOON).token, actor.id
