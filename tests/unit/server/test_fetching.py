"""Reading from another server that keeps its files elsewhere, as ODK Central does where it has a store for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

import pytest

from server.moving import fetching
from server.moving.fetching import Fetcher
from sync.errors import Unexpected
from tests.support.live import answered

KEY = {"Authorization": "Bearer siby"}


@contextmanager
def a_server(leads: dict[str, str], heard: list[tuple[str, str | None]]) -> Iterator[str]:
    """One that answers with the path that was asked for, or sends on to where it `leads`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append((self.path, self.headers.get("Authorization")))
            body = self.path.encode()
            self.send_response(307 if self.path in leads else 200)
            if self.path in leads:
                self.send_header("Location", leads[self.path])
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 — the library's word
            pass

    with answered(Handler) as address:
        yield address


def test_a_file_that_lies_on_another_server_is_fetched_there_without_the_password() -> None:
    stored: list[tuple[str, str | None]] = []
    asked: list[tuple[str, str | None]] = []
    with a_server({}, stored) as store, a_server({"/photo": f"{store}/bucket/p.jpg?sig=1"}, asked) as central:
        assert Fetcher(central, KEY).get("/photo") == b"/bucket/p.jpg?sig=1"

    assert asked == [("/photo", "Bearer siby")]
    assert stored == [("/bucket/p.jpg?sig=1", None)]


@pytest.mark.parametrize("leads", ["/new", "new"])
def test_an_address_that_moved_on_the_same_server_is_followed_with_it(leads: str) -> None:
    asked: list[tuple[str, str | None]] = []
    with a_server({"/old": leads}, asked) as central:
        assert Fetcher(central, KEY).get("/old") == b"/new"

    assert asked == [("/old", "Bearer siby"), ("/new", "Bearer siby")]


def test_each_hop_is_judged_anew_and_there_are_not_many() -> None:
    stored: list[tuple[str, str | None]] = []
    asked: list[tuple[str, str | None]] = []
    leads = {"/old": "/new", "/round": "/round"}
    with a_server({"/a": "/b"}, stored) as store, a_server(leads, asked) as central:
        leads["/new"] = f"{store}/a"
        assert Fetcher(central, KEY).get("/old") == b"/b"
        with pytest.raises(Unexpected, match="from one address to the next"):
            Fetcher(central, KEY).get("/round")

    assert asked[:2] == [("/old", "Bearer siby"), ("/new", "Bearer siby")]
    assert stored == [("/a", None), ("/b", None)]
    assert len(asked) == 7


@pytest.mark.parametrize(
    ("leads", "said"),
    [
        ("https://127.0.0.2/p.jpg", "127.0.0.2, which is in a network of this server's own"),
        ("ftp://127.0.0.1/p.jpg", "a connection that is not secure"),
        ("http://a..b/p.jpg", "a..b has no address"),
    ],
)
def test_a_server_outside_sends_us_nowhere_inside(monkeypatch: pytest.MonkeyPatch, leads: str, said: str) -> None:
    monkeypatch.setattr(fetching, "is_outside", lambda address: address == "127.0.0.1")
    with a_server({"/photo": leads}, []) as central, pytest.raises(Unexpected, match=said):
        Fetcher(central, KEY).get("/photo")


@pytest.mark.parametrize("given", ["https://KF.example.org/api/?a=1", "http://kf.example.org:80/api/?a=1"])
def test_the_same_server_is_known_however_its_address_is_written(given: str) -> None:
    assert Fetcher("https://kf.example.org:443", KEY).path_of(given) == "/api/?a=1"
