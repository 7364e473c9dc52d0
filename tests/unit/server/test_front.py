"""The front door: whose forwarded headers are believed, and where the token in the path goes."""

from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from werkzeug.test import create_environ

from server.door.front import KEY, PATH_SHOWN, Front

PROXY = (ipaddress.ip_network("10.0.0.0/24"),)


def seen(path: str = "/", trusted: tuple[Any, ...] = PROXY, **environ: str) -> dict[str, Any]:
    """The environment as the app behind the door gets it."""
    found: dict[str, Any] = {}

    def app(environ: dict[str, Any], _start: object) -> list[bytes]:
        found.update(environ)
        return []

    Front(app, trusted)(create_environ(path) | environ, None)
    return found


def forwarded(*hops: str, near: str = "10.0.0.1", **more: str) -> dict[str, Any]:
    headers = {"HTTP_X_FORWARDED_FOR": ", ".join(hops), "HTTP_X_FORWARDED_PROTO": "https"} | more
    return seen(REMOTE_ADDR=near, **headers)


def test_a_proxy_that_is_known_is_believed() -> None:
    environ = forwarded("198.51.100.7", HTTP_X_FORWARDED_HOST="siby.example.org")

    assert environ["REMOTE_ADDR"] == "198.51.100.7"
    assert environ["wsgi.url_scheme"] == "https"
    assert environ["HTTP_HOST"] == "siby.example.org"


def test_anybody_else_is_not() -> None:
    environ = forwarded("198.51.100.7", near="192.0.2.1")

    assert environ["REMOTE_ADDR"] == "192.0.2.1"
    assert environ["wsgi.url_scheme"] == "http"


def test_what_a_client_wrote_itself_is_not_believed() -> None:
    assert forwarded("127.0.0.1", "198.51.100.7", "10.0.0.2")["REMOTE_ADDR"] == "198.51.100.7"
    assert forwarded("127.0.0.1", "nonsense")["REMOTE_ADDR"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("path", "inside", "shown", "key"),
    [
        ("/v1/key/siby_x/projects/7", "/v1/projects/7", "/v1/key/***/projects/7", "siby_x"),
        ("/v1/key/siby_x", "/v1", "/v1/key/***", "siby_x"),
        ("/v1/projects/7", "/v1/projects/7", "/v1/projects/7", None),
        (f"/sign-in/link/siby_{'a' * 43}", f"/sign-in/link/siby_{'a' * 43}", "/sign-in/link/***", None),
    ],
)
def test_a_token_in_the_path_is_taken_out_of_it(path: str, inside: str, shown: str, key: str | None) -> None:
    environ = seen(path)

    assert environ["PATH_INFO"] == inside
    assert environ[PATH_SHOWN] == shown
    assert environ.get(KEY) == key
