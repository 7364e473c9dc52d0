"""The pages as a browser without scripts has them: signed in, read, their forms filled in and sent."""

from __future__ import annotations

import time
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.web import PASSWORD, House

_MOST_LOOKS = 600


class Page(HTMLParser):
    """What of a page a reader can follow, its fields, and whether it holds anything that runs but our own scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.runs: list[str] = []
        self.hidden: dict[str, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a":
            self.links.append(given.get("href") or "")
        if tag == "input" and given.get("type") == "hidden":
            self.hidden[given.get("name") or ""] = given.get("value") or ""
        ours = tag == "script" and (given.get("src") or "").startswith("/static/")
        self.runs += [tag] if tag in ("script", "iframe", "object") and not ours else []
        self.runs += [name for name in given if name.startswith("on") or name == "style"]


def signed_in(house: House, name: str = "baraka", language: str | None = None) -> FlaskClient:
    """A browser in which somebody has signed in."""
    client = house.app.test_client()
    answer = client.post("/sign-in", data={"email": f"{name}@example.org", "password": PASSWORD})
    assert answer.status_code == 303, answer.get_data(as_text=True)
    if language is not None:
        assert client.get(f"/?lang={language}").status_code == 200
    return client


def read(client: FlaskClient, path: str) -> str:
    """The text of a page, which holds nothing that runs; what is still being worked out is asked for again, as browsers
    do by themselves."""
    answer = client.get(path)
    for _ in range(_MOST_LOOKS):
        if "Refresh" not in answer.headers:
            break
        time.sleep(0.05)
        answer = client.get(path)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    text = answer.get_data(as_text=True)
    assert Page(text).runs == []
    return text


def send(client: FlaskClient, page: str, to: str, values: Mapping[str, Any]) -> TestResponse:
    """Fill in a form of the page and send it, with the page's word that it was ours."""
    csrf = Page(read(client, page)).hidden["__csrf"]
    return client.post(to, data={"__csrf": csrf, **values})
